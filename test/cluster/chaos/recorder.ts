/**
 * The recording client: it writes without a pause, each key once, and remembers what was acknowledged.
 */

import { utf8ToByteString } from '../../../src/base/bytes.ts';
import type { ObjectKey } from '../../../src/base/names.ts';
import type { VertebraClient } from '../../../src/client/client.ts';

const LANES = 4;
/** Between two writes of a lane: the machine has the nodes to run too. */
const PAUSE_MS = 100;
/** A lane whose node has been paused or cut off stands still for so long. */
const WRITE_TIMEOUT_MS = 2_000;
/** The lane whose values are large. */
const LARGE = 'chaos-0-';
const LARGE_SIZE = 6_000;

export class Recorder {
  readonly acknowledged: string[] = [];
  /** When each failed write was begun, and what it came to. */
  readonly failures: { readonly atMs: number; readonly reason: string }[] = [];
  readonly #client: VertebraClient;
  readonly #ended: Promise<unknown>;
  #isStopped = false;

  constructor(client: VertebraClient) {
    this.#client = client;
    this.#ended = Promise.all(Array.from({ length: LANES }, (_, lane) => this.#write(lane)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  /** Milliseconds from `sinceMs` to the start of the first second in which no write failed. */
  errorFreeAfterMs(sinceMs: number): number {
    let from = sinceMs;
    for (const { atMs } of this.failures) {
      if (atMs < sinceMs) continue;
      if (atMs - from >= 1_000) break;
      from = atMs;
    }
    return Math.round(from - sinceMs);
  }

  async #write(lane: number): Promise<void> {
    for (let serial = 0; !this.#isStopped; serial += 1) {
      const text = `chaos-${lane}-${serial}`;
      const atMs = performance.now();
      try {
        const content = { value: Buffer.from(valueNamed(text)) };
        await this.#client.put(keyNamed(text), content, { timeoutMs: WRITE_TIMEOUT_MS });
        this.acknowledged.push(text);
      } catch (error) {
        this.failures.push({
          atMs,
          reason: error instanceof Error ? error.message : String(error),
        });
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** The value of a key is its name; of one in four, so much more that it lies in the value log. */
export function valueNamed(text: string): string {
  return text.startsWith(LARGE) ? text.padEnd(LARGE_SIZE, '.') : text;
}

export function keyNamed(text: string): ObjectKey {
  return {
    type: utf8ToByteString('default'),
    bucket: utf8ToByteString('chaos'),
    key: utf8ToByteString(text),
  };
}
