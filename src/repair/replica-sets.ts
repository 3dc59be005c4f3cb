/**
 * Replica sets: who holds what, in the ring there is and in the one that the cluster moves to.
 *
 * While a step is open a key has the replicas of both rings. What a node gains by the step it must
 * fill, from those who hold it in ring A; what it holds in neither it may give away.
 */

import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { replicaCountsInUse } from '../membership/effective-properties.ts';
import type { Ring } from '../ring/ring.ts';
import type { RepairPorts } from './ports.ts';

/** A hash tree: the objects of one n_val in one partition. */
export interface TreeName {
  readonly partition: Partition;
  readonly nVal: number;
}

/** A tree of this node and another node that holds the same objects. */
export interface SharedTree extends TreeName {
  readonly peer: NodeId;
}

/** A tree that this node is to hold, and who holds it already. */
export interface GainedTree extends TreeName {
  readonly sources: readonly NodeId[];
}

/** Rings as a view of the cluster has them. */
interface Rings {
  state(): ClusterState;
  ring(): Ring;
  jointRing(): Ring | undefined;
}

/** By partition, so that one partition's replicas are compared soon after each other. */
export function sharedTrees(ring: Ring, self: NodeId, nVals: readonly number[]): SharedTree[] {
  return nVals.flatMap((nVal) =>
    ring
      .partitionsHeldBy(self, nVal)
      .flatMap((partition) =>
        othersOf(ring, self, { partition, nVal }).map((peer) => ({ partition, nVal, peer })),
      ),
  );
}

/** All that `self` holds in `ring`. */
export function heldTrees(ring: Ring, self: NodeId, nVals: readonly number[]): GainedTree[] {
  return nVals.flatMap((nVal) =>
    ring.partitionsHeldBy(self, nVal).map((partition) => ({
      partition,
      nVal,
      sources: othersOf(ring, self, { partition, nVal }),
    })),
  );
}

/** What `self` holds in ring B and not in ring A. */
export function gainedTrees(
  rings: { readonly from: Ring; readonly to: Ring },
  self: NodeId,
  nVals: readonly number[],
): GainedTree[] {
  const { from, to } = rings;
  return nVals.flatMap((nVal) => {
    const held = new Set(from.partitionsHeldBy(self, nVal));
    return to
      .partitionsHeldBy(self, nVal)
      .filter((partition) => !held.has(partition))
      .map((partition) => ({
        partition,
        nVal,
        sources: othersOf(from, self, { partition, nVal }),
      }));
  });
}

/** The replicas of a tree's objects, in either ring, each once. */
export function replicasOf(rings: Rings, { partition, nVal }: TreeName): NodeId[] {
  const nodes = new Set<NodeId>();
  for (const ring of [rings.ring(), rings.jointRing()]) {
    if (ring === undefined) continue;
    for (const { node } of ring.preferenceList(partition, nVal).replicas) nodes.add(node);
  }
  return [...nodes];
}

/** Whether this node holds the key by now, in either ring; in doubt it does. */
export function isReplicaNow(
  { self, view }: Pick<RepairPorts, 'self' | 'view'>,
  key: ObjectKey,
  partition: Partition,
): boolean {
  const placement = view.place(key);
  if (placement === undefined) return true;
  return replicasOf(view, { partition, nVal: placement.properties.n_val }).includes(self);
}

/** The trees whose objects `self` holds in neither ring. */
export function foreignTrees(rings: Rings, self: NodeId): TreeName[] {
  const trees: TreeName[] = [];
  for (const nVal of replicaCountsInUse(rings.state())) {
    for (let index = 0; index < rings.ring().ringSize; index += 1) {
      const tree = { partition: index as Partition, nVal };
      if (!replicasOf(rings, tree).includes(self)) trees.push(tree);
    }
  }
  return trees;
}

function othersOf(ring: Ring, self: NodeId, { partition, nVal }: TreeName): NodeId[] {
  const { replicas } = ring.preferenceList(partition, nVal);
  return replicas.map(({ node }) => node).filter((node) => node !== self);
}
