/**
 * An HTTP server on an ephemeral port over a node in memory, and a client for single requests.
 */

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { readFileSync } from 'node:fs';
import { HTTP_DEFAULTS } from '../../../src/api/http/http-options.ts';
import { HttpServer } from '../../../src/api/http/http-server.ts';
import { systemHost } from '../../../src/telemetry/system-host.ts';
import { MemoryNode } from '../memory-node.ts';
import type { IncomingHttpHeaders } from 'node:http';
import type { HttpOptions } from '../../../src/api/http/http-options.ts';
import type { Host, Log, Metrics } from '../../../src/base/host.ts';
import type { PartialProperties } from '../../../src/object/bucket-properties.ts';

export interface Served {
  readonly server: HttpServer;
  readonly node: MemoryNode;
  readonly host: Host;
  readonly port: number;
  readonly counts: ReadonlyMap<string, number>;
  /** What was told to `onBug`; a test that expects none ends by looking here. */
  readonly bugs: readonly unknown[];
}

type Types = Record<string, PartialProperties>;

const TYPES_FILE = new URL('../../../../test/transcripts/bucket-types.json', import.meta.url);

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** `atPort` 0 is any free one. */
export async function serve(options: Partial<HttpOptions> = {}, atPort = 0): Promise<Served> {
  const counts = new Map<string, number>();
  const metrics: Metrics = {
    count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    gauge() {},
    observe() {},
  };
  const host = systemHost(SILENT, metrics);
  const bucketTypes = JSON.parse(readFileSync(TYPES_FILE, 'utf8')) as Types;
  const node = new MemoryNode(host, { bucketTypes, reapAfterMs: 500 });
  const bugs: unknown[] = [];
  const server = new HttpServer(host, node, {
    ...HTTP_DEFAULTS,
    stats: () => ({ node_gets: 1, nodename: 'dev1@127.0.0.1' }),
    metrics: () => '# TYPE vertebra_node_gets counter\nvertebra_node_gets_total 1\n# EOF\n',
    onBug: (error) => bugs.push(error),
    ...options,
  });
  const port = await server.listen({ host: '127.0.0.1', port: atPort });
  return { server, node, host, port, counts, bugs };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names as sent, each followed by its value. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** One request on a connection of its own; `line` is method and path. */
export function ask(
  port: number,
  line: string,
  send: {
    readonly headers?: Readonly<Record<string, string | string[]>>;
    readonly body?: string | Buffer;
    /** Over TLS, with this authority. */
    readonly ca?: Buffer;
    readonly ciphers?: string;
  } = {},
): Promise<Reply> {
  const [method = 'GET', path = '/'] = line.split(' ');
  return new Promise((resolve, reject) => {
    const { ca, ciphers } = send;
    const tls = { ...(ca && { ca }), ...(ciphers !== undefined && { ciphers }) };
    const start = ca === undefined ? httpRequest : httpsRequest;
    const target = { port, host: '127.0.0.1', method, path, headers: send.headers ?? {} };
    const request = start({ ...target, agent: false, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers, rawHeaders } = response;
        resolve({ status: statusCode, headers, rawHeaders, body: Buffer.concat(chunks) });
      });
    });
    request.on('error', reject);
    // Text beside it would make node:http send the headers as UTF-8.
    request.end(Buffer.from(send.body ?? ''));
  });
}
