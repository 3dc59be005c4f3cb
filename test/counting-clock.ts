/**
 * A clock by which every look takes long, and that counts how often others get their turn: so what is
 * counted is where work may be interrupted, whatever machine runs it.
 */

import type { Clock } from '../src/base/host.ts';

export class CountingClock implements Clock {
  turnCount = 0;
  #nowMs = 0;
  /** Deadlines are never reached; they do not count. */
  readonly #waits = new Set<() => void>();

  wallMicros(): number {
    return 0;
  }

  monotonicMs(): number {
    this.#nowMs += 10;
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    if (delayMs > 0) {
      this.#waits.add(run);
      return () => void this.#waits.delete(run);
    }
    this.turnCount += 1;
    setImmediate(run);
    return () => {};
  }
}
