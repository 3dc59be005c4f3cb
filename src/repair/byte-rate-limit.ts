/**
 * A rate limit: so many bytes a second over all who share it.
 *
 * The rate may be changed at any time. What was taken and is not paid for yet is paid at the rate of now, by
 * those who wait already too: one large object at a low rate would hold everything up long after it was raised.
 */

import type { Clock } from '../base/host.ts';
import type { Halt } from './halt.ts';

/** What may be taken at once after a rest, in milliseconds at the full rate. */
const SLACK_MS = 100;
/** Who waits for longer looks so often whether the rate has changed. */
const LOOK_MS = 1_000;

export class ByteRateLimit {
  /** As it was made with. */
  readonly configured: number;
  readonly #clock: Clock;
  #bytesPerSecond: number;
  /** When all that was taken so far is paid for. */
  #paidMs = -Infinity;
  /** When each who waits may go on. */
  readonly #turns = new Set<{ dueMs: number }>();

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.configured = bytesPerSecond;
    this.#bytesPerSecond = bytesPerSecond;
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond;
  }

  set bytesPerSecond(bytesPerSecond: number) {
    const nowMs = this.#clock.monotonicMs();
    const factor = this.#bytesPerSecond / bytesPerSecond;
    const anew = (dueMs: number): number => nowMs + Math.max(0, dueMs - nowMs) * factor;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidMs = anew(this.#paidMs);
    for (const turn of this.#turns) turn.dueMs = anew(turn.dueMs);
  }

  /** Waits until `sizeBytes` more are within the rate; false: halted. */
  async take(sizeBytes: number, halt: Halt): Promise<boolean> {
    const fromMs = Math.max(this.#paidMs, this.#clock.monotonicMs() - SLACK_MS);
    this.#paidMs = fromMs + (sizeBytes * 1000) / this.#bytesPerSecond;
    const turn = { dueMs: fromMs };
    this.#turns.add(turn);
    try {
      while (!halt.isSet) {
        const leftMs = turn.dueMs - this.#clock.monotonicMs();
        if (leftMs <= 0) break;
        await halt.wait(this.#clock, Math.min(leftMs, LOOK_MS));
      }
    } finally {
      this.#turns.delete(turn);
    }
    return !halt.isSet;
  }
}
