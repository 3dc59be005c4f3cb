/**
 * Joined reads: the reads of one tick go to the disk together.
 *
 * A read costs a trip to another thread; a hundred of them need not cost a hundred trips. A few
 * joined reads are under way at a time, so that they leave threads for writes and scans, and what
 * comes meanwhile gathers for the next. What waits is bounded; past the bound a read is refused.
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';

export interface ReadSource {
  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]>;
  /** Asked for each key of a joined read that failed as a whole. */
  get(key: Buffer): Promise<Buffer | undefined>;
}

export interface JoinedReadsOptions {
  /** Keys in one joined read at most. */
  readonly keysMax: number;
  /** Joined reads under way at most. */
  readonly inFlightMax: number;
  /** Reads that may wait. */
  readonly pendingMax: number;
  /** Runs soon, when everything that came in with this tick has been handled. */
  readonly defer: (run: () => void) => void;
}

/** Fewer keys than this are not worth another thread. */
const KEYS_MIN = 16;

interface Waiter {
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

export class JoinedReads {
  readonly #host: Host;
  readonly #source: ReadSource;
  readonly #options: JoinedReadsOptions;
  #keys: Buffer[] = [];
  #waiters: Waiter[] = [];
  #inFlight = 0;
  #isDeferred = false;
  #isStopped = false;
  readonly #idleWaiters: (() => void)[] = [];

  constructor(host: Host, source: ReadSource, options: JoinedReadsOptions) {
    this.#host = host;
    this.#source = source;
    this.#options = options;
  }

  /** As `Store.get`. */
  get(key: Buffer): Promise<Buffer | undefined> {
    if (this.#isStopped) return Promise.reject(new Fault('store-closed', 'the store is closed'));
    if (this.#keys.length >= this.#options.pendingMax) {
      this.#host.metrics.count('store_reads_refused_total');
      return Promise.reject(new Fault('overload', 'too many reads wait for the disk'));
    }
    this.#deferRead();
    return new Promise((resolve, reject) => {
      this.#keys.push(key);
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Refuses what comes from now on; resolves when all that was taken has settled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#inFlight === 0 && this.#keys.length === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  #deferRead(): void {
    if (this.#isDeferred || this.#inFlight >= this.#options.inFlightMax) return;
    this.#isDeferred = true;
    this.#options.defer(() => {
      this.#isDeferred = false;
      this.#readMore();
    });
  }

  #readMore(): void {
    const { keysMax, inFlightMax } = this.#options;
    while (this.#keys.length > 0 && this.#inFlight < inFlightMax) {
      const share = Math.ceil(this.#keys.length / (inFlightMax - this.#inFlight));
      const count = Math.min(Math.max(share, KEYS_MIN), keysMax);
      this.#inFlight += 1;
      void this.#read(this.#keys.splice(0, count), this.#waiters.splice(0, count));
    }
    if (this.#inFlight > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  async #read(keys: Buffer[], waiters: Waiter[]): Promise<void> {
    const { metrics, clock } = this.#host;
    const startedMs = clock.monotonicMs();
    try {
      const values = await this.#source.getMany(keys);
      for (const [index, waiter] of waiters.entries()) waiter.resolve(values[index]);
    } catch {
      // One bad entry fails them all: ask for each, so that only the bad ones are refused.
      for (const [index, key] of keys.entries()) await this.#readOne(key, waiters[index]);
    }
    metrics.count('store_reads_total', keys.length);
    metrics.observe('store_read_keys', keys.length);
    metrics.observe('store_read_ms', clock.monotonicMs() - startedMs);
    this.#inFlight -= 1;
    this.#readMore();
  }

  async #readOne(key: Buffer, waiter: Waiter | undefined): Promise<void> {
    try {
      waiter?.resolve(await this.#source.get(key));
    } catch (error) {
      waiter?.reject(error);
    }
  }
}
