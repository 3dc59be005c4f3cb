/**
 * The partitions whose keys have fewer places than they should: on how many nodes, and at how many
 * locations, a key would have its copies if it were written now.
 *
 * Each count is of partitions whose preference list for `n` falls short, by its own measure; one
 * partition may be in all of them. Fallbacks do not count: a stand-in's copy is owed to another.
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { Ring } from './ring.ts';

export interface UnsafePartitions {
  /** Fewer than n nodes in the list: several replicas of a key share a node. */
  readonly nodes: number;
  /** Fewer than n nodes of the list are up and hold what they should. */
  readonly down: number;
  /** Fewer locations in the list than the smaller of n and the ring's locations; one has a name. */
  readonly locations: number;
}

/** O(ring size · n); `isHolding`: the node is up and has not lost what it held. */
export function unsafePartitions(
  ring: Ring,
  n: number,
  isHolding: (node: NodeId) => boolean,
): UnsafePartitions {
  const locationsWanted = Math.min(n, countDistinct(ring.nodes.map((id) => ring.locationOf(id))));
  const unsafe = { nodes: 0, down: 0, locations: 0 };
  for (let partition = 0; partition < ring.ringSize; partition += 1) {
    const { replicas } = ring.preferenceList(partition as Partition, n);
    const nodes = replicas.map(({ node }) => node);
    if (nodes.length < n) unsafe.nodes += 1;
    if (nodes.filter(isHolding).length < n) unsafe.down += 1;
    if (countDistinct(nodes.map((id) => ring.locationOf(id))) < locationsWanted) {
      unsafe.locations += 1;
    }
  }
  return unsafe;
}

function countDistinct(values: readonly string[]): number {
  return new Set(values).size;
}
