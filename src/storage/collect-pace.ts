/**
 * How fast garbage is collected: with what is written, and a little when nothing is.
 *
 * In steady overwriting a segment that is half live must be read twice as fast as bodies come in, or
 * the log grows without end; so each byte that is written allows two. On top comes a small rate of its
 * own, so that an idle store ends its collection. What is saved up is bounded, so a burst is short.
 *
 * A slice waits for two or three commits, however large it is. Where commits are slow, more is saved up
 * meanwhile than a small slice spends, and the log would grow all the same: so a slice takes what is saved
 * up, within bounds, and at most twice what the one before it took.
 */

export interface CollectPaceOptions {
  /** What may be collected when nothing is written. */
  readonly idleBytesPerSecond: number;
  /** What may be saved up. */
  readonly burstMaxBytes: number;
  readonly sliceMinBytes: number;
  readonly sliceMaxBytes: number;
}

const COLLECTED_PER_WRITTEN = 2;
const SLICE_GROWTH = 2;
const SECOND_MS = 1_000;

export class CollectPace {
  readonly #options: CollectPaceOptions;
  #savedBytes = 0;
  #countedMs: number;
  #sliceBytes: number;

  constructor(options: CollectPaceOptions, nowMs: number) {
    this.#options = options;
    this.#sliceBytes = options.sliceMinBytes;
    this.#countedMs = nowMs;
  }

  written(sizeBytes: number): void {
    this.#save(sizeBytes * COLLECTED_PER_WRITTEN);
  }

  collected(sizeBytes: number): void {
    this.#savedBytes -= sizeBytes;
  }

  /** How much to collect in the next step. */
  nextSliceBytes(): number {
    const { sliceMinBytes, sliceMaxBytes } = this.#options;
    const most = Math.min(sliceMaxBytes, this.#sliceBytes * SLICE_GROWTH);
    this.#sliceBytes = Math.max(sliceMinBytes, Math.min(Math.floor(this.#savedBytes), most));
    return this.#sliceBytes;
  }

  /** How long to wait before the next step; 0: it may be taken now. */
  waitMs(nowMs: number): number {
    const { idleBytesPerSecond } = this.#options;
    this.#save(((nowMs - this.#countedMs) / SECOND_MS) * idleBytesPerSecond);
    this.#countedMs = nowMs;
    if (this.#savedBytes >= 0) return 0;
    return Math.ceil((-this.#savedBytes / idleBytesPerSecond) * SECOND_MS);
  }

  #save(sizeBytes: number): void {
    this.#savedBytes = Math.min(this.#savedBytes + sizeBytes, this.#options.burstMaxBytes);
  }
}
