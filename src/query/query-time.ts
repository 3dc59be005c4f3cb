/**
 * The time that one query may take: what it computes and waits for its index, but not what the reader
 * of its results takes.
 */

import { Fault } from '../base/fault.ts';
import { Turns } from '../base/turns.ts';
import type { Clock } from '../base/host.ts';

export class QueryTime {
  readonly #clock: Clock;
  readonly #turns: Turns;
  #deadlineMs: number;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#turns = new Turns(clock);
    this.#deadlineMs = clock.monotonicMs() + timeoutMs;
  }

  /** True: it is time for `pass`, after so many units of work (`base/turns.ts`). */
  spend(units: number): boolean {
    return this.#turns.spend(units);
  }

  /** Lets others work if it is their turn. Rejects with the fault `timeout` when the time is up. */
  async pass(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#deadlineMs) throw new Fault('timeout', 'the query took too long');
    await this.#turns.pass();
  }

  /** What passes until the returned function is called is not the query's time. */
  pause(): () => void {
    const pausedMs = this.#clock.monotonicMs();
    return () => {
      this.#turns.begin();
      this.#deadlineMs += this.#clock.monotonicMs() - pausedMs;
    };
  }
}
