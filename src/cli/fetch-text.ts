/**
 * What a node tells everyone over HTTP (`/metrics`, `/stats`, `/readyz`), bounded in size and time.
 */

const TIMEOUT_DEFAULT_MS = 5_000;
const SIZE_MAX_BYTES = 8 * 1024 * 1024;

export interface HttpPlace {
  readonly host: string;
  readonly httpPort: number;
}

/** The body, whatever the status is. Rejects where there is no answer or too long a one. */
export async function fetchText(
  { host, httpPort }: HttpPlace,
  path: string,
  timeoutMs = TIMEOUT_DEFAULT_MS,
): Promise<string> {
  const place = host.includes(':') ? `[${host}]` : host;
  const signal = AbortSignal.timeout(timeoutMs);
  const reply = await fetch(`http://${place}:${httpPort}${path}`, { signal });
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of reply.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > SIZE_MAX_BYTES) throw new Error(`${path} of ${place} is too large`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
