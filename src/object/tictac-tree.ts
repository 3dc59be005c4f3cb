/**
 * TicTac trees: hash trees over the keys of a range, as Riak's folds make and clients compare them.
 *
 * A tree has branches of 256 segments. A key's segment comes from the MD5 of its names alone, so that it
 * is the same in every cluster; a segment is the XOR of what its keys add to it, and the root has for
 * each branch the XOR of its segments. Two trees of any part of the keys merge by XOR.
 *
 * Source: the layout of trees in Martin Sumner's leveled, which Riak 3 uses; Merkle 1987.
 */

import { hash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Sliced } from '../base/sliced.ts';

export const TREE_SIZES = ['xxsmall', 'xsmall', 'small', 'medium', 'large', 'xlarge'] as const;

export type TreeSize = (typeof TREE_SIZES)[number];

const BRANCHES: Readonly<Record<TreeSize, number>> = {
  xxsmall: 16,
  xsmall: 64,
  small: 256,
  medium: 1_024,
  large: 4_096,
  xlarge: 16_384,
};

const SEGMENTS_PER_BRANCH = 256;
const HASH_SIZE_BYTES = 4;
const BRANCH_SIZE_BYTES = SEGMENTS_PER_BRANCH * HASH_SIZE_BYTES;
/** A few milliseconds of deflating. */
const PACKED_AT_ONCE = 64;

export function isTreeSize(name: unknown): name is TreeSize {
  return TREE_SIZES.some((size) => size === name);
}

export function branchCount(size: TreeSize): number {
  return BRANCHES[size];
}

export function segmentCount(size: TreeSize): number {
  return BRANCHES[size] * SEGMENTS_PER_BRANCH;
}

/** What a key is in every tree. */
export interface KeyDigest {
  /** Its lower bits are the key's segment, as many as the tree has. */
  readonly segment: number;
  /** What the hash of the object is mixed with, so that equal objects under other keys differ. */
  readonly salt: number;
}

/** The name of the default type is left out, as in Riak. */
export function digestOfKey({ type, bucket, key }: ObjectKey): KeyDigest {
  const names = type === DEFAULT_BUCKET_TYPE ? bucket + key : type + bucket + key;
  const md5 = Buffer.from(hash('md5', Buffer.from(names, 'latin1'), 'binary'), 'latin1');
  const segment = ((md5.readUInt16BE(4) << 16) | md5.readUInt16BE(0)) >>> 0;
  return { segment, salt: md5.readUInt32BE(6) };
}

/** The segment of a key in a tree of this size. */
export function segmentIn(size: TreeSize, { segment }: KeyDigest): number {
  return (segment & (segmentCount(size) - 1)) >>> 0;
}

/** What the object adds to its segment; `objectHash` is of 32 bits. */
export function leafHash({ salt }: KeyDigest, objectHash: number): number {
  return (salt ^ objectHash) >>> 0;
}

/** Some segments of trees of one size. */
export interface SegmentFilter {
  readonly size: TreeSize;
  readonly segments: ReadonlySet<number>;
}

export function isInFilter({ size, segments }: SegmentFilter, digest: KeyDigest): boolean {
  return segments.has(segmentIn(size, digest));
}

export class TictacTree {
  readonly size: TreeSize;
  readonly #root: Buffer;
  /** By number; undefined: nothing but zeros. */
  readonly #branches: (Buffer | undefined)[];

  constructor(size: TreeSize) {
    this.size = size;
    this.#root = Buffer.alloc(BRANCHES[size] * HASH_SIZE_BYTES);
    this.#branches = Array.from<Buffer | undefined>({ length: BRANCHES[size] });
  }

  /** `leaf` is what an object adds to its segment, `segment` its key's digest. */
  add(segment: number, leaf: number): void {
    const branchNumber = (segment >>> 8) & (this.#branches.length - 1);
    const branch = (this.#branches[branchNumber] ??= Buffer.alloc(BRANCH_SIZE_BYTES));
    xorAt(branch, (segment & (SEGMENTS_PER_BRANCH - 1)) * HASH_SIZE_BYTES, leaf);
    xorAt(this.#root, branchNumber * HASH_SIZE_BYTES, leaf);
  }

  /** Four bytes for each branch. */
  root(): Buffer {
    return this.#root;
  }

  /** Four bytes for each of its 256 segments; zeros for a branch that there is not. */
  branch(branchNumber: number): Buffer {
    return this.#branches[branchNumber] ?? Buffer.alloc(BRANCH_SIZE_BYTES);
  }

  /** Every branch's number, in order. */
  branchNumbers(): number[] {
    return Array.from(this.#branches, (_branch, index) => index);
  }

  /** Branches as clients take them: deflated; one without a key is a single zero. */
  *pack(branchNumbers: readonly number[]): Sliced<Buffer[]> {
    const empty = deflateSync(Buffer.alloc(1));
    const packed: Buffer[] = [];
    for (const branchNumber of branchNumbers) {
      const branch = this.#branches[branchNumber];
      packed.push(branch === undefined ? empty : deflateSync(branch));
      if (packed.length % PACKED_AT_ONCE === 0) yield;
    }
    return packed;
  }
}

function xorAt(bytes: Buffer, offset: number, value: number): void {
  bytes.writeUInt32BE((bytes.readUInt32BE(offset) ^ value) >>> 0, offset);
}
