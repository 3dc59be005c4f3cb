/**
 * The replica: this node's copies of objects.
 *
 * Every change to a copy, from a client's write to a repair, is the same step: read, merge, write
 * durably, with the object's index entries, hints and hash-tree segments in the same batch. Changes
 * to one key happen in order; changes to different keys share batches. `StoreReplica` implements it.
 */

import type { ByteString } from '../base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { Span } from '../base/span.ts';
import type { VersionVector } from '../clock/version-vector.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { ApplicationRefusal } from '../datatype/apply.ts';
import type { DatatypeUpdate } from '../object/datatype-update.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { NewContent } from '../object/requests.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { FoldPiece, FoldScan } from '../peer/folds.ts';
import type {
  CopyTrace,
  CoverageShare,
  IndexScan,
  KeyHash,
  PartitionSize,
} from '../peer/messages.ts';
import type { CheckedCopies } from './copy-check.ts';
import type { DerivedPage } from './derived-entries.ts';

/** Where a key lives and how it is kept: found by the caller from ring and properties. */
export interface Placement {
  readonly partition: Partition;
  readonly properties: BucketProperties;
  /** What the change of the copy is traced by. */
  readonly span?: Span | undefined;
}

export interface CoordinatedWrite {
  /** What the client had seen; the empty vector for nothing. */
  readonly context: VersionVector;
  readonly content: NewContent;
}

export type CoordinatedOutcome =
  | {
      readonly kind: 'issued';
      /** The new local state, to be sent to the other replicas at once. */
      readonly object: StoredObject;
      readonly record: Buffer;
      /** Settles when the local copy is durable; rejects with the store's fault. */
      readonly durable: Promise<void>;
    }
  | { readonly kind: 'too-large'; readonly sizeBytes: number }
  | { readonly kind: 'too-many-siblings'; readonly count: number }
  /** Of an update only. */
  | ApplicationRefusal;

export interface Hint {
  readonly target: NodeId;
  readonly partition: Partition;
  readonly key: ObjectKey;
}

export interface Replica {
  /** Resolves when the changes of the key that have come are durable or have failed; undefined: none are under way. */
  settled(key: ObjectKey): Promise<void> | undefined;
  /** Undefined: no readable copy (a damaged one is counted and treated as absent). */
  get(key: ObjectKey, partition: Partition): Promise<StoredObject | undefined>;
  /** The record's bytes, or just its head; both decode with `object/record.ts`. */
  getRecord(
    key: ObjectKey,
    partition: Partition,
    headOnly: boolean,
    span?: Span,
  ): Promise<Buffer | undefined>;
  /** What an operator may know of the copy; reads and checks all of it. */
  trace(key: ObjectKey, partition: Partition): Promise<CopyTrace>;
  /** Reads and checks every copy of a partition; what is damaged is known as such from then on. */
  check(partition: Partition): AsyncIterableIterator<CheckedCopies>;
  /** Whether a read found the copy damaged and nothing has overwritten it since. */
  isDamaged(key: ObjectKey): boolean;
  /** There is reason to think that the store does not hold what it was told: its next use reads it. */
  doubt(key: ObjectKey): void;
  /** Reads the copy, applies the write, issues its dot, and starts to store the result. */
  coordinate(
    key: ObjectKey,
    placement: Placement,
    write: CoordinatedWrite,
  ): Promise<CoordinatedOutcome>;
  /** As `coordinate`, of a data type: what is written is what the update makes of the copy. */
  update(key: ObjectKey, placement: Placement, update: DatatypeUpdate): Promise<CoordinatedOutcome>;
  /**
   * Merges a peer's record into the copy; resolves when the merged state, and the hint if one is
   * named, is durable. Rejects with `malformed` for a record whose CRC or shape is wrong.
   */
  merge(
    key: ObjectKey,
    placement: Placement,
    record: Buffer,
    hintFor: NodeId | undefined,
  ): Promise<void>;
  /** Notes durably that `target` has not confirmed this node's current copy. */
  addHint(hint: Hint): Promise<void>;
  /** Hints for one target, oldest partition order first, in bounded batches. */
  hints(target: NodeId): AsyncIterableIterator<readonly Hint[]>;
  /** Targets that hints are kept for, and how many there are of each. */
  hintCounts(): ReadonlyMap<NodeId, number>;
  /**
   * Removes a hint whose object the target has confirmed, unless the copy has changed since
   * `record` was read (undefined: there was no copy to hand off); with `dropCopy` the copy goes in
   * the same batch (this node is no replica), unless it is owed to another node too.
   */
  settleHint(hint: Hint, record: Buffer | undefined, dropCopy: boolean): Promise<void>;
  /**
   * Removes the copy if it is exactly this tombstone; false if it is something else. For a while
   * after, what the tombstone had superseded is not taken back, however late it comes.
   */
  reap(key: ObjectKey, placement: Placement, tombstoneHash: Buffer): Promise<boolean>;
  /**
   * Removes the copy, and the hints kept of it, for a node that is no replica of the key: if its
   * causal hash is `confirmedHash`, or, if that is undefined, only a damaged one. False: there is
   * another copy now, or one that the disk refuses to read, and it stays.
   */
  drop(key: ObjectKey, placement: Placement, confirmedHash: Buffer | undefined): Promise<boolean>;
  /** Whether there is a copy of anything, whatever tree counts it. */
  holdsCopies(): Promise<boolean>;
  /** Whether there is any copy in this partition of an object of this n_val. */
  holdsAny(partition: Partition, nVal: number): Promise<boolean>;
  /**
   * Whole records of the objects of this n_val, in key order and strictly after `after`; each batch
   * is as the store was when it was read. Damaged copies are left out. Batches may be empty.
   */
  records(
    partition: Partition,
    nVal: number,
    after: ObjectKey | undefined,
  ): AsyncIterableIterator<readonly { readonly key: ObjectKey; readonly record: Buffer }[]>;

  /** Names in order, without duplicates, from the partitions asked for; bounded batches. */
  listBuckets(share: CoverageShare, type: ByteString): AsyncIterableIterator<ByteString[]>;
  listKeys(
    share: CoverageShare,
    type: ByteString,
    bucket: ByteString,
  ): AsyncIterableIterator<ByteString[]>;
  index(share: CoverageShare, scan: IndexScan): AsyncIterableIterator<IndexMatch[]>;

  /** What a fold finds in the partitions asked for, piece by piece in the order of keys. */
  fold(share: CoverageShare, scan: FoldScan): AsyncIterableIterator<FoldPiece>;

  /** Keys of a partition whose copies are tombstones, in bounded batches. */
  tombstones(partition: Partition): AsyncIterableIterator<readonly ObjectKey[]>;

  /** About how many copies a partition has here and how large they are together; reads a few. */
  estimate(partition: Partition): Promise<PartitionSize>;

  /** Hash-tree segments of a partition for objects of this n_val, 8 bytes each. */
  tree(partition: Partition, nVal: number): Promise<Buffer>;
  /** The causal hashes of the copies in these segments, by segment and then by key. */
  hashes(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<readonly KeyHash[]>;
  /** Heads of the keys that fall into these segments, in key order; reads the whole partition. */
  heads(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<{ readonly key: ObjectKey; readonly head: Buffer }[]>;
  /**
   * Counts these segments of a tree again from the copies themselves and corrects them; how many
   * were wrong. Reads the heads of the whole partition, at the pace of who asks.
   */
  recountTree(partition: Partition, nVal: number, options: RecountOptions): Promise<number>;

  /**
   * Looks beside every copy of a partition for its index entries, the note of a tombstone and its place
   * in a segment, and writes them again where something is missing; durable when a page is told.
   * Goes on behind `after`, which is the `last` of a page before.
   */
  restoreDerived(
    partition: Partition,
    after: Buffer | undefined,
  ): AsyncIterableIterator<DerivedPage>;
  /** Looks at all index entries, and takes away those of these partitions that their copies have not. */
  sweepIndexes(
    partitions: ReadonlySet<Partition>,
    after: Buffer | undefined,
  ): AsyncIterableIterator<DerivedPage>;
}

export interface RecountOptions {
  readonly segments: readonly number[];
  /** Waits until so many entries more may be read; false: give it up, nothing is corrected. */
  readonly keepPace: (entryCount: number) => Promise<boolean>;
}
