/**
 * How much the cluster holds, and what the others would have to take if a member were lost for good.
 *
 * Sizes are estimates by those who hold the data, one node for each partition. A loss is worked out as
 * the force-remove that an operator would commit then: by the same plan, so with the same claim. Nothing is staged
 * by looking.
 */

import { sleep, type Clock } from '../base/host.ts';
import type { NodeId, Partition } from '../base/names.ts';
import { runInSlices, type Sliced } from '../base/sliced.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { replicaCountsInUse } from '../membership/effective-properties.ts';
import { effectOf } from '../membership/plan-effect.ts';
import { planChanges, type PlanRefusal } from '../membership/plan.ts';
import { stageForceRemove, type StagingRefusal } from '../membership/staging.ts';
import type { PartitionSize } from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';
import type { Ring } from '../ring/ring.ts';
import { askSizes } from './partition-sizes.ts';
import type { Topology } from './topology.ts';

export interface MemberShare extends PartitionSize {
  readonly node: NodeId;
  readonly isUp: boolean;
  /** Where its HTTP interface is. */
  readonly host: string;
  readonly httpPort: number;
  /** Of which it should hold a copy, with the largest n_val in use. */
  readonly partitions: number;
}

export interface MemberLoss {
  readonly lost: NodeId;
  /** Why there would be no way to go on without it by a change of the ring. */
  readonly refusal?: StagingRefusal | PlanRefusal;
  /** What each of the others would have to take in addition. */
  readonly gains: readonly (PartitionSize & { readonly node: NodeId })[];
}

export interface Holdings extends PartitionSize {
  readonly cluster: string;
  readonly ringSize: number;
  /** The largest n_val in use. */
  readonly nVal: number;
  readonly members: readonly MemberShare[];
  /** Of those with the most partitions, a bounded number. */
  readonly losses: readonly MemberLoss[];
  /** Partitions of which nobody said in time how large they are. */
  readonly unknownPartitions: number;
}

export interface CapacityPorts {
  readonly clock: Clock;
  readonly peer: Peer;
  readonly topology: Topology;
}

const SIZES_TIMEOUT_MS = 10_000;
/** Each is a plan of the whole ring: up to 100 ms of computing for the largest, in slices. */
const LOSSES_MAX = 16;

type Sizes = ReadonlyMap<Partition, PartitionSize>;

export async function holdingsOf(ports: CapacityPorts): Promise<Holdings> {
  const { clock, topology } = ports;
  const state = topology.state();
  const ring = topology.ring();
  const nVal = Math.max(...replicaCountsInUse(state));
  const sizes = await sizesOfAll(ports, ring, nVal);
  const members = state.members.map(({ id, host, httpPort }): MemberShare => {
    const held = ring.nodes.includes(id) ? ring.partitionsHeldBy(id, nVal) : [];
    return {
      node: id,
      isUp: topology.isUp(id),
      host,
      httpPort,
      partitions: held.length,
      ...sumOf(held, sizes),
    };
  });
  const losses: MemberLoss[] = [];
  for (const { node } of [...members].sort(byPartitions).slice(0, LOSSES_MAX)) {
    const loss = lossOf(node, { state, sizes, isUp: (id) => topology.isUp(id) });
    losses.push(await runInSlices(loss, clock));
    // Requests get their turn in between.
    await sleep(clock, 0);
  }
  const all = Array.from({ length: state.ringSize }, (_, index) => index as Partition);
  return {
    cluster: state.clusterName,
    ringSize: state.ringSize,
    nVal,
    ...sumOf(all, sizes),
    members,
    losses: losses.sort(byLost),
    unknownPartitions: state.ringSize - sizes.size,
  };
}

async function sizesOfAll(
  { peer, topology }: CapacityPorts,
  ring: Ring,
  nVal: number,
): Promise<Sizes> {
  const asked = new Map<NodeId, Partition[]>();
  for (let index = 0; index < ring.ringSize; index += 1) {
    const partition = index as Partition;
    const { replicas } = ring.preferenceList(partition, nVal);
    const holder = replicas.find(({ node }) => topology.isUp(node))?.node;
    if (holder === undefined) continue;
    const partitions = asked.get(holder);
    if (partitions === undefined) asked.set(holder, [partition]);
    else partitions.push(partition);
  }
  const sizes = new Map<Partition, PartitionSize>();
  await Promise.all(
    [...asked].map(async ([node, partitions]) => {
      const told = await askSizes(peer, { node, partitions, timeoutMs: SIZES_TIMEOUT_MS });
      for (const [partition, size] of told?.sizes ?? []) sizes.set(partition, size);
    }),
  );
  return sizes;
}

function* lossOf(
  lost: NodeId,
  {
    state,
    sizes,
    isUp,
  }: {
    readonly state: ClusterState;
    readonly sizes: Sizes;
    readonly isUp: (node: NodeId) => boolean;
  },
): Sliced<MemberLoss> {
  const staged = stageForceRemove({ ...state, staged: [] }, lost);
  if (staged.kind !== 'changed') {
    const refusal = staged.kind === 'not-staged' ? staged.reason : 'not-member';
    return { lost, refusal, gains: [] };
  }
  const planned = yield* planChanges(staged.state);
  if (planned.kind === 'not-planned') return { lost, refusal: planned.reason, gains: [] };
  const { replicas } = yield* effectOf(staged.state, planned.plan, isUp);
  const gained = new Map<NodeId, Set<Partition>>();
  for (const { target, partition } of replicas) {
    gained.set(target, (gained.get(target) ?? new Set()).add(partition));
  }
  const gains = [...gained].map(([node, partitions]) => ({ node, ...sumOf(partitions, sizes) }));
  return { lost, gains: gains.sort(byNode) };
}

function sumOf(partitions: Iterable<Partition>, sizes: Sizes): PartitionSize {
  let [keys, sizeBytes] = [0, 0];
  for (const partition of partitions) {
    const size = sizes.get(partition);
    keys += size?.keys ?? 0;
    sizeBytes += size?.sizeBytes ?? 0;
  }
  return { keys, sizeBytes };
}

function byPartitions(left: MemberShare, right: MemberShare): number {
  return right.partitions - left.partitions || byNode(left, right);
}

function byNode(left: { readonly node: NodeId }, right: { readonly node: NodeId }): number {
  return left.node < right.node ? -1 : 1;
}

function byLost(left: MemberLoss, right: MemberLoss): number {
  return left.lost < right.lost ? -1 : 1;
}
