/**
 * The slow log: the newest requests of clients that were slow, large, or met many siblings.
 *
 * Each edge says of every request how it ended; what is not notable costs it three comparisons. What is
 * notable overwrites the oldest entry of a ring, and is counted; a slow one is a line of the log
 * too, a few at a time. Values are never kept, and keys are shown as fingerprints only.
 *
 * Source: Redis' SLOWLOG, and Valkey 8.1's COMMANDLOG for large requests and replies.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Host } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import type { KeyFingerprint } from './key-fingerprint.ts';

/** From each threshold on a request is notable; 0: never. */
export interface SlowLogOptions {
  readonly slowMs: number;
  /** Of the request or of what was replied, whichever is larger. */
  readonly largeBytes: number;
  readonly siblings: number;
  /** How many are kept. */
  readonly entriesMax: number;
}

export const SLOW_LOG_DEFAULTS: SlowLogOptions = {
  slowMs: 500,
  largeBytes: 1024 * 1024,
  siblings: 10,
  entriesMax: 128,
};

/** What it was about, as far as it came to be read. */
export interface RequestTarget {
  readonly type?: ByteString | undefined;
  readonly bucket?: ByteString | undefined;
  readonly key?: ByteString | undefined;
}

/** A request of a client that has ended. */
export interface ServedRequest {
  readonly api: 'http' | 'pbc';
  /** A word of the edge's own: never anything that a client chose. */
  readonly operation: string;
  readonly target: RequestTarget;
  /** Without what the client took to send and to read; waiting for room counts. */
  readonly ms: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Of the object that was read or written; 0: not known. */
  readonly siblings: number;
  /** HTTP's status, or `ok`, `timeout`, `overload`, `error`; `cut`: no whole answer was taken. */
  readonly outcome: string;
  /** Where requests are traced. */
  readonly traceId?: string | undefined;
}

export type Notable = 'slow' | 'large' | 'siblings';

export interface SlowLogEntry extends Omit<ServedRequest, 'target'> {
  readonly wallMicros: number;
  readonly notable: readonly Notable[];
  readonly type: ByteString | undefined;
  readonly bucket: ByteString | undefined;
  readonly keyFingerprint: string | undefined;
}

interface Noted {
  readonly wallMicros: number;
  readonly notable: readonly Notable[];
  readonly served: ServedRequest;
}

/** Longer names are not kept, so that entries are small whatever clients send. */
const NAMES_MAX_LENGTH = 1_024;
/** Lines of the log in an interval; what is beyond them is counted. */
const LINES_MAX = 10;
const LINES_INTERVAL_MS = 10_000;

export class SlowLog {
  readonly options: SlowLogOptions;
  readonly #host: Host;
  readonly #fingerprint: KeyFingerprint;
  readonly #slowMs: number;
  readonly #largeBytes: number;
  readonly #siblings: number;
  readonly #ring: Noted[] = [];
  /** Noted since the start; the next goes to its place in the ring. */
  #noted = 0;
  #lines = 0;
  #linesSinceMs = -Infinity;

  constructor(host: Host, fingerprint: KeyFingerprint, options: SlowLogOptions) {
    this.#host = host;
    this.#fingerprint = fingerprint;
    this.options = options;
    this.#slowMs = options.slowMs || Infinity;
    this.#largeBytes = options.largeBytes || Infinity;
    this.#siblings = options.siblings || Infinity;
  }

  /** Whether `note` should be told of such a request. */
  isNotable(ms: number, sizeBytes: number, siblings: number): boolean {
    return ms >= this.#slowMs || sizeBytes >= this.#largeBytes || siblings >= this.#siblings;
  }

  /** Keeps it, if it is notable. */
  note(served: ServedRequest): void {
    const notable = this.#judge(served);
    if (notable.length === 0) return;
    const { clock } = this.#host;
    const entry = { wallMicros: clock.wallMicros(), notable, served: withShortNames(served) };
    this.#ring[this.#noted % this.options.entriesMax] = entry;
    this.#noted += 1;
    if (notable.includes('slow')) this.#write(entry);
  }

  /** Noted since the start, those that have been overwritten too. */
  get notedCount(): number {
    return this.#noted;
  }

  /** At most `limit`, the newest first. */
  entries(limit: number): readonly SlowLogEntry[] {
    const { length } = this.#ring;
    return Array.from({ length: Math.min(limit, length) }, (_, age) => {
      const noted = this.#ring[(this.#noted - 1 - age) % length] as Noted;
      return this.#show(noted);
    });
  }

  #judge({ ms, requestBytes, replyBytes, siblings }: ServedRequest): readonly Notable[] {
    const { metrics } = this.#host;
    const notable: Notable[] = [];
    if (ms >= this.#slowMs) {
      notable.push('slow');
      metrics.count('requests_slow_total');
    }
    if (Math.max(requestBytes, replyBytes) >= this.#largeBytes) {
      notable.push('large');
      metrics.count('requests_large_total');
    }
    if (siblings >= this.#siblings) {
      notable.push('siblings');
      metrics.count('requests_siblings_total');
    }
    return notable;
  }

  #show({ wallMicros, notable, served }: Noted): SlowLogEntry {
    const { target, ...rest } = served;
    const { type, bucket } = target;
    const keyFingerprint = isKey(target) ? this.#fingerprint.of(target) : undefined;
    return { wallMicros, notable, ...rest, type, bucket, keyFingerprint };
  }

  /** The bucket is left out: an application may name one after a patient. */
  #write(entry: Noted): void {
    const { clock, log, metrics } = this.#host;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#linesSinceMs >= LINES_INTERVAL_MS) {
      this.#linesSinceMs = nowMs;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines > LINES_MAX) {
      metrics.count('slow_log_lines_dropped_total');
      return;
    }
    const { wallMicros: _at, bucket: _bucket, ...fields } = this.#show(entry);
    log.warn('request.slow', fields);
  }
}

function isKey(target: RequestTarget): target is ObjectKey {
  const { type, bucket, key } = target;
  return type !== undefined && bucket !== undefined && key !== undefined;
}

function withShortNames(served: ServedRequest): ServedRequest {
  const { type = '', bucket = '', key = '' } = served.target;
  if (type.length + bucket.length + key.length <= NAMES_MAX_LENGTH) return served;
  return { ...served, target: {} };
}
