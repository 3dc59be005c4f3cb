/**
 * A histogram of the last minute.
 *
 * Values fall into buckets that grow with the value: each power of two is cut into 32 equal parts, so
 * that a percentile is off by at most 1.6 %, from 0 to 2^40, in one array access and without a single
 * allocation. The minute is a ring of slices; the owner calls `rotate` at each slice's end, and the
 * oldest slice is forgotten. Mean and maximum are exact. Idea: Tene's HdrHistogram.
 */

import { assert } from '../base/fault.ts';

const PARTS_LOG2 = 5;
const PARTS = 1 << PARTS_LOG2;
const VALUE_LOG2_MAX = 40;
const VALUE_MAX = 2 ** VALUE_LOG2_MAX - 1;

/** Values below 2 · PARTS have a bucket each; every power of two above has PARTS of them. */
const BUCKETS = (VALUE_LOG2_MAX - PARTS_LOG2 + 1) * PARTS;

/** What the window holds; 0 everywhere when it is empty. Values are in the unit observed. */
export interface HistogramSummary {
  /** Values in the window. */
  readonly count: number;
  readonly mean: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  /** The greatest value, exactly. */
  readonly max: number;
  /** Values, and their sum, since the start. */
  readonly totalCount: number;
  readonly totalSum: number;
}

export class WindowedHistogram {
  readonly #slices: number;
  readonly #counts: Uint32Array;
  readonly #sums: Float64Array;
  readonly #maxima: Float64Array;
  readonly #sliceCounts: Float64Array;
  #slice = 0;
  #totalCount = 0;
  #totalSum = 0;

  /** `slices`: how many the window has, the one being filled included. */
  constructor(slices: number) {
    assert(slices >= 1, 'a window has at least one slice');
    this.#slices = slices;
    this.#counts = new Uint32Array(slices * BUCKETS);
    this.#sums = new Float64Array(slices);
    this.#maxima = new Float64Array(slices);
    this.#sliceCounts = new Float64Array(slices);
  }

  /** Negative values and NaN count as 0, values past 2^40 as 2^40 - 1; fractions are kept in the mean. */
  observe(value: number): void {
    const bounded = value > 0 ? (value < VALUE_MAX ? value : VALUE_MAX) : 0;
    const slice = this.#slice;
    const index = slice * BUCKETS + bucketOf(bounded);
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sums[slice] = (this.#sums[slice] as number) + bounded;
    this.#sliceCounts[slice] = (this.#sliceCounts[slice] as number) + 1;
    if (bounded > (this.#maxima[slice] as number)) this.#maxima[slice] = bounded;
  }

  /** Starts the next slice and forgets the oldest. */
  rotate(): void {
    this.#totalCount += this.#sliceCounts[this.#slice] as number;
    this.#totalSum += this.#sums[this.#slice] as number;
    this.#slice = (this.#slice + 1) % this.#slices;
    // An unused slice is clean already: idle histograms cost nothing.
    if (this.#sliceCounts[this.#slice] === 0) return;
    this.#counts.fill(0, this.#slice * BUCKETS, (this.#slice + 1) * BUCKETS);
    this.#sums[this.#slice] = 0;
    this.#maxima[this.#slice] = 0;
    this.#sliceCounts[this.#slice] = 0;
  }

  summary(): HistogramSummary {
    const count = sum(this.#sliceCounts);
    const max = this.#maxima.reduce((left, right) => Math.max(left, right), 0);
    const [median, p95, p99] = this.#percentiles(count, [0.5, 0.95, 0.99]);
    return {
      count,
      mean: count === 0 ? 0 : sum(this.#sums) / count,
      // A bucket's middle may lie above the greatest value that was ever seen.
      median: Math.min(median ?? 0, max),
      p95: Math.min(p95 ?? 0, max),
      p99: Math.min(p99 ?? 0, max),
      max,
      totalCount: this.#totalCount + (this.#sliceCounts[this.#slice] as number),
      totalSum: this.#totalSum + (this.#sums[this.#slice] as number),
    };
  }

  /** `fractions` in rising order; the value at or below which that fraction of all values lies. */
  #percentiles(count: number, fractions: readonly number[]): number[] {
    const values: number[] = [];
    let seen = 0;
    let bucket = -1;
    for (const fraction of fractions) {
      const rank = Math.max(1, Math.ceil(fraction * count));
      while (seen < rank && bucket < BUCKETS - 1) {
        bucket += 1;
        seen += this.#bucketCount(bucket);
      }
      values.push(count === 0 ? 0 : bucketMiddle(bucket));
    }
    return values;
  }

  #bucketCount(bucket: number): number {
    let count = 0;
    for (let slice = 0; slice < this.#slices; slice += 1) {
      count += this.#counts[slice * BUCKETS + bucket] as number;
    }
    return count;
  }
}

function bucketOf(value: number): number {
  if (value < 2 * PARTS) return Math.floor(value);
  // Math.clz32 knows 32 bits only; above that the value is scaled down first.
  const isWide = value >= 2 ** 32;
  const bits = isWide ? 64 - Math.clz32(value / 2 ** 32) : 32 - Math.clz32(value);
  const shift = bits - 1 - PARTS_LOG2;
  const part = isWide ? Math.floor(value / 2 ** shift) : value >>> shift;
  return shift * PARTS + part;
}

function bucketMiddle(bucket: number): number {
  if (bucket < 2 * PARTS) return bucket;
  const shift = Math.floor(bucket / PARTS) - 1;
  const part = bucket - shift * PARTS;
  return part * 2 ** shift + (2 ** shift - 1) / 2;
}

function sum(values: Float64Array): number {
  return values.reduce((left, right) => left + right, 0);
}
