/**
 * What every coordinator stands on: the host, the nodes, and a view of the cluster.
 *
 * The local node is a node like the others, reached through the same `Peer`. Everything a request
 * reads of the cluster it reads once, at its start, from memory; nothing here waits.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { PeerReply } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';
import { partitionOf } from '../ring/partition.ts';
import type { AnswerTimes } from './answer-times.ts';
import type { CommitHooks } from './commit-hooks.ts';
import type { ActiveLists, ClusterView } from './participants.ts';
import type { ReplicaFailure } from './tally.ts';

export interface CoordinatorView extends ClusterView {
  /** Whether `node` is up and holds all that a list or an index query may ask it for. */
  mayCover(node: NodeId): boolean;
  /** Effective properties; undefined where the type is unknown or not active. */
  properties(type: ByteString, bucket: ByteString): BucketProperties | undefined;
  /** Whether listings and queries may ask the node, as its operator has set it. */
  isInCoverage(node: NodeId): boolean;
}

export interface CoordinatorPorts {
  readonly host: Host;
  readonly peer: Peer;
  readonly self: NodeId;
  /** Requests of this node under way to another one. */
  readonly underWay: (node: NodeId) => number;
  /** How soon the nodes answer reads of this one. */
  readonly answerTimes: AnswerTimes;
  /** How long a request may take if it does not say. */
  readonly requestTimeoutMs: number;
  readonly view: CoordinatorView;
  readonly lists: ActiveLists;
  readonly hooks: CommitHooks;
  /** Told of each tombstone that a read or a delete meets; must return at once. */
  readonly onTombstone: (key: ObjectKey) => void;
}

const BUCKET_ONLY = 'chash_bucketonly_keyfun';

/** Where a key lives. */
export function locate(key: ObjectKey, properties: BucketProperties, ringSize: number): Partition {
  return partitionOf(key, ringSize, properties.chash_keyfun.fun === BUCKET_ONLY);
}

/** Throws unless the reply is the one to a merge: the peer holds all of the record, durably. */
export function mustConfirmMerge(reply: PeerReply): void {
  if (reply.kind === 'done') return;
  throw new Fault('peer-malformed', `a peer answered a merge with ${reply.kind}`);
}

/** What a fault of a replica means for the tally. A bug is thrown on: it must stop the node. */
export function replicaFailure(error: unknown): ReplicaFailure {
  if (!isFault(error)) throw error;
  if (error.code === 'timeout') return 'timed-out';
  return error.code === 'overload' ? 'overloaded' : 'failed';
}
