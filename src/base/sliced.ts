/**
 * Long work in slices.
 *
 * A computation over a large value is a generator that yields wherever it may be interrupted, a few
 * milliseconds apart at most. It is written once and driven either way: to its end at once, or slice
 * by slice with a turn of the event loop between them, so that other requests are served meanwhile.
 * What it reads must not change until it has ended.
 */

import { sleep, type Clock } from './host.ts';

export type Sliced<T> = Generator<void, T, void>;

/** What a slice may walk over: one to four milliseconds of work. */
const SLICE_SIZE_BYTES = 256 * 1024;

/** Tells a loop when to yield. Loops within loops have a budget each, which at worst adds up. */
export class SliceBudget {
  #leftBytes = SLICE_SIZE_BYTES;

  /** True: the slice is used up, and the next one begins. */
  spend(sizeBytes: number): boolean {
    this.#leftBytes -= sizeBytes;
    if (this.#leftBytes > 0) return false;
    this.#leftBytes = SLICE_SIZE_BYTES;
    return true;
  }
}

export function runAtOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** The value itself where one slice was enough, so that small work costs no promise. */
export function runInSlices<T>(work: Sliced<T>, clock: Clock): T | Promise<T> {
  const step = work.next();
  return step.done === true ? step.value : goOn(work, clock);
}

async function goOn<T>(work: Sliced<T>, clock: Clock): Promise<T> {
  for (;;) {
    await sleep(clock, 0);
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
