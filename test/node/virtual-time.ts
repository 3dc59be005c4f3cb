/**
 * Virtual time for scenarios: nothing waits, and nothing depends on how fast the machine is.
 *
 * Timers run in order of time; after each, all promises that can go on do so. A scenario is driven by
 * `settle` (until a promise is settled) or `advance` (for so many milliseconds).
 */

import type { Clock } from '../../src/base/host.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
  isCancelled: boolean;
}

export class VirtualTime {
  /** By time; those of one moment in the order in which they were set. */
  readonly #timers: Timer[] = [];
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), run, isCancelled: false };
    let from = 0;
    let to = this.#timers.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#timers[middle] as Timer).atMs <= timer.atMs) from = middle + 1;
      else to = middle;
    }
    this.#timers.splice(from, 0, timer);
    return () => {
      timer.isCancelled = true;
    };
  }

  /** What `promise` comes to, moving time on as long as it takes, up to `limitMs`. */
  async settle<T>(promise: Promise<T>, limitMs = 200_000): Promise<T> {
    const state = { isSettled: false };
    const note = (): void => {
      state.isSettled = true;
    };
    promise.then(note, note);
    await this.until(() => state.isSettled, limitMs);
    return promise;
  }

  async advance(byMs: number): Promise<void> {
    const deadlineMs = this.#nowMs + byMs;
    await drain();
    while (this.#runNext(deadlineMs)) await drain();
    this.#nowMs = deadlineMs;
  }

  /** Until `isDone` holds. */
  async until(isDone: () => boolean, limitMs = 60_000): Promise<void> {
    const deadlineMs = this.#nowMs + limitMs;
    await drain();
    while (!isDone()) {
      if (!this.#runNext(deadlineMs)) throw new Error(`not so within ${limitMs} virtual ms`);
      await drain();
    }
  }

  /** False: there is nothing to run before the deadline. */
  #runNext(deadlineMs: number): boolean {
    while (this.#timers[0]?.isCancelled === true) this.#timers.shift();
    const [next] = this.#timers;
    if (next === undefined || next.atMs > deadlineMs) return false;
    this.#timers.shift();
    this.#nowMs = next.atMs;
    next.run();
    return true;
  }
}

/** One process's clock; when the process is gone its timers are too. */
export class ProcessClock implements Clock {
  readonly #time: VirtualTime;
  readonly #aheadMs: () => number;
  #isGone = false;

  /** `aheadMs`: of the wall clock, how far it is ahead of the others'. */
  constructor(time: VirtualTime, aheadMs = () => 0) {
    this.#time = time;
    this.#aheadMs = aheadMs;
  }

  wallMicros(): number {
    return 1_700_000_000_000_000 + Math.round((this.#time.nowMs + this.#aheadMs()) * 1_000);
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#time.after(delayMs, () => {
      if (!this.#isGone) run();
    });
  }

  stop(): void {
    this.#isGone = true;
  }
}

/** Lets every promise that can go on do so. */
function drain(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
