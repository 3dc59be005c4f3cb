/**
 * The time that one query may take: what it computes and waits for its index, but not what the reader
 * of its results takes.
 */

import { Fault } from '../base/fault.ts';
import { sleep } from '../base/host.ts';
import type { Clock } from '../base/host.ts';

/** Computing for longer than this in one go would be felt by other requests to the node. */
const TURN_MS = 8;

export class QueryTime {
  readonly #clock: Clock;
  #deadlineMs: number;
  #turnStartMs: number;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#turnStartMs = clock.monotonicMs();
    this.#deadlineMs = this.#turnStartMs + timeoutMs;
  }

  /** Lets others work if it is their turn. Rejects with the fault `timeout` when the time is up. */
  async pass(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#deadlineMs) throw new Fault('timeout', 'the query took too long');
    if (nowMs - this.#turnStartMs < TURN_MS) return;
    await sleep(this.#clock, 0);
    this.#turnStartMs = this.#clock.monotonicMs();
  }

  /** What passes until the returned function is called is not the query's time. */
  pause(): () => void {
    const pausedMs = this.#clock.monotonicMs();
    return () => {
      this.#turnStartMs = this.#clock.monotonicMs();
      this.#deadlineMs += this.#turnStartMs - pausedMs;
    };
  }
}
