/**
 * When a read is done on the spot, and when on another thread.
 *
 * What LevelDB or the kernel has in memory is read in microseconds, and the trip to another thread
 * costs many times as much; but the disk itself would stop everything else for its whole time. So
 * reads are done on the spot as long as their mean is below what the trip costs. One slow read among
 * many quick ones proves nothing: on a busy machine the scheduler takes the processor away for
 * milliseconds (measured: judged by single reads, a node among four busy processes on two cores
 * spent 13 % of its main thread on handing reads over, and 8 % on those done on the spot, though
 * every block was in memory). Once the mean is above, reads go to the threads for a pause, and then
 * one is tried again: the pause doubles for as long as that one is slow too, so that a store much
 * larger than memory costs the loop one slow read a second at most.
 */

/** Milliseconds; about what handing a read to a thread costs both sides. */
const MEAN_MAX_MS = 0.1;

/** What one read counts for in the mean. */
const WEIGHT = 1 / 64;

/** A read after a pause that took longer may have waited for the disk. */
const QUICK_MAX_MS = 0.25;

const PAUSE_MIN_MS = 16;
const PAUSE_MAX_MS = 1_024;

export class InlineReads {
  #meanMs = 0;
  #pauseMs = PAUSE_MIN_MS;
  #pausedUntilMs = -Infinity;
  /** The next read is the first after a pause. */
  #isTrying = false;

  /** Whether a read that starts now may be done on the spot; `took` must be told of each. */
  areAllowed(nowMs: number): boolean {
    return nowMs >= this.#pausedUntilMs;
  }

  /** How long a read took that was done on the spot. */
  took(startedMs: number, endedMs: number): void {
    const tookMs = endedMs - startedMs;
    this.#meanMs += (tookMs - this.#meanMs) * WEIGHT;
    const isSlow = this.#isTrying ? tookMs > QUICK_MAX_MS : this.#meanMs > MEAN_MAX_MS;
    if (isSlow) {
      this.#pauseMs = this.#isTrying ? Math.min(this.#pauseMs * 2, PAUSE_MAX_MS) : PAUSE_MIN_MS;
      this.#pausedUntilMs = endedMs + this.#pauseMs;
      this.#meanMs = 0;
    }
    this.#isTrying = isSlow;
  }
}
