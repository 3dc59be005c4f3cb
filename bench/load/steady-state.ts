/**
 * Whether the rate has come to rest: the windows before measuring, looked at one after the other.
 *
 * Compilers, caches and the first compactions make a rate that still moves; what is measured then is
 * of no state that lasts. Steady is a rate whose last windows all lie within a share of their mean.
 */

import type { SteadySpec } from '../workload/workload.ts';

/** How the wait for a steady rate ended. */
export interface SteadyState {
  readonly isReached: boolean;
  /** Greatest less least rate of the last windows, as a share of their mean. */
  readonly spread: number;
  /** What was asked for. */
  readonly within: number;
  readonly windows: number;
  readonly windowMs: number;
}

export class RateWindows {
  readonly #spec: SteadySpec;
  readonly #rates: number[] = [];

  constructor(spec: SteadySpec) {
    this.#spec = spec;
  }

  add(perSecond: number): void {
    this.#rates.push(perSecond);
    if (this.#rates.length > this.#spec.windows) this.#rates.shift();
  }

  get isSteady(): boolean {
    return this.#rates.length === this.#spec.windows && this.#spread() <= this.#spec.within;
  }

  outcome(): SteadyState {
    const { within, windows, windowMs } = this.#spec;
    return { isReached: this.isSteady, spread: this.#spread(), within, windows, windowMs };
  }

  /** One of nothing done is no state to measure. */
  #spread(): number {
    const mean = this.#rates.reduce((sum, rate) => sum + rate, 0) / this.#rates.length;
    return mean > 0 ? (Math.max(...this.#rates) - Math.min(...this.#rates)) / mean : 1;
  }
}
