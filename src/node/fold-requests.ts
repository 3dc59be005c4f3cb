/**
 * Folds as the edges ask for them: Riak's operators' queries over all keys of a bucket, or of the cluster.
 */

import type { ByteString } from '../base/bytes.ts';
import type { SegmentFilter, TictacTree, TreeSize } from '../object/tictac-tree.ts';
import type {
  FoldCopies,
  FoldRange,
  KeyAmount,
  ModifiedRange,
  ObjectStatistics,
} from '../peer/folds.ts';

export type FoldRequest =
  /** Keys with more siblings, or of more bytes, than `above`. */
  | {
      readonly kind: 'find-keys';
      readonly range: FoldRange;
      readonly by: 'siblings' | 'sizes';
      readonly above: number;
    }
  | { readonly kind: 'statistics'; readonly range: FoldRange }
  /** The buckets that hold a key, of all active types. */
  | { readonly kind: 'buckets' }
  /** Keys with their contexts, of one bucket or of all buckets with this n_val. */
  | { readonly kind: 'contexts'; readonly range: FoldRange; readonly copies: FoldCopies }
  | {
      readonly kind: 'n-val-contexts';
      readonly nVal: number;
      readonly segments: SegmentFilter;
      readonly modified: ModifiedRange | undefined;
    }
  /** A hash tree, of a range or of all buckets with this n_val. */
  | {
      readonly kind: 'tree';
      readonly range: FoldRange;
      readonly size: TreeSize;
      /** Gives other hashes of the same contexts. */
      readonly seed: number | undefined;
    }
  | { readonly kind: 'n-val-tree'; readonly nVal: number; readonly size: TreeSize }
  | FoldChange;

/** What changes something: counted only, or done and counted. */
export type FoldChange =
  | { readonly kind: 'reap'; readonly range: FoldRange; readonly isCountOnly: boolean }
  | { readonly kind: 'erase'; readonly range: FoldRange; readonly isCountOnly: boolean }
  /** Reads every key at all of its replicas, so that those that hold less are repaired. */
  | { readonly kind: 'repair'; readonly range: FoldRange }
  /** Puts every key on a queue that another cluster fetches. */
  | { readonly kind: 'replicate'; readonly range: FoldRange; readonly queue: ByteString };

export interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

/** A key of some bucket, and its context as clients carry it. */
export interface FoundContext extends BucketName {
  readonly key: ByteString;
  readonly context: Buffer;
}

export type FoldOutcome =
  /** By key. */
  | { readonly kind: 'amounts'; readonly amounts: readonly KeyAmount[] }
  | { readonly kind: 'statistics'; readonly statistics: ObjectStatistics }
  /** By type, the default type last, and then by name. */
  | { readonly kind: 'buckets'; readonly buckets: readonly BucketName[] }
  | { readonly kind: 'contexts'; readonly contexts: readonly FoundContext[] }
  | { readonly kind: 'tree'; readonly tree: TictacTree }
  /** Of the copies that were found; those that were changed may be fewer. Of keys put on a queue: those that are. */
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'unknown-bucket-type'; readonly type: ByteString }
  | { readonly kind: 'unknown-queue' }
  /** The findings would take more memory than one fold may hold. */
  | { readonly kind: 'too-many'; readonly heldMaxBytes: number };

export interface FoldOptions {
  /** For the whole of it; then the fold ends with a `timeout` fault. */
  readonly timeoutMs: number;
  /** Asked between two steps: false ends the fold with a `closed` fault. */
  readonly isWanted: () => boolean;
}

export interface FoldService {
  /** Rejects with faults: `overload`, `timeout`, `peer-unreachable`, `closed`. */
  fold(request: FoldRequest, options: FoldOptions): Promise<FoldOutcome>;
}
