/**
 * What an operator sees of a node: whether it serves, and how it sees the others.
 */

import type { NodeService } from '../node/node-service.ts';
import type { AdminCommand } from './admin-server.ts';

export function statusCommands(node: NodeService): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([['status', async () => status(node)]]);
}

function status(node: NodeService): unknown {
  const state = node.state();
  const live = new Set(node.liveMembers());
  const { isReady, reason } = node.readiness();
  return {
    node: node.id,
    pid: process.pid,
    isReady,
    reason,
    cluster: state.clusterName,
    epoch: state.epoch,
    ringSize: state.ringSize,
    members: state.members.map((member, index) => ({
      id: member.id,
      status: member.status,
      isUp: live.has(member.id),
      location: member.location,
      partitions: state.ownerByPartition.filter((owner) => owner === index).length,
    })),
  };
}
