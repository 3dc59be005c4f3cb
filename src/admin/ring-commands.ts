/**
 * Whether the members act on one ring, and what of it is on its way: `riak admin ringready` and
 * `riak admin ring-status`, in their words.
 *
 * A member says its epoch with each heartbeat, and the epoch decides the ring: so the ring is ready
 * when all members answer and none has last said an older epoch than the asked node's.
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { awaitedMembers } from '../membership/staging.ts';
import type { NodeService } from '../node/node-service.ts';
import type { OperatorService } from '../node/operations.ts';
import type { AdminCommand } from './admin-server.ts';
import type { PeerReport } from './cluster-status.ts';

export interface RingReadiness {
  readonly isReady: boolean;
  readonly nodes: readonly NodeId[];
  readonly down: readonly NodeId[];
  /** They act on an older epoch. */
  readonly behind: readonly NodeId[];
  /** Why the asked node cannot act on the newest epoch, in a sentence. */
  readonly unreadable: string | undefined;
}

export interface RingReport extends RingReadiness {
  readonly epoch: number;
  readonly moves: readonly RingMove[];
  /** Of the open step: who has not yet all that it will own. */
  readonly waitingOn: readonly NodeId[];
  /** Who cannot be reached, and why, where more than silence is known. */
  readonly linkFailures: readonly Pick<PeerReport, 'node' | 'linkFailure'>[];
}

interface RingMove {
  readonly owner: NodeId;
  readonly nextOwner: NodeId;
  readonly partitions: readonly Partition[];
}

type AskedNode = Pick<NodeService, 'id' | 'state' | 'liveMembers'>;
type AskedOperations = Pick<OperatorService, 'behind' | 'unreadableState'>;

export function ringCommands(
  node: AskedNode,
  operations: AskedOperations,
  peers: () => readonly PeerReport[] = () => [],
): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['ringready', async () => readinessOf(node, operations)],
    ['ring-status', async () => reportOf(node, operations, peers())],
  ]);
}

function readinessOf(node: AskedNode, operations: AskedOperations): RingReadiness {
  const nodes = awaitedMembers(node.state());
  const live = new Set(node.liveMembers());
  const down = nodes.filter((id) => !live.has(id));
  const behind = operations.behind();
  const unreadable = operations.unreadableState();
  const isReady = down.length === 0 && behind.length === 0 && unreadable === undefined;
  return { isReady, nodes, down, behind, unreadable };
}

function reportOf(
  node: AskedNode,
  operations: AskedOperations,
  peers: readonly PeerReport[],
): RingReport {
  const state = node.state();
  return {
    ...readinessOf(node, operations),
    epoch: state.epoch,
    moves: movesOf(state),
    waitingOn: state.step?.unfilled ?? [],
    linkFailures: peers.flatMap(({ node: id, linkFailure }) =>
      linkFailure === undefined ? [] : [{ node: id, linkFailure }],
    ),
  };
}

function movesOf({ members, ownerByPartition, step }: ClusterState): RingMove[] {
  const moves = new Map<string, RingMove & { readonly partitions: Partition[] }>();
  for (const [partition, target] of (step?.target ?? []).entries()) {
    const owner = members[ownerByPartition[partition] ?? -1]?.id;
    const nextOwner = members[target]?.id;
    if (owner === undefined || nextOwner === undefined || owner === nextOwner) continue;
    const name = JSON.stringify([owner, nextOwner]);
    const move = moves.get(name) ?? { owner, nextOwner, partitions: [] };
    move.partitions.push(partition as Partition);
    moves.set(name, move);
  }
  return [...moves.values()];
}
