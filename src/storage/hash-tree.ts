/**
 * Hash trees: what a partition holds, in 8 KiB that two replicas can compare.
 *
 * A tree has 1,024 segments; a key falls into one of them by its hash. A segment is the XOR of the
 * 8-byte hashes of (key, causal hash) of its objects, so a change of one object is two XORs, and the
 * new value goes into the same batch as the object: the tree is exact at every moment and never
 * rebuilt. One tree for each (partition, n_val), because objects of another n_val live on other
 * replicas. After Merkle 1987, with one level: two roots, then 8 KiB, tell which segments differ.
 *
 * The value in memory is the truth and may be ahead of the store. Each change must therefore be
 * written: ask `Store.refusal`, update, write, without waiting in between. A write that fails after
 * that has fenced the store, and the trees in memory are void with it.
 *
 * A row that cannot be read counts as nothing: its segment is wrong then, as after any other loss, until an
 * exchange has it counted again. Writes need the tree, and must not wait for that.
 *
 * Beside the tree each copy is filed under its segment with its causal hash (a member, `keys.ts`), so
 * that who finds a segment that differs reads what is in it, and not the partition.
 */

import { hash } from 'node:crypto';
import { assert } from '../base/fault.ts';
import type { ObjectKey, Partition } from '../base/names.ts';
import { decodeTreeKey, encodeTreeKey, treeRange } from './keys.ts';
import { readable } from './readable.ts';
import type { Store, WriteOperation } from './store.ts';

/**
 * 1,024: with 80 million objects on 64 partitions a segment covers some 1,200 of them, few enough to
 * compare one by one, while all trees of a node stay below a few megabytes of memory.
 */
export const SEGMENT_COUNT = 1024;
export const SEGMENT_SIZE = 8;

export const ALL_SEGMENTS: readonly number[] = Array.from(
  { length: SEGMENT_COUNT },
  (_, segment) => segment,
);

const SEGMENT_SHIFT = 22;

/** A copy's causal hashes before and after a change; undefined: there is (was) no copy. */
export interface CopyChange {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** What a change of one object does to its tree. */
export interface TreeChange {
  readonly segment: number;
  /** Belongs in the object's own write. */
  readonly row: WriteOperation;
}

export class HashTree {
  readonly partition: Partition;
  readonly nVal: number;
  readonly #segments: Buffer;

  /** `segments`: all of them, 8 bytes each; taken over. */
  constructor(partition: Partition, nVal: number, segments: Buffer) {
    assert(segments.length === SEGMENT_COUNT * SEGMENT_SIZE, 'a tree has all its segments');
    this.partition = partition;
    this.nVal = nVal;
    this.#segments = segments;
  }

  /** Applies a change in memory; undefined: it is none. */
  update(key: ObjectKey, { before, after }: CopyChange): TreeChange | undefined {
    if (before === after || (before && after && before.equals(after))) return undefined;
    const keyHash = hashOfKey(key);
    const segment = keyHash.high >>> SEGMENT_SHIFT;
    const offset = segment * SEGMENT_SIZE;
    if (before !== undefined) this.#toggle(offset, mixed(keyHash, before));
    if (after !== undefined) this.#toggle(offset, mixed(keyHash, after));
    return { segment, row: this.#row(segment) };
  }

  /** Whether the key's segment stands for a copy of it with this causal hash, and for nothing else. */
  countsOnly(key: ObjectKey, causalHash: Buffer): boolean {
    const keyHash = hashOfKey(key);
    const offset = (keyHash.high >>> SEGMENT_SHIFT) * SEGMENT_SIZE;
    const { high, low } = mixed(keyHash, causalHash);
    const segments = this.#segments;
    return segments.readInt32BE(offset) === high && segments.readInt32BE(offset + 4) === low;
  }

  /** Toggles a segment by 8 bytes that a recount found it to be off; the result is to be written. */
  correct(segment: number, by: Buffer): WriteOperation {
    assert(by.length === SEGMENT_SIZE, 'a segment is corrected as a whole');
    this.#toggle(segment * SEGMENT_SIZE, { high: by.readInt32BE(0), low: by.readInt32BE(4) });
    return this.#row(segment);
  }

  /** All segments, as a copy. */
  segments(): Buffer {
    return Buffer.from(this.#segments);
  }

  #row(segment: number): WriteOperation {
    const offset = segment * SEGMENT_SIZE;
    const { partition, nVal } = this;
    const rowKey = encodeTreeKey({ partition, nVal, segment });
    const high = this.#segments.readInt32BE(offset);
    const low = this.#segments.readInt32BE(offset + 4);
    if (high === 0 && low === 0) return { kind: 'remove', key: rowKey };
    return { kind: 'put', key: rowKey, head: segmentBytes({ high, low }) };
  }

  #toggle(offset: number, { high, low }: Hash64): void {
    const segments = this.#segments;
    segments.writeInt32BE(segments.readInt32BE(offset) ^ high, offset);
    segments.writeInt32BE(segments.readInt32BE(offset + 4) ^ low, offset + 4);
  }
}

/**
 * The trees of this node, read from the store when they are first needed. They stay: 8 KiB for each
 * partition held and n_val in use.
 */
export class HashTrees {
  readonly #store: Store;
  readonly #trees = new Map<number, HashTree>();
  readonly #loads = new Map<number, Promise<HashTree>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The tree, if it has been loaded: for the hot path, which must not wait. */
  find(partition: Partition, nVal: number): HashTree | undefined {
    return this.#trees.get(treeName(partition, nVal));
  }

  /** The tree, from the store if need be; the same one for all callers. */
  async load(partition: Partition, nVal: number): Promise<HashTree> {
    const name = treeName(partition, nVal);
    const loaded = this.#trees.get(name);
    if (loaded !== undefined) return loaded;
    let load = this.#loads.get(name);
    if (load === undefined) {
      // Two loads of one tree would be two truths.
      load = this.#read(partition, nVal).finally(() => this.#loads.delete(name));
      this.#loads.set(name, load);
    }
    return load;
  }

  /** Trees in memory. */
  get count(): number {
    return this.#trees.size;
  }

  async #read(partition: Partition, nVal: number): Promise<HashTree> {
    const segments = Buffer.alloc(SEGMENT_COUNT * SEGMENT_SIZE);
    for await (const batch of readable(this.#store.scan(treeRange(partition, nVal)))) {
      for (const { key, value } of batch) {
        const { segment } = decodeTreeKey(key);
        const isSound = segment < SEGMENT_COUNT && value.length === SEGMENT_SIZE;
        if (isSound) value.copy(segments, segment * SEGMENT_SIZE);
      }
    }
    const tree = new HashTree(partition, nVal, segments);
    this.#trees.set(treeName(partition, nVal), tree);
    return tree;
  }
}

/** One number for a tree; both parts are below 2^16. */
function treeName(partition: Partition, nVal: number): number {
  return partition * 0x10000 + nVal;
}

/** Equal for equal trees: 16 bytes over all segments. */
export function treeRoot(segments: Buffer): Buffer {
  return hash('md5', segments, 'buffer');
}

/** The segments in which two trees differ, ascending; both as `HashTree.segments` gives them. */
export function differingSegments(left: Buffer, right: Buffer): number[] {
  assert(left.length === right.length, 'trees of one shape are compared');
  const differing: number[] = [];
  for (let offset = 0; offset < left.length; offset += SEGMENT_SIZE) {
    const isEqual =
      left.readInt32BE(offset) === right.readInt32BE(offset) &&
      left.readInt32BE(offset + 4) === right.readInt32BE(offset + 4);
    if (!isEqual) differing.push(offset / SEGMENT_SIZE);
  }
  return differing;
}

/** 0 <= segment < `SEGMENT_COUNT`; the same on every node. */
export function segmentOf(key: ObjectKey): number {
  return hashOfKey(key).high >>> SEGMENT_SHIFT;
}

/** What one object adds to its segment: 8 bytes, the same on every node. */
export function entryHash(key: ObjectKey, causalHash: Buffer): Buffer {
  return segmentBytes(mixed(hashOfKey(key), causalHash));
}

function segmentBytes({ high, low }: Hash64): Buffer {
  const bytes = Buffer.allocUnsafe(SEGMENT_SIZE);
  bytes.writeInt32BE(high, 0);
  bytes.writeInt32BE(low, 4);
  return bytes;
}

/** 64 bits as two signed halves. */
interface Hash64 {
  readonly high: number;
  readonly low: number;
}

/**
 * Multiply and rotate, in two lanes. It need not resist an attacker: the causal hash, which holds
 * random actors, does.
 */
function hashOfKey({ type, bucket, key }: ObjectKey): Hash64 {
  let high = 0x2545f491 ^ type.length;
  let low = 0x4f6cdd1d ^ bucket.length;
  for (const name of [type, bucket, key]) {
    for (let index = 0; index < name.length; index += 1) {
      const code = name.charCodeAt(index);
      high = rotated(Math.imul(high ^ code, 0x2c1b3c6d), 13);
      low = rotated(Math.imul(low ^ code, 0x297a2d39), 17);
    }
  }
  return { high: avalanched(high ^ low), low: avalanched(Math.imul(low, 0x5bd1e995) ^ high) };
}

function mixed(keyHash: Hash64, causalHash: Buffer): Hash64 {
  const high = avalanched(keyHash.high ^ causalHash.readInt32BE(0));
  const low = avalanched((keyHash.low ^ causalHash.readInt32BE(4)) + high);
  return { high: high ^ Math.imul(low, 0x2c1b3c6d), low };
}

/** Every bit of the result depends on every bit of `value`; one to one. */
function avalanched(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return bits ^ (bits >>> 15);
}

function rotated(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}
