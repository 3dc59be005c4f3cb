/**
 * What a node is told at its making, with units and defaults.
 */

import type { CommitHooks } from '../coordinator/commit-hooks.ts';
import type { NodeId } from '../base/names.ts';
import type { Tracer } from '../base/span.ts';
import type { ScriptEngine } from '../mapreduce/script.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import type { JoinPort } from '../peer/join.ts';
import type { RefusalListener } from '../security/refusals.ts';
import type { DiskGuardOptions, ReadDiskSpace } from './disk-guard.ts';
import type { ReplicationOptions } from './replication-queue.ts';
import type { RepairOptions } from './repair-rounds.ts';

export interface NodeLimits {
  /** Client requests under way; more are refused as overload. */
  readonly requestsMax: number;
  /** Bytes of the values that they bring. */
  readonly requestBytesMax: number;
  /** Client requests that wait for room at the edges; with more the first are refused. */
  readonly waitingMax: number;
  /** Listings under way, and index queries; with more the next wait, so many of each kind. */
  readonly coverageMax: number;
  readonly coverageWaitingMax: number;
  /** One read in so many asks every replica, whatever its quorums need. */
  readonly fullReadInterval: number;
  /** Objects under read repair at once; more are skipped. */
  readonly readRepairsMax: number;
  readonly readRepairBytesMax: number;
  readonly objectSizeMaxBytes: number;
  readonly siblingsMax: number;
  /** Heads of copies that the write path remembers, at most 1 KiB each. */
  readonly recentHeadsMax: number;
  /** Of the small records that were read last. */
  readonly recentRecordsMaxBytes: number;
}

export interface NodeTimings {
  /** Between two pings to each member. */
  readonly heartbeatMs: number;
  /** Heartbeats without a round trip after which a member is down. */
  readonly missesMax: number;
  /** How long a start waits for members that do not answer. */
  readonly startGraceMs: number;
  /**
   * How long a read waits for the replicas it has asked before it asks others, while nothing is known
   * of how soon they answer; then as long as 95 of 100 answers take, within these bounds.
   */
  readonly spareDelayMs: number;
  readonly spareDelayMinMs: number;
  readonly spareDelayMaxMs: number;
  /** How long a client request may wait for room at the edges; then it is refused. */
  readonly entranceWaitMs: number;
  /** When the first in line has waited so long, the last to come goes first. */
  readonly entranceTurnMs: number;
  /** For a client request that does not say. */
  readonly requestTimeoutMs: number;
  /** For each request of a read repair. */
  readonly readRepairTimeoutMs: number;
  /** For a change of properties to be agreed, and then to be known everywhere. */
  readonly agreeTimeoutMs: number;
  readonly spreadTimeoutMs: number;
  /** How long a stop waits for requests under way. */
  readonly drainTimeoutMs: number;
  /** And then for what its repair rounds have asked of peers. */
  readonly repairStopMs: number;
}

export interface NodeOptions {
  readonly id: NodeId;
  /** Epoch 1, as configured: acted on by a node whose store holds no state. */
  readonly initialState: ClusterState;
  /** Listings and queries may ask this node. Default true. */
  readonly inCoverage?: boolean;
  /** The store was restored, repaired or found damaged. Default false. */
  readonly mayHaveForgotten?: boolean;
  /** The store was mended, and may hold copies without what derives from them. Default false. */
  readonly isMended?: boolean;
  /**
   * Called when a peer has told that the disk is an older copy of it. The node serves nobody any more
   * and is to be started again: it has noted that it may have forgotten. Must not throw.
   */
  readonly outdated?: (reason: string) => void;
  /** Called at the start and with each newer state; must not throw. */
  readonly stateChanged?: (state: ClusterState) => void;
  /** Reaches a cluster that this node is not part of; without it the node can join none. */
  readonly joinPort?: JoinPort;
  readonly limits?: Partial<NodeLimits>;
  readonly timings?: Partial<NodeTimings>;
  readonly repair?: RepairOptions;
  /** What other clusters fetch here; absent: nothing. */
  readonly replication?: ReplicationOptions;
  /** Runs the hooks of buckets; absent: none is there, and buckets with a pre-commit hook take no writes. */
  readonly commitHooks?: CommitHooks;
  /** Runs the JavaScript of MapReduce jobs on this node's objects; absent: others do, or nobody. */
  readonly scripts?: ScriptEngine | undefined;
  /** Told of each login and each permission of a client that is refused; must not throw. */
  readonly refused?: RefusalListener;
  /** How the room on the store's disk is told; absent: there is always enough. */
  readonly diskSpace?: ReadDiskSpace;
  readonly diskGuard?: Partial<DiskGuardOptions>;
  /** Goes on with the traces of requests; absent: they are not traced. */
  readonly tracer?: Tracer | undefined;
}

export const NODE_LIMITS: NodeLimits = {
  requestsMax: 50_000,
  requestBytesMax: 512 * 1024 * 1024,
  waitingMax: 20_000,
  coverageMax: 64,
  coverageWaitingMax: 4_096,
  fullReadInterval: 10,
  readRepairsMax: 128,
  readRepairBytesMax: 64 * 1024 * 1024,
  objectSizeMaxBytes: 50 * 1024 * 1024,
  siblingsMax: 100,
  recentHeadsMax: 16_384,
  recentRecordsMaxBytes: 16 * 1024 * 1024,
};

export const NODE_TIMINGS: NodeTimings = {
  heartbeatMs: 250,
  missesMax: 4,
  startGraceMs: 1_000,
  spareDelayMs: 30,
  spareDelayMinMs: 3,
  spareDelayMaxMs: 100,
  entranceWaitMs: 3_000,
  entranceTurnMs: 100,
  requestTimeoutMs: 60_000,
  readRepairTimeoutMs: 5_000,
  agreeTimeoutMs: 10_000,
  spreadTimeoutMs: 5_000,
  drainTimeoutMs: 10_000,
  repairStopMs: 2_000,
};
