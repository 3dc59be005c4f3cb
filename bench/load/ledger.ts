/**
 * The ledger: what one process of the load remembers of its writes, to look for them at the end.
 *
 * Each key has a number, and nearly always one write that counts: its stamp and its end, 24 bytes in
 * a table. Only keys with more than that have a list. When the table is full, half of the keys (by
 * hash, so that a key is followed from its first write or not at all) are let go, and the report says
 * so: a run of days stays as bounded as a run of seconds.
 */

import { withAcknowledged } from './key-history.ts';
import type { Write } from './key-history.ts';

/** Keys that are followed at a time. */
const KEYS_MAX_DEFAULT = 1_000_000;
/** Writes that count on one key; a key with more is let go. */
const WRITES_MAX = 256;
const CAPACITY_FIRST = 1 << 12;
const HASH_RANGE = 2 ** 32;

const EMPTY = -1;
/** In the column of stamps: the key has a list. */
const LISTED = Number.NaN;

export class Ledger {
  /** Acknowledged writes of all keys, followed or not. */
  acknowledgedCount = 0;
  /** Of these, of keys that are followed. */
  followedCount = 0;
  /** Writes that got no answer. */
  unansweredCount = 0;
  readonly #keysMax: number;
  readonly #lists = new Map<number, readonly Write[]>();
  readonly #keepsSiblings: (key: number) => boolean;
  #keys = new Float64Array(CAPACITY_FIRST).fill(EMPTY);
  #stamps = new Float64Array(CAPACITY_FIRST);
  #ends = new Float64Array(CAPACITY_FIRST);
  #size = 0;
  #hashLimit = HASH_RANGE;
  readonly #crowded = new Set<number>();

  constructor(keepsSiblings: (key: number) => boolean, keysMax = KEYS_MAX_DEFAULT) {
    this.#keepsSiblings = keepsSiblings;
    this.#keysMax = keysMax;
    if (keysMax === 0) this.#hashLimit = 0;
  }

  /** Share of the keys that are followed. */
  get followedShare(): number {
    return this.#hashLimit / HASH_RANGE;
  }

  acknowledge(key: number, write: Write): void {
    this.acknowledgedCount += 1;
    if (!this.#isFollowed(key)) return;
    this.followedCount += 1;
    this.#keep(key, withAcknowledged(this.remaining(key), write, this.#keepsSiblings(key)));
  }

  /** It may have been carried out. */
  leaveOpen(key: number, write: Write): void {
    this.unansweredCount += 1;
    if (this.#isFollowed(key)) this.#keep(key, [...this.remaining(key), write]);
  }

  /** The writes on a key that count. */
  remaining(key: number): readonly Write[] {
    const slot = this.#slotOf(key);
    if (this.#keys[slot] === EMPTY) return [];
    const stamp = this.#stamps[slot] as number;
    if (Number.isNaN(stamp)) return this.#lists.get(key) ?? [];
    return [singleWrite(stamp, this.#ends[slot] as number)];
  }

  /** Every key that is followed. */
  *keys(): Generator<number> {
    for (const key of this.#keys) if (key !== EMPTY) yield key;
  }

  #isFollowed(key: number): boolean {
    return hashOf(key) < this.#hashLimit && !this.#crowded.has(key);
  }

  #keep(key: number, writes: readonly Write[]): void {
    if (writes.length > WRITES_MAX) {
      this.#letGo(key, writes.filter(({ isAcknowledged }) => isAcknowledged).length);
      return;
    }
    let slot = this.#slotOf(key);
    if (this.#keys[slot] === EMPTY) {
      if (this.#size >= this.#keysMax) this.#halve();
      if (!this.#isFollowed(key)) return;
      if (2 * this.#size >= this.#keys.length) this.#rebuild(2 * this.#keys.length);
      slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#size += 1;
    }
    const [only] = writes;
    const isSingle = writes.length === 1 && only !== undefined && isPlain(only);
    if (isSingle) {
      this.#stamps[slot] = only.isDelete ? -only.stamp - 1 : only.stamp;
      this.#ends[slot] = only.endMs;
      this.#lists.delete(key);
    } else {
      this.#stamps[slot] = LISTED;
      this.#lists.set(key, writes);
    }
  }

  /** Nothing more is said about the key; its place stays taken, with nothing to look for. */
  #letGo(key: number, count: number): void {
    this.#crowded.add(key);
    this.#lists.set(key, []);
    this.followedCount = Math.max(0, this.followedCount - count);
  }

  #halve(): void {
    this.#hashLimit /= 2;
    this.#rebuild(this.#keys.length);
    this.followedCount = Math.floor(this.followedCount / 2);
  }

  /** A table of that capacity with the keys that are still followed. */
  #rebuild(capacity: number): void {
    const [keys, stamps, ends] = [this.#keys, this.#stamps, this.#ends];
    this.#keys = new Float64Array(capacity).fill(EMPTY);
    this.#stamps = new Float64Array(capacity);
    this.#ends = new Float64Array(capacity);
    this.#size = 0;
    for (let old = 0; old < keys.length; old += 1) {
      const key = keys[old] as number;
      if (key === EMPTY) continue;
      if (hashOf(key) >= this.#hashLimit) {
        this.#lists.delete(key);
        continue;
      }
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#stamps[slot] = stamps[old] as number;
      this.#ends[slot] = ends[old] as number;
      this.#size += 1;
    }
  }

  /** Where the key is, or the empty place where it would be. */
  #slotOf(key: number): number {
    const mask = this.#keys.length - 1;
    let slot = hashOf(key) & mask;
    while (this.#keys[slot] !== EMPTY && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }
}

/** Whether stamp and end say all there is to know. */
function isPlain(write: Write): boolean {
  return write.isAcknowledged;
}

function singleWrite(stamp: number, endMs: number): Write {
  const isDelete = stamp < 0;
  return {
    stamp: isDelete ? -stamp - 1 : stamp,
    startMs: endMs,
    endMs,
    isAcknowledged: true,
    isDelete,
    basis: undefined,
  };
}

/** Spreads numbers below 2^53 over 32 bits (the finalizer of murmur3). */
function hashOf(key: number): number {
  let mixed = (key >>> 0) ^ Math.imul(Math.floor(key / HASH_RANGE), 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
