/**
 * A rate limit: so many bytes a second over all who share it.
 */

import type { Clock } from '../base/host.ts';
import type { Halt } from './halt.ts';

/** What may be taken at once after a rest, in milliseconds at the full rate. */
const SLACK_MS = 100;

export class ByteRateLimit {
  /** As it was made with. */
  readonly configured: number;
  /** May be changed at any time; who waits already goes on at the rate before. */
  bytesPerSecond: number;
  readonly #clock: Clock;
  /** When all that was taken so far is paid for. */
  #paidMs = -Infinity;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.configured = bytesPerSecond;
    this.bytesPerSecond = bytesPerSecond;
  }

  /** Waits until `sizeBytes` more are within the rate; false: halted. */
  take(sizeBytes: number, halt: Halt): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    const fromMs = Math.max(this.#paidMs, nowMs - SLACK_MS);
    this.#paidMs = fromMs + (sizeBytes * 1000) / this.bytesPerSecond;
    return halt.wait(this.#clock, fromMs - nowMs);
  }
}
