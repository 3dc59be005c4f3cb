/**
 * How fast something grows: readings over a window, and the line that lies nearest to them (least
 * squares), so that the waves of compaction do not pass for growth.
 *
 * A bounded number of readings is kept. When there are too many, every second one goes and new ones are
 * taken half as often, until they span the window; from then on the oldest goes.
 */

export interface GrowthOptions {
  /** What is older does not count. */
  readonly windowMs: number;
  /** Readings at most. */
  readonly readingsMax: number;
  /** Readings that span less tell nothing. */
  readonly leastMs: number;
}

export const GROWTH_DEFAULTS: GrowthOptions = {
  windowMs: 7 * 86_400_000,
  readingsMax: 512,
  leastMs: 600_000,
};

interface Reading {
  readonly atMs: number;
  readonly value: number;
}

export class Growth {
  readonly #options: GrowthOptions;
  #readings: Reading[] = [];
  #gapMs = 0;

  constructor(options: GrowthOptions = GROWTH_DEFAULTS) {
    this.#options = options;
  }

  note(atMs: number, value: number): void {
    const { windowMs, readingsMax } = this.#options;
    const last = this.#readings.at(-1);
    if (last !== undefined && atMs - last.atMs < this.#gapMs) return;
    this.#readings.push({ atMs, value });
    while ((this.#readings[0] as Reading).atMs < atMs - windowMs) this.#readings.shift();
    if (this.#readings.length <= readingsMax) return;
    this.#readings = this.#readings.filter((_, index) => index % 2 === 0);
    // What is left spans the same time with half as many.
    this.#gapMs = Math.min(this.spanMs / (readingsMax >> 1), windowMs / (readingsMax >> 1));
  }

  /** Between the oldest reading and the newest. */
  get spanMs(): number {
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    return first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
  }

  /** Undefined: it is too early to tell. */
  perSecond(): number | undefined {
    if (this.spanMs < this.#options.leastMs || this.spanMs === 0) return undefined;
    const count = this.#readings.length;
    const meanMs = this.#readings.reduce((sum, { atMs }) => sum + atMs, 0) / count;
    const mean = this.#readings.reduce((sum, { value }) => sum + value, 0) / count;
    let [covariance, variance] = [0, 0];
    for (const { atMs, value } of this.#readings) {
      covariance += (atMs - meanMs) * (value - mean);
      variance += (atMs - meanMs) ** 2;
    }
    return (covariance / variance) * 1_000;
  }
}
