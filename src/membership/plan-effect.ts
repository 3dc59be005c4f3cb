/**
 * The effect of a plan on data: which replicas have to be brought over, from whom, and how many live
 * copies each key has before, at the lowest moment, and after.
 *
 * While a step is open reads hold in the old ring, and it is left only when the new one is full. So the
 * lowest moment is the old ring without those who are not there: removed by force, marked as down, or
 * simply not answering.
 */

import type { NodeId, Partition } from '../base/names.ts';
import { Ring, type RingLayout } from '../ring/ring.ts';
import type { ClusterState, Member } from './cluster-state.ts';
import { replicaCountsInUse } from './effective-properties.ts';
import type { ClusterPlan } from './plan.ts';

/** Partitions whose owner changes from one node to another. */
export interface OwnershipMove {
  readonly source: NodeId;
  readonly target: NodeId;
  readonly partitions: number;
}

/** A replica that `target` has to fill, and one of those who hold it. */
export interface ReplicaMove {
  readonly partition: Partition;
  readonly nVal: number;
  readonly source: NodeId | undefined;
  readonly target: NodeId;
}

/** Nodes that hold a readable copy, for the keys that have the fewest. */
export interface CopyCount {
  readonly nVal: number;
  readonly before: number;
  readonly lowest: number;
  readonly after: number;
  /** Partitions whose replicas are in fewer locations than they could be, afterwards. */
  readonly sharingLocation: number;
}

export interface PlanEffect {
  readonly ownership: readonly OwnershipMove[];
  readonly replicas: readonly ReplicaMove[];
  readonly copies: readonly CopyCount[];
}

/** `isUp` says who answers now. */
export function effectOf(
  state: ClusterState,
  plan: ClusterPlan,
  isUp: (node: NodeId) => boolean,
): PlanEffect {
  const ringA = ringOf(plan.members, plan.owners);
  const ringB = ringOf(plan.members, plan.nextOwners);
  const isThere = (node: NodeId): boolean => {
    const status = plan.members.find(({ id }) => id === node)?.status;
    return isUp(node) && status !== 'invalid' && status !== 'down';
  };
  const counts = replicaCountsInUse(state);
  return {
    ownership: ownershipMoves(plan),
    replicas: counts.flatMap((nVal) => replicaMoves(ringA, ringB, { nVal, isThere })),
    copies: counts.map((nVal) => copyCount(ringA, ringB, { nVal, isThere, isUp })),
  };
}

function ringOf(members: readonly Member[], owners: readonly NodeId[]): Ring {
  const indexById = new Map(members.map(({ id }, index) => [id, index]));
  const layout: RingLayout = {
    ringSize: owners.length,
    members,
    ownerByPartition: owners.map((owner) => indexById.get(owner) ?? -1),
  };
  return new Ring(layout);
}

function ownershipMoves(plan: ClusterPlan): OwnershipMove[] {
  const countByPair = new Map<string, { source: NodeId; target: NodeId; partitions: number }>();
  for (const [partition, source] of plan.owners.entries()) {
    const target = plan.nextOwners[partition];
    if (target === undefined || target === source) continue;
    const pair = JSON.stringify([source, target]);
    const known = countByPair.get(pair);
    if (known === undefined) countByPair.set(pair, { source, target, partitions: 1 });
    else known.partitions += 1;
  }
  return [...countByPair.entries()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, move]) => move);
}

function replicaMoves(
  ringA: Ring,
  ringB: Ring,
  { nVal, isThere }: { readonly nVal: number; readonly isThere: (node: NodeId) => boolean },
): ReplicaMove[] {
  const moves: ReplicaMove[] = [];
  for (const partition of partitionsOf(ringA)) {
    const holders = ringA.preferenceList(partition, nVal).replicas.map(({ node }) => node);
    const source = holders.find(isThere);
    for (const { node: target } of ringB.preferenceList(partition, nVal).replicas) {
      if (!holders.includes(target)) moves.push({ partition, nVal, source, target });
    }
  }
  return moves;
}

function copyCount(
  ringA: Ring,
  ringB: Ring,
  asked: {
    readonly nVal: number;
    readonly isThere: (node: NodeId) => boolean;
    readonly isUp: (node: NodeId) => boolean;
  },
): CopyCount {
  const { nVal, isThere, isUp } = asked;
  const locationCount = new Set(ringB.nodes.map((node) => ringB.locationOf(node))).size;
  let [before, lowest, after] = [nVal, nVal, nVal];
  let sharingLocation = 0;
  for (const partition of partitionsOf(ringA)) {
    const held = ringA.preferenceList(partition, nVal).replicas.map(({ node }) => node);
    const heldAfter = ringB.preferenceList(partition, nVal).replicas.map(({ node }) => node);
    before = Math.min(before, held.filter(isUp).length);
    lowest = Math.min(lowest, held.filter(isThere).length);
    after = Math.min(after, heldAfter.filter(isThere).length);
    const locations = new Set(heldAfter.map((node) => ringB.locationOf(node)));
    if (locations.size < Math.min(nVal, locationCount)) sharingLocation += 1;
  }
  return { nVal, before, lowest: Math.min(lowest, after), after, sharingLocation };
}

function partitionsOf(ring: Ring): Partition[] {
  return Array.from({ length: ring.ringSize }, (_, index) => index as Partition);
}
