/**
 * The effect of a plan on data: which replicas have to be brought over, from whom, and how many live
 * copies each key has before, at the lowest moment, and after.
 *
 * While a step is open reads hold in the old ring, and it is left only when the new one is full. So the
 * lowest moment is the old ring without those who are not there: removed by force, marked as down, or
 * simply not answering.
 *
 * The nodes that hold a partition's keys are the first of its walk, whatever n_val they have. So each
 * ring is walked once for all n_vals, and what is counted of a list is kept for each of its lengths.
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { Sliced } from '../base/sliced.ts';
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

/** What a slice may look at, some milliseconds; a partition that has begun is finished before. */
export const STEPS_PER_SLICE = 32 * 1024;

/** `isUp` says who answers now; it is asked in the first slice only. */
export function* effectOf(
  state: ClusterState,
  plan: ClusterPlan,
  isUp: (node: NodeId) => boolean,
): Sliced<PlanEffect> {
  const nVals = replicaCountsInUse(state);
  const up = plan.members.filter(({ id }) => isUp(id));
  const there = up.filter(({ status }) => status !== 'invalid' && status !== 'down');
  const judges = { up: new Set(up.map(({ id }) => id)), there: new Set(there.map(({ id }) => id)) };
  const before = yield* holdersIn(ringOf(plan.members, plan.owners), nVals, judges);
  const after = yield* holdersIn(ringOf(plan.members, plan.nextOwners), nVals, judges);
  const replicas: ReplicaMove[] = [];
  const copies: CopyCount[] = [];
  for (const nVal of nVals) {
    yield* addMoves(replicas, { before, after, nVal });
    copies.push(copyCount(before, after, nVal));
    yield;
  }
  return { ownership: ownershipMoves(plan), replicas, copies };
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

interface Judges {
  readonly up: ReadonlySet<NodeId>;
  readonly there: ReadonlySet<NodeId>;
}

/** Who holds the keys of one partition, in the order of the walk. */
interface Holders {
  readonly nodes: readonly NodeId[];
  /** node → its place in `nodes`. */
  readonly places: ReadonlyMap<NodeId, number>;
  /** The first of them that is there. */
  readonly firstThere: number;
  /** Of the first so many nodes: how many are up, are there; and in how many locations they are. */
  readonly up: Uint16Array;
  readonly there: Uint16Array;
  readonly locations: Uint16Array;
}

interface RingHolders {
  readonly byPartition: readonly Holders[];
  readonly nodeCount: number;
  readonly locationCount: number;
}

function* holdersIn(ring: Ring, nVals: readonly number[], judges: Judges): Sliced<RingHolders> {
  const nodeCount = ring.nodes.length;
  const length = Math.min(Math.max(...nVals), nodeCount);
  const byPartition: Holders[] = [];
  let steps = 0;
  for (let partition = 0; partition < ring.ringSize; partition += 1) {
    if (steps >= STEPS_PER_SLICE) {
      yield;
      steps = 0;
    }
    // No walk goes round the ring twice.
    steps += ring.ringSize;
    const nodes = ring.nodesFrom(partition as Partition, length);
    byPartition.push(holdersOf(ring, nodes, judges));
  }
  const locationCount = new Set(ring.nodes.map((node) => ring.locationOf(node))).size;
  return { byPartition, nodeCount, locationCount };
}

function holdersOf(
  ring: Ring,
  nodes: readonly NodeId[],
  { up: isUp, there: isThere }: Judges,
): Holders {
  const up = new Uint16Array(nodes.length + 1);
  const there = new Uint16Array(nodes.length + 1);
  const locations = new Uint16Array(nodes.length + 1);
  const met = new Set<string>();
  for (const [index, node] of nodes.entries()) {
    met.add(ring.locationOf(node));
    up[index + 1] = countAt(up, index) + (isUp.has(node) ? 1 : 0);
    there[index + 1] = countAt(there, index) + (isThere.has(node) ? 1 : 0);
    locations[index + 1] = met.size;
  }
  return {
    nodes,
    places: new Map(nodes.map((node, index) => [node, index])),
    firstThere: nodes.findIndex((node) => isThere.has(node)),
    up,
    there,
    locations,
  };
}

function countAt(counts: Uint16Array, length: number): number {
  return counts[length] as number;
}

interface BeforeAndAfter {
  readonly before: RingHolders;
  readonly after: RingHolders;
  readonly nVal: number;
}

function* addMoves(moves: ReplicaMove[], { before, after, nVal }: BeforeAndAfter): Sliced<void> {
  const heldBefore = Math.min(nVal, before.nodeCount);
  const heldAfter = Math.min(nVal, after.nodeCount);
  let steps = 0;
  for (const [index, { nodes, places, firstThere }] of before.byPartition.entries()) {
    if (steps >= STEPS_PER_SLICE) {
      yield;
      steps = 0;
    }
    steps += heldAfter;
    const isAnyThere = firstThere !== -1 && firstThere < heldBefore;
    const source = isAnyThere ? nodes[firstThere] : undefined;
    const targets = after.byPartition[index]?.nodes ?? [];
    for (let place = 0; place < heldAfter; place += 1) {
      const target = targets[place] as NodeId;
      if ((places.get(target) ?? heldBefore) < heldBefore) continue;
      moves.push({ partition: index as Partition, nVal, source, target });
    }
  }
}

function copyCount(ringA: RingHolders, ringB: RingHolders, nVal: number): CopyCount {
  const heldBefore = Math.min(nVal, ringA.nodeCount);
  const heldAfter = Math.min(nVal, ringB.nodeCount);
  const locationsWanted = Math.min(nVal, ringB.locationCount);
  let [before, lowest, after] = [nVal, nVal, nVal];
  let sharingLocation = 0;
  for (const { up, there } of ringA.byPartition) {
    before = Math.min(before, countAt(up, heldBefore));
    lowest = Math.min(lowest, countAt(there, heldBefore));
  }
  for (const { there, locations } of ringB.byPartition) {
    after = Math.min(after, countAt(there, heldAfter));
    if (countAt(locations, heldAfter) < locationsWanted) sharingLocation += 1;
  }
  return { nVal, before, lowest: Math.min(lowest, after), after, sharingLocation };
}
