/**
 * The cluster state: one immutable document with an epoch.
 *
 * Members, ring, bucket types and bucket properties change together, one agreed step at a time
 * (`agreement.ts`). Two nodes that hold the same epoch hold the same document, which its hash shows.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';

export type MemberStatus = 'joining' | 'valid' | 'leaving' | 'exiting' | 'down';

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

export interface ClusterState {
  /** The cluster's name from its configuration; links between clusters of other names are refused. */
  readonly clusterName: string;
  readonly epoch: Epoch;
  /** SHA-256 of the documents of the epochs before, in hex, the newest first; 32 at most. */
  readonly ancestors: readonly string[];
  /** A power of two, 8 to 1024. */
  readonly ringSize: number;
  /** Sorted by id. */
  readonly members: readonly Member[];
  /** partition → index into `members`; length `ringSize`. */
  readonly ownerByPartition: readonly number[];
  /** Default properties of untyped buckets, over `DEFAULT_TYPE_PROPERTIES`. */
  readonly defaultProperties: PartialProperties;
  /** Created types by name; `default` is not among them. */
  readonly bucketTypes: ReadonlyMap<ByteString, BucketType>;
  /** Own properties of buckets, by `bucketId(type, bucket)`. */
  readonly bucketProperties: ReadonlyMap<ByteString, PartialProperties>;
}

/** The key of a bucket in `bucketProperties`; different for different buckets, whatever their bytes. */
export function bucketId(type: ByteString, bucket: ByteString): ByteString {
  return `${type.length}:${type}${bucket}` as ByteString;
}
