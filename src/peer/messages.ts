/**
 * What nodes say to each other.
 *
 * Objects travel as records (`object/record.ts`), so that they are encoded once for the disk and
 * every peer, and checked by their own CRC-32 at both ends. `wire.ts` gives each message its compact
 * form; the frames that carry them are the transport's business.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Epoch, NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { SpanContext } from '../base/span.ts';
import type { UpdateDatatypeRequest } from '../object/datatype-requests.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import type { Failure, PutRequest } from '../object/requests.ts';
import type { FoldPiece, FoldScan } from './folds.ts';

/** Any request may say what it is traced as; a node that does not know that passes over it. */
export type PeerRequest = PeerQuestion & { readonly parentSpan?: SpanContext | undefined };

type PeerQuestion =
  /** Liveness both ways, and who is behind. */
  | { readonly verb: 'ping'; readonly epoch: Epoch; readonly incarnation: number }
  /**
   * This node's copy of an object: the whole record or its head; if it `awaitsWrites`, with all changes of
   * the key that came before. A peer of before that field answers from what is durable now.
   */
  | {
      readonly verb: 'get';
      readonly key: ObjectKey;
      readonly headOnly: boolean;
      readonly awaitsWrites?: boolean;
    }
  /**
   * Merge `record` into this node's copy, durably. `hintFor` names the node it is owed to, when the
   * receiver is a fallback.
   */
  | {
      readonly verb: 'merge';
      readonly key: ObjectKey;
      readonly record: Buffer;
      readonly hintFor: NodeId | undefined;
    }
  /** Coordinate a client's write at this replica, for a node that holds none. */
  | { readonly verb: 'put'; readonly request: PutRequest }
  /** As `put`, of a data type's update; a request within the limits of operations. */
  | { readonly verb: 'update'; readonly request: UpdateDatatypeRequest }
  /** Drop the key if its copy is exactly this tombstone (every primary has confirmed it). */
  | { readonly verb: 'reap'; readonly key: ObjectKey; readonly tombstoneHash: Buffer }
  /** One message of the epoch agreement; opaque here, `membership/agreement.ts` knows it. */
  | { readonly verb: 'agree'; readonly message: Buffer }
  /** The state document, if the receiver's epoch is above `aboveEpoch`. */
  | { readonly verb: 'state'; readonly aboveEpoch: Epoch }
  /** Hash-tree segments of a partition's objects with this n_val; all of them, 8 bytes each. */
  | { readonly verb: 'tree'; readonly partition: Partition; readonly nVal: number }
  /** This node's copies of these keys, whole or their heads, in a reply of a bounded size. */
  | { readonly verb: 'fetch'; readonly keys: readonly ObjectKey[]; readonly headsOnly: boolean }
  /** Merge these records into this node's copies, durably; the node is a replica of all of them. */
  | { readonly verb: 'deliver'; readonly records: readonly KeyRecord[] }
  /** What this node holds of a key, for an operator: its body is checked, and not sent. */
  | { readonly verb: 'trace'; readonly key: ObjectKey }
  /** About how much these partitions hold here, each; for an operator who plans to move them. */
  | { readonly verb: 'sizes'; readonly partitions: readonly Partition[] }
  /**
   * Run a map function of MapReduce on this node's copies. `task` is opaque here, `mapreduce/map-task.ts`
   * knows it. A peer of before this verb calls it malformed; the asker then maps the inputs itself.
   */
  | { readonly verb: 'map'; readonly task: Buffer; readonly inputs: readonly MapInput[] };

export interface KeyRecord {
  readonly key: ObjectKey;
  readonly record: Buffer;
}

export interface KeyHead {
  readonly key: ObjectKey;
  readonly head: Buffer;
}

/** A copy's causal hash: equal for equal copies. */
export interface KeyHash {
  readonly key: ObjectKey;
  readonly hash: Buffer;
}

export type PeerReply =
  /**
   * `inCoverage`: listings and queries may ask this node. `isFilled`: it holds what it should, and
   * has lost no disk that is yet to be refilled. `wallMicros`: its wall clock, in microseconds since
   * 1970; undefined from a node of the release before this field.
   */
  | {
      readonly kind: 'pong';
      readonly epoch: Epoch;
      readonly incarnation: number;
      readonly inCoverage: boolean;
      readonly isFilled: boolean;
      readonly wallMicros: number | undefined;
    }
  /** Absent: no readable copy. */
  | { readonly kind: 'object'; readonly record: Buffer | undefined }
  | { readonly kind: 'done' }
  /** The outcome of a forwarded write; `record` as the request's `returning` asks, or whole. */
  | { readonly kind: 'stored'; readonly record: Buffer | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'reaped'; readonly isGone: boolean }
  | { readonly kind: 'agreement'; readonly message: Buffer }
  /** The encoded document, or nothing newer. */
  | { readonly kind: 'state'; readonly document: Buffer | undefined }
  | { readonly kind: 'tree'; readonly segments: Buffer }
  /** Of the first of the keys that were named, of one at least; the others are to be asked for again. */
  | { readonly kind: 'copies'; readonly copies: readonly FetchedCopy[] }
  /** The indexes of the records that cannot be taken; the others are. */
  | { readonly kind: 'delivered'; readonly refused: readonly number[] }
  | { readonly kind: 'trace'; readonly trace: CopyTrace }
  /** In the order in which the partitions were named. */
  | {
      readonly kind: 'sizes';
      readonly sizes: readonly PartitionSize[];
      /** What the node last filled in a second; undefined: never enough to tell. */
      readonly fillBytesPerSecond: number | undefined;
    }
  /** In the order of the inputs, of the first of them at least; the rest may be asked for again. */
  | { readonly kind: 'mapped'; readonly outputs: readonly MapOutput[] };

/** A key to map, and what a job says of it, as an Erlang term. */
export interface MapInput {
  readonly key: ObjectKey;
  readonly keyData: Buffer | undefined;
}

/**
 * The results, a list in Erlang's external format. `absent`: there is no readable copy that is more
 * than a tombstone. `unable`: the function failed, or gave what has no such form; who asked must see.
 */
export type MapOutput = Buffer | 'absent' | 'unable';

/** A record, or its head, or why there is none: `damaged` says that there was one. */
export type FetchedCopy = Buffer | 'absent' | 'damaged';

/** About what a node holds of a partition. */
export interface PartitionSize {
  readonly keys: number;
  readonly sizeBytes: number;
}

/** A node's copy of one key, without its values. */
export interface CopyTrace {
  readonly state: CopyState;
  /** The record's head, if it is sound. */
  readonly head: Buffer | undefined;
  /** Of the whole record as it is stored; 0 if there is none. */
  readonly sizeBytes: number;
  /** The nodes that this one owes its copy to. */
  readonly hintsFor: readonly NodeId[];
}

/** `damaged`: there is an entry, and not all of it can be read. */
export type CopyState = 'absent' | 'whole' | 'damaged';

/** Which replicas a coverage query asks of one node. */
export interface CoverageShare {
  readonly partitions: readonly Partition[];
}

export type PeerStreamRequest =
  | { readonly verb: 'list-buckets'; readonly share: CoverageShare; readonly type: ByteString }
  | {
      readonly verb: 'list-keys';
      readonly share: CoverageShare;
      readonly type: ByteString;
      readonly bucket: ByteString;
    }
  /** Index entries in (term, key) order. */
  | { readonly verb: 'index'; readonly share: CoverageShare; readonly query: IndexScan }
  /** Heads of the keys of one partition that fall in these hash-tree segments, in key order. */
  | {
      readonly verb: 'heads';
      readonly partition: Partition;
      readonly nVal: number;
      readonly segments: readonly number[];
    }
  /** Causal hashes of the copies in these hash-tree segments, by segment and then by key. */
  | {
      readonly verb: 'hashes';
      readonly partition: Partition;
      readonly nVal: number;
      readonly segments: readonly number[];
    }
  /** Whole records of one partition's objects with this n_val, in key order after a key. */
  | {
      readonly verb: 'records';
      readonly partition: Partition;
      readonly nVal: number;
      readonly after: ObjectKey | undefined;
    }
  /**
   * A fold over the copies in a range of one bucket's keys. A peer of before this verb calls it
   * unsupported; another is asked for its partitions.
   */
  | { readonly verb: 'fold'; readonly share: CoverageShare; readonly scan: FoldScan };

/** A range of one index of one bucket, both ends inclusive. */
export interface IndexScan {
  readonly type: ByteString;
  readonly bucket: ByteString;
  /** `…_bin`, `…_int`, `$key` or `$bucket`, in lower case. */
  readonly field: ByteString;
  readonly from: ByteString;
  readonly to: ByteString;
  /** Resume strictly after this (term, key). */
  readonly after: { readonly term: ByteString; readonly key: ByteString } | undefined;
  /** Entries at most from each node. */
  readonly limit: number | undefined;
}

export type PeerStreamItem =
  | { readonly kind: 'names'; readonly names: readonly ByteString[] }
  | {
      readonly kind: 'index-entries';
      readonly entries: readonly IndexMatch[];
    }
  | { readonly kind: 'heads'; readonly heads: readonly KeyHead[] }
  | { readonly kind: 'hashes'; readonly hashes: readonly KeyHash[] }
  | { readonly kind: 'records'; readonly records: readonly KeyRecord[] }
  | { readonly kind: 'folded'; readonly piece: FoldPiece };
