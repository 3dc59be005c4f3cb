/**
 * The cluster as an operator sees it: members, their share of the ring now and after the step that is
 * open, and who owns which partition.
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { ClusterState, MemberStatus, StagedChange } from '../membership/cluster-state.ts';
import type { NodeService } from '../node/node-service.ts';
import { Ring } from '../ring/ring.ts';
import { AdminRefusal } from './admin-server.ts';

/** What is known of a member's program and of the link to it; of the asked node too. */
export interface PeerReport {
  readonly node: NodeId;
  /** As it was last said; undefined: never. */
  readonly release: string | undefined;
  /** The oldest and newest protocol between nodes that it speaks. */
  readonly protocol: readonly [from: number, to: number] | undefined;
  /** Why there is no link to it now; undefined: there is one. */
  readonly linkFailure: string | undefined;
}

export interface MemberReport extends Partial<Omit<PeerReport, 'node'>> {
  readonly node: NodeId;
  readonly status: MemberStatus;
  readonly isUp: boolean;
  readonly location: string;
  /** Where its HTTP interface is. */
  readonly host: string;
  readonly httpPort: number;
  readonly partitions: number;
  /** When the open step has ended; undefined if none is open. */
  readonly pendingPartitions: number | undefined;
}

export interface ClusterReport {
  readonly cluster: string;
  readonly epoch: number;
  readonly ringSize: number;
  /** What is not as it should be: who does not answer, the step that is open. */
  readonly unsettled: readonly string[];
  readonly members: readonly MemberReport[];
  readonly staged: readonly StagedChange[];
  readonly step:
    | {
        readonly since: number;
        readonly phase: 'filling' | 'turning';
        readonly unfilled: readonly NodeId[];
      }
    | undefined;
}

export interface PartitionReport {
  readonly node: NodeId;
  readonly primary: readonly Partition[];
  /** Of others, that it holds with the n_val of three that is usual. */
  readonly secondary: readonly Partition[];
  /** That it will own when the open step has ended. */
  readonly pending: readonly Partition[];
}

export function clusterStatus(
  node: Pick<NodeService, 'state' | 'liveMembers'>,
  peers: readonly PeerReport[] = [],
): ClusterReport {
  const state = node.state();
  const peerByNode = new Map(peers.map((peer) => [peer.node, peer]));
  const live = new Set(node.liveMembers());
  const { step } = state;
  const members = state.members.map(({ id, status, location, host, httpPort }, index) => ({
    ...peerByNode.get(id),
    node: id,
    status,
    isUp: live.has(id),
    location,
    host,
    httpPort,
    partitions: countOf(state.ownerByPartition, index),
    pendingPartitions: step && countOf(step.target, index),
  }));
  return {
    cluster: state.clusterName,
    epoch: state.epoch,
    ringSize: state.ringSize,
    unsettled: [
      ...members.filter(({ isUp }) => !isUp).map(({ node: id }) => `'${id}' is not up`),
      ...(step === undefined ? [] : [`the ring is ${step.phase}`]),
    ],
    members,
    staged: state.staged,
    step: step && { since: step.since, phase: step.phase, unfilled: step.unfilled },
  };
}

/** Rejects for a node that is no member. */
export function partitionsOf(node: Pick<NodeService, 'state'>, id: NodeId): PartitionReport {
  const state = node.state();
  const index = state.members.findIndex((member) => member.id === id);
  if (index === -1) throw new AdminRefusal(`Failed: '${id}' is not a member of the cluster.`);
  const primary = placesOf(state.ownerByPartition, index);
  const owned = new Set(primary);
  const secondary = heldBy(state, id).filter((partition) => !owned.has(partition));
  const pending = placesOf(state.step?.target ?? [], index).filter((each) => !owned.has(each));
  return { node: id, primary, secondary, pending };
}

const USUAL_N = 3;

function heldBy(state: ClusterState, id: NodeId): readonly Partition[] {
  return new Ring(state).partitionsHeldBy(id, USUAL_N);
}

function placesOf(owners: readonly number[], index: number): Partition[] {
  return owners.flatMap((owner, partition) => (owner === index ? [partition as Partition] : []));
}

function countOf(owners: readonly number[], index: number): number {
  return owners.filter((owner) => owner === index).length;
}
