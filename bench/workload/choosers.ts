/**
 * Which of so many keys an operation takes: the distributions of YCSB and of basho_bench.
 *
 * Sources: Gray et al. 1994 (zipfian), Cooper et al. 2010 (YCSB: scrambled, latest), and the code of
 * basho_bench's drivers, which is what ran, and not its comments.
 */

import type { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import type { ChooserName } from './schema.ts';

/** 0 <= result < count, for count >= 1. */
export type Chooser = (random: SeededRandom, count: number) => number;

export interface ChooserOptions {
  readonly theta: number;
  readonly hot_share: number;
  readonly hot_use: number;
}

/** Of a handful of keys all that are popular may be among those that are not there yet. */
const ATTEMPTS_MAX = 64;
/** The shape for which a Pareto distribution gives 80 to 20. */
const PARETO_SHAPE = 1.5;

export function makeChooser(name: ChooserName, options: ChooserOptions): Chooser {
  switch (name) {
    case 'uniform':
      return (random, count) => random.integer(count);
    case 'zipfian':
      return scrambledZipfian(new Zipfian(options.theta));
    case 'latest': {
      const zipfian = new Zipfian(options.theta);
      return (random, count) => count - 1 - zipfian.next(random, count);
    }
    case 'hot_spot':
      return (random, count) => hotSpot(random, count, options);
    case 'eighty_twenty':
      return (random, count) => eightyTwenty(random, count) - 1;
    case 'pareto':
    case 'truncated_pareto':
      return (random, count) => Math.min(count - 1, pareto(random, Math.trunc(count * 0.2)));
    case 'sequential': {
      let next = 0;
      return (_random, count) => next++ % count;
    }
  }
}

/**
 * Popular keys are spread over the whole set, so that they are not neighbours. Where the set grows they are
 * spread over room for as many again, and those that are not there yet are drawn again (so does YCSB):
 * with each new key the popular ones would be others.
 */
function scrambledZipfian(zipfian: Zipfian): Chooser {
  let room = 0;
  return (random, count) => {
    if (room === 0 || count < room / 4) room = count;
    while (room < count) room *= 2;
    let key = 0;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      key = scramble(zipfian.next(random, room)) % room;
      if (key < count) return key;
    }
    return key % count;
  };
}

/**
 * The hot set of basho_bench's NHS driver, from 1 to `count`: a bound is drawn within the first fifth,
 * and then nearly always a key below it. So the first fifth gets nine tenths of the accesses, and not
 * eight, and the first hundredth a fifth of them.
 */
export function eightyTwenty(random: SeededRandom, count: number): number {
  const bound = 1 + random.integer(Math.max(1, Math.floor(count / 5)));
  const isBeyond = 1 + random.integer(Math.max(1, count)) < bound;
  if (!isBeyond) return 1 + random.integer(bound);
  return bound + 1 + random.integer(count - bound);
}

function hotSpot(random: SeededRandom, count: number, options: ChooserOptions): number {
  const hot = Math.min(count, Math.max(1, Math.round(count * options.hot_share)));
  if (random.next() < options.hot_use || hot === count) return random.integer(hot);
  return hot + random.integer(count - hot);
}

function pareto(random: SeededRandom, mean: number): number {
  const scale = mean * (PARETO_SHAPE - 1);
  return Math.trunc((Math.pow(1 - random.next(), -1 / PARETO_SHAPE) - 1) * scale);
}

/** Ranks from 0, the most popular first; the set may grow. */
class Zipfian {
  readonly #theta: number;
  readonly #alpha: number;
  readonly #zeta2: number;
  #count = 0;
  #zeta = 0;

  constructor(theta: number) {
    this.#theta = theta;
    this.#alpha = 1 / (1 - theta);
    this.#zeta2 = 1 + Math.pow(0.5, theta);
  }

  next(random: SeededRandom, count: number): number {
    this.#extend(count);
    const uniform = random.next();
    const scaled = uniform * this.#zeta;
    if (scaled < 1) return 0;
    if (scaled < this.#zeta2) return Math.min(1, count - 1);
    const eta = (1 - Math.pow(2 / count, 1 - this.#theta)) / (1 - this.#zeta2 / this.#zeta);
    const rank = Math.floor(count * Math.pow(eta * uniform - eta + 1, this.#alpha));
    return Math.min(rank, count - 1);
  }

  /** The normalizing sum, added to as the set grows. */
  #extend(count: number): void {
    if (count < this.#count) {
      this.#count = 0;
      this.#zeta = 0;
    }
    for (; this.#count < count; this.#count += 1) {
      this.#zeta += 1 / Math.pow(this.#count + 1, this.#theta);
    }
  }
}

/** FNV-1a over the number's four bytes. */
function scramble(rank: number): number {
  let hash = 0x811c9dc5;
  for (let shift = 0; shift < 32; shift += 8) {
    hash = Math.imul(hash ^ ((rank >>> shift) & 0xff), 0x01000193);
  }
  return hash >>> 0;
}
