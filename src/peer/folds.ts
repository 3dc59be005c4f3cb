/**
 * Folds: a look at the head of every copy in a range of one bucket's keys, at each node for the partitions
 * that it is asked for.
 *
 * What a node finds comes in pieces in the order of keys. A piece says up to which key it goes, so that
 * who has it knows what has been looked at, whether anything was found or not.
 */

import type { ByteString } from '../base/bytes.ts';
import type { SegmentFilter } from '../object/tictac-tree.ts';

/** Whole seconds since 1970, both ends inclusive. */
export interface ModifiedRange {
  readonly from: number;
  readonly to: number;
}

/** Which copies are looked at. */
export interface FoldRange {
  readonly type: ByteString;
  readonly bucket: ByteString;
  /** Both ends inclusive; undefined: all of them. */
  readonly keys: { readonly from: ByteString; readonly to: ByteString } | undefined;
  /** By the segments of the keys; undefined: all of them. */
  readonly segments: SegmentFilter | undefined;
  /** By when the newest sibling was written; undefined: whenever. */
  readonly modified: ModifiedRange | undefined;
}

/** Tombstones that are not reaped yet are copies too. */
export type FoldCopies = 'all' | 'tombstones' | 'live';

/** What is told of the copies. */
export type FoldQuestion =
  /** Those with more siblings than `above`, and how many. */
  | { readonly kind: 'siblings'; readonly above: number }
  /** Those of more bytes than `above`, and how many. */
  | { readonly kind: 'sizes'; readonly above: number }
  /** Keys alone. */
  | { readonly kind: 'keys'; readonly copies: FoldCopies }
  /** Contexts. */
  | { readonly kind: 'contexts'; readonly copies: FoldCopies }
  /** How many there are, and of which sizes. */
  | { readonly kind: 'statistics'; readonly copies: FoldCopies }
  /** What each adds to a hash tree; with another `seed` other hashes. */
  | { readonly kind: 'leaves'; readonly seed: number | undefined };

export interface FoldScan {
  readonly range: FoldRange;
  readonly question: FoldQuestion;
  /** Only keys strictly after this one. */
  readonly after: ByteString | undefined;
}

export type FoldPiece = {
  /** No key up to this one is still to come. */
  readonly upTo: ByteString;
} & FoldFindings;

export type FoldFindings =
  | { readonly kind: 'amounts'; readonly amounts: readonly KeyAmount[] }
  | { readonly kind: 'contexts'; readonly contexts: readonly KeyContext[] }
  | { readonly kind: 'statistics'; readonly statistics: ObjectStatistics }
  /** Eight bytes for each copy: the digest of its key, and what it adds to its segment. */
  | { readonly kind: 'leaves'; readonly leaves: Buffer };

export type KeyAmount = readonly [key: ByteString, amount: number];
/** A context as clients carry it. */
export type KeyContext = readonly [key: ByteString, context: Buffer];

/** So many copies of a class. */
export type ClassCount = readonly [of: number, count: number];

export interface ObjectStatistics {
  readonly count: number;
  readonly sizeBytes: number;
  /** By the power of ten of their size: 2 is from 100 to 999 bytes. Ascending. */
  readonly sizes: readonly ClassCount[];
  /** By how many siblings they have. Ascending. */
  readonly siblings: readonly ClassCount[];
}
