/**
 * The hot keys: those that the clients of this node read and write most, in the last minutes.
 *
 * One operation in sixteen, at gaps that vary so that no rhythm of a client is hidden by them, is counted in
 * a sketch of bounded size, one for reads and one for writes. Counts are halved every minute: what is as
 * old as that weighs half. The others cost a subtraction, and nothing here depends on how many keys
 * there are. Keys longer than a bound are not followed; their operations count for the shares of others.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Clock, Metrics } from '../base/host.ts';
import { keyFromString, keyToString, type ObjectKey } from '../base/names.ts';
import { SpaceSaving, type HeavyItem } from './space-saving.ts';

export const HALF_LIFE_MS = 60_000;
/** One operation in so many is counted, on average. */
const SAMPLE_INTERVAL = 16;
/** Of each sketch: a key with a larger share than 1 in 512 cannot be missing. */
const CAPACITY = 512;
const NAMES_MAX_LENGTH = 1_024;
/** Fewer occurrences than this tell nothing. */
const SAMPLES_MIN = 4;
/** By then nothing is left of what was counted. */
const HALVINGS_MAX = 64;

export type KeyUse = 'read' | 'write';

export interface HotKey {
  readonly key: ObjectKey;
  readonly perSecond: number;
  /** Of all reads, or writes, of this node's clients: 0 to 1. */
  readonly share: number;
  /** How far the share may be off: the bound of the sketch and two standard errors of the sample. */
  readonly margin: number;
}

export interface HotKeysOf {
  /** All of them, of whatever key. */
  readonly perSecond: number;
  /** The hottest first; those only whose share is surely above that of most keys. */
  readonly keys: readonly HotKey[];
}

export class HotKeys {
  readonly #host: { readonly clock: Clock; readonly metrics: Metrics };
  readonly #sketches: Readonly<Record<KeyUse, SpaceSaving>> = {
    read: new SpaceSaving(CAPACITY),
    write: new SpaceSaving(CAPACITY),
  };
  /** Operations up to the next that is counted. */
  #gap = 1;
  /** Of a generator of its own: the host's is not to be drawn from by every sixteenth operation. */
  #chance = 0x9e3779b9;
  #halvedMs: number;
  /** How long has been counted, what is old weighing less as in the sketches. */
  #weightMs = 0;

  constructor(host: { readonly clock: Clock; readonly metrics: Metrics }) {
    this.#host = host;
    this.#halvedMs = host.clock.monotonicMs();
  }

  /** A client of this node reads or writes `key`. */
  note(use: KeyUse, key: ObjectKey): void {
    this.#gap -= 1;
    if (this.#gap === 0) this.#count(use, key);
  }

  /** At most `limit` keys. */
  report(use: KeyUse, limit: number): HotKeysOf {
    const nowMs = this.#age();
    const seconds = Math.max(1, this.#weightMs + nowMs - this.#halvedMs) / 1_000;
    const sketch = this.#sketches[use];
    const { total } = sketch;
    const surelyMin = Math.max(SAMPLES_MIN, total / CAPACITY);
    const keys = sketch
      .items()
      .filter(({ item, count, error }) => item !== '' && count - error >= surelyMin)
      .slice(0, limit);
    return {
      perSecond: (total * SAMPLE_INTERVAL) / seconds,
      keys: keys.map((heavy) => ({
        key: keyFromString(heavy.item as ByteString),
        perSecond: (heavy.count * SAMPLE_INTERVAL) / seconds,
        share: heavy.count / total,
        margin: marginOf(heavy, total),
      })),
    };
  }

  #count(use: KeyUse, key: ObjectKey): void {
    this.#gap = this.#nextGap();
    this.#age();
    const { type, bucket } = key;
    const isLong = type.length + bucket.length + key.key.length > NAMES_MAX_LENGTH;
    if (isLong) this.#host.metrics.count('hot_keys_long_total');
    this.#sketches[use].add(isLong ? '' : keyToString(key));
  }

  /** 1 to 31, each as likely (Marsaglia 2003, xorshift). */
  #nextGap(): number {
    let chance = this.#chance;
    chance ^= chance << 13;
    chance ^= chance >>> 17;
    chance ^= chance << 5;
    this.#chance = chance;
    return 1 + ((chance >>> 0) % (2 * SAMPLE_INTERVAL - 1));
  }

  /** Halves as often as is due; gives what time it is. */
  #age(): number {
    const nowMs = this.#host.clock.monotonicMs();
    const due = Math.floor((nowMs - this.#halvedMs) / HALF_LIFE_MS);
    for (let halved = 0; halved < Math.min(due, HALVINGS_MAX); halved += 1) {
      this.#weightMs = (this.#weightMs + HALF_LIFE_MS) / 2;
      this.#sketches.read.halve();
      this.#sketches.write.halve();
    }
    this.#halvedMs += due * HALF_LIFE_MS;
    return nowMs;
  }
}

/** Of a share: two standard errors of a binomial, at least two samples, beside the sketch's own. */
function marginOf({ count, error }: HeavyItem, total: number): number {
  const variance = Math.max(1, count * (1 - count / total));
  return Math.min(1, (error + 2 * Math.sqrt(variance)) / total);
}
