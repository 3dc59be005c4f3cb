/**
 * Computing that gives way to others.
 *
 * Work is counted in units, of some 20 ns at worst: a byte that is walked over is one or some, so is a step of a
 * regular expression.
 * After so many the clock is looked at, whatever they were spent on: one long text is not cheaper than
 * many short ones. Where nothing else is waited for, others get their turn after a few milliseconds.
 */

import { sleep, type Clock } from './host.ts';

/** About a millisecond. */
const UNITS_PER_LOOK = 64 * 1024;
/** Computing for longer than this in one go would be felt by other requests to the node. */
const TURN_MS = 8;

export class Turns {
  readonly #clock: Clock;
  #startMs: number;
  #leftUnits = UNITS_PER_LOOK;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  /** True: the clock is to be looked at, by `pass`. */
  spend(units: number): boolean {
    this.#leftUnits -= units;
    if (this.#leftUnits > 0) return false;
    this.#leftUnits = UNITS_PER_LOOK;
    return true;
  }

  /** Lets others work if it is their turn. */
  async pass(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#startMs < TURN_MS) return;
    await sleep(this.#clock, 0);
    this.begin();
  }

  /** Others have just worked. */
  begin(): void {
    this.#startMs = this.#clock.monotonicMs();
  }
}

/** What judging one entry may cost, in units; a quarter of a second at worst. Riak's engine has a limit like it. */
const ALLOWANCE_UNITS = 10_000_000;

/** Units that may be spent on one entry, which nothing can interrupt. */
export class Allowance {
  #spentUnits = 0;
  #isOverrun = false;

  get spentUnits(): number {
    return this.#spentUnits;
  }

  /**
   * Something was refused: nothing can be said of this entry, and so nothing follows from what was not found
   * in it.
   */
  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  /** For the next entry. */
  renew(): void {
    this.#spentUnits = 0;
    this.#isOverrun = false;
  }

  /** False: it would be too much, and nothing is spent. */
  take(units: number): boolean {
    if (this.#spentUnits + units > ALLOWANCE_UNITS) {
      this.#isOverrun = true;
      return false;
    }
    this.#spentUnits += units;
    return true;
  }

  /** A bound of another kind keeps the entry from being judged. */
  overrun(): void {
    this.#isOverrun = true;
  }
}
