/**
 * The cluster state: one immutable document with an epoch.
 *
 * Members, ring, bucket types, bucket properties, users and grants change together, one agreed epoch
 * at a time (`agreement.ts`). Two nodes that hold the same epoch hold the same document, which its
 * hash shows.
 *
 * The ring moves by steps (`ring-steps.ts`): while one is open there are two rings, A
 * (`ownerByPartition`) and B (`step.target`). Writes go to the replicas of both and their quorums must
 * hold in both; reads hold in A while B is filled, and in B once it is full.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import type { SecurityState } from '../security/security-state.ts';

export type MemberStatus =
  /** Known to the cluster and not part of it yet: its join is staged. */
  | 'joining'
  | 'valid'
  /** Gives its partitions away. */
  | 'leaving'
  /** Owns nothing any more and hands over what it has left. */
  | 'exiting'
  /** Marked by an operator: it neither votes nor is waited for. */
  | 'down'
  /** Removed by force: it is gone when the ring no longer names it. */
  | 'invalid';

export interface Member {
  readonly id: NodeId;
  readonly host: string;
  readonly peerPort: number;
  readonly httpPort: number;
  readonly pbcPort: number;
  /** Replicas are spread over locations where there are enough; '' if none is given. */
  readonly location: string;
  readonly status: MemberStatus;
}

export interface BucketType {
  /** What was set at creation and since, over `CREATED_TYPE_PROPERTIES`. */
  readonly properties: PartialProperties;
  readonly isActive: boolean;
}

/** A chain of agreed epochs; recovery without a majority begins a new one. */
export interface Lineage {
  /** 32 hex digits. The first depends on the configuration alone, the others are random. */
  readonly id: string;
  readonly since: Epoch;
}

/** What an operator wants changed and has not committed yet; all nodes see it. */
export type StagedChange =
  | { readonly kind: 'join'; readonly node: NodeId }
  | { readonly kind: 'leave'; readonly node: NodeId }
  | { readonly kind: 'force-remove'; readonly node: NodeId }
  /** `successor` is a joining member and gets exactly the partitions of `node`. */
  | { readonly kind: 'replace'; readonly node: NodeId; readonly successor: NodeId }
  | { readonly kind: 'force-replace'; readonly node: NodeId; readonly successor: NodeId }
  | { readonly kind: 'location'; readonly node: NodeId; readonly location: string };

/** The move of the ring from A to B that is under way. */
export interface RingStep {
  /** The epoch that opened it: tells it from other steps. */
  readonly since: Epoch;
  readonly phase: 'filling' | 'turning';
  /** Ring B: partition → index into `members`; length `ringSize`. */
  readonly target: readonly number[];
  /** Nodes that gain replicas in B and have not reported that they hold them all; sorted. */
  readonly unfilled: readonly NodeId[];
}

export interface ClusterState {
  /** The cluster's name from its configuration; links between clusters of other names are refused. */
  readonly clusterName: string;
  readonly epoch: Epoch;
  /** SHA-256 of this lineage's documents before, in hex, the newest first; 32 at most. */
  readonly ancestors: readonly string[];
  /** The newest first; the last is the one that the configuration began. */
  readonly lineages: readonly Lineage[];
  /** A power of two, 8 to 1024. */
  readonly ringSize: number;
  /** Sorted by id. */
  readonly members: readonly Member[];
  /** partition → index into `members`; length `ringSize`. */
  readonly ownerByPartition: readonly number[];
  /** In the order in which they were staged. */
  readonly staged: readonly StagedChange[];
  readonly step: RingStep | undefined;
  /** Default properties of untyped buckets, over `DEFAULT_TYPE_PROPERTIES`. */
  readonly defaultProperties: PartialProperties;
  /** Created types by name; `default` is not among them. */
  readonly bucketTypes: ReadonlyMap<ByteString, BucketType>;
  /** Own properties of buckets, by `bucketId(type, bucket)`. */
  readonly bucketProperties: ReadonlyMap<ByteString, PartialProperties>;
  readonly security: SecurityState;
}

/** The key of a bucket in `bucketProperties`; different for different buckets, whatever their bytes. */
export function bucketId(type: ByteString, bucket: ByteString): ByteString {
  return `${type.length}:${type}${bucket}` as ByteString;
}
