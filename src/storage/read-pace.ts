/**
 * When a read is done on the spot, and when on another thread.
 *
 * What LevelDB or the kernel has in memory is read in microseconds, and the trip to another thread
 * costs several times as much; but the disk itself would stop everything else for its whole time. So
 * reads are done on the spot as long as they are quick. After one that was slow they go to the
 * threads for a pause, and then one is tried again: the pause doubles for as long as that one is slow
 * too, so that a store much larger than memory costs the loop one slow read a second at most.
 */

/** A read that took longer may have waited for the disk. */
const QUICK_MAX_MS = 0.25;

const PAUSE_MIN_MS = 16;
const PAUSE_MAX_MS = 1_024;

export class ReadPace {
  #pauseMs = PAUSE_MIN_MS;
  #pausedUntilMs = -Infinity;
  /** The next read is the first after a pause. */
  #isTrying = false;

  /** Whether a read that starts now may be done on the spot; `took` must be told of each. */
  isQuick(nowMs: number): boolean {
    return nowMs >= this.#pausedUntilMs;
  }

  /** How long a read took that was done on the spot. */
  took(startedMs: number, endedMs: number): void {
    const isSlow = endedMs - startedMs > QUICK_MAX_MS;
    if (isSlow) {
      this.#pauseMs = this.#isTrying ? Math.min(this.#pauseMs * 2, PAUSE_MAX_MS) : PAUSE_MIN_MS;
      this.#pausedUntilMs = endedMs + this.#pauseMs;
    }
    this.#isTrying = isSlow;
  }
}
