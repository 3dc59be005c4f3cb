/**
 * Replica sets: which hash trees this node shares with whom.
 */

import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { NodeId, Partition } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { effectiveTypeProperties } from '../membership/effective-properties.ts';
import type { Ring } from '../ring/ring.ts';

/** A tree of this node and another node that holds the same objects. */
export interface SharedTree {
  readonly partition: Partition;
  readonly nVal: number;
  readonly peer: NodeId;
}

/** Every n_val that a bucket may have, ascending. */
export function nValsOf(state: ClusterState): number[] {
  const nVals = new Set<number>();
  for (const type of [DEFAULT_BUCKET_TYPE, ...state.bucketTypes.keys()]) {
    const properties = effectiveTypeProperties(state, type);
    if (properties !== undefined) nVals.add(properties.n_val);
  }
  for (const { n_val } of state.bucketProperties.values()) {
    if (n_val !== undefined) nVals.add(n_val);
  }
  return [...nVals].sort((left, right) => left - right);
}

/** By partition, so that one partition's replicas are compared soon after each other. */
export function sharedTrees(ring: Ring, self: NodeId, nVals: readonly number[]): SharedTree[] {
  return nVals.flatMap((nVal) =>
    ring.partitionsHeldBy(self, nVal).flatMap((partition) =>
      ring
        .preferenceList(partition, nVal)
        .replicas.filter(({ node }) => node !== self)
        .map(({ node }) => ({ partition, nVal, peer: node })),
    ),
  );
}
