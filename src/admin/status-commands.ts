/**
 * What an operator sees of a node: whether it serves, and how it sees the others.
 */

import type { NodeId } from '../base/names.ts';
import type { MemberStatus } from '../membership/cluster-state.ts';
import type { NodeService } from '../node/node-service.ts';
import type { PeerClock } from '../node/peer-clocks.ts';
import type { OperatorService } from '../node/operations.ts';
import type { UnsafePartitions } from '../ring/unsafe-partitions.ts';
import type { AdminCommand } from './admin-server.ts';

export interface NodeStatus {
  readonly node: NodeId;
  readonly pid: number;
  readonly isReady: boolean;
  readonly reason: string;
  readonly cluster: string;
  readonly epoch: number;
  readonly ringSize: number;
  readonly unsafePartitions: UnsafePartitions;
  /** Pieces of work on transfers that stand still. */
  readonly transfersStalled: number;
  readonly members: readonly MemberOfStatus[];
}

export interface MemberOfStatus {
  readonly id: NodeId;
  readonly status: MemberStatus;
  readonly isUp: boolean;
  readonly location: string;
  readonly partitions: number;
  /** These of others that are up, and tell the time. */
  readonly rttMs?: number;
  readonly clockOffsetMs?: number;
  readonly clockUncertainMs?: number;
}

type AskedNode = Pick<NodeService, 'id' | 'state' | 'liveMembers' | 'readiness'>;
type AskedOperations = Pick<OperatorService, 'peerClocks' | 'transfers' | 'unsafePartitions'>;

export function statusCommands(
  node: AskedNode,
  operations: AskedOperations,
): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([['status', async () => status(node, operations)]]);
}

function status(node: AskedNode, operations: AskedOperations): NodeStatus {
  const state = node.state();
  const live = new Set(node.liveMembers());
  const { isReady, reason } = node.readiness();
  const clocks = new Map(operations.peerClocks().map((clock) => [clock.node, clock]));
  return {
    node: node.id,
    pid: process.pid,
    isReady,
    reason,
    cluster: state.clusterName,
    epoch: state.epoch,
    ringSize: state.ringSize,
    unsafePartitions: operations.unsafePartitions(),
    transfersStalled: operations.transfers().stalled.length,
    members: state.members.map((member, index) => ({
      id: member.id,
      status: member.status,
      isUp: live.has(member.id),
      location: member.location,
      partitions: state.ownerByPartition.filter((owner) => owner === index).length,
      ...clockOf(clocks.get(member.id)),
    })),
  };
}

function clockOf(clock: PeerClock | undefined): Partial<MemberOfStatus> {
  if (clock === undefined) return {};
  const { rttMs, offsetMs, uncertainMs } = clock;
  if (offsetMs === undefined) return { rttMs: rounded(rttMs) };
  return {
    rttMs: rounded(rttMs),
    clockOffsetMs: rounded(offsetMs),
    clockUncertainMs: rounded(uncertainMs),
  };
}

/** To a hundredth. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
