/**
 * The coverage plan: the fewest nodes that together hold every partition's keys, each for its share.
 *
 * Listing, index queries and folds must read one replica of every partition, and each exactly once.
 * Finding the least set of nodes is the set-cover problem; the greedy choice (always the node that
 * holds most of what is still missing) is within ln Q of it, and for the even spread that claim makes
 * mostly the least itself. Equal choices go to the local node, then round the ring of nodes from a
 * seed, so that equal arguments give equal plans and different seeds spread the work.
 *
 * Source: Chvátal 1979, "A Greedy Heuristic for the Set-Covering Problem".
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { Ring } from './ring.ts';

export interface CoverageNodes {
  /** Whether a node may be asked: it is up and takes part in coverage. */
  readonly mayAsk: (node: NodeId) => boolean;
  /** Preferred where it serves as well as another. */
  readonly localNode?: NodeId;
  /** Where the turn begins among equals; from 0. */
  readonly seed?: number;
}

export interface NodeShare {
  readonly node: NodeId;
  /** In order; never empty. */
  readonly partitions: readonly Partition[];
}

export interface CoveragePlan {
  readonly shares: readonly NodeShare[];
  /** Partitions of which no node that may be asked holds a replica, in order. */
  readonly uncovered: readonly Partition[];
}

/** The nodes to ask for all keys kept in `n` replicas. O(ring size × n × nodes in the plan). */
export function coveragePlan(ring: Ring, n: number, nodes: CoverageNodes): CoveragePlan {
  const missing = new Set<Partition>();
  for (let index = 0; index < ring.ringSize; index += 1) missing.add(index as Partition);
  const shares: NodeShare[] = [];
  let candidates = inTurn(ring, nodes);
  while (missing.size > 0) {
    const counted = candidates
      .map((node) => ({ node, partitions: heldOf(ring.partitionsHeldBy(node, n), missing) }))
      .filter(({ partitions }) => partitions.length > 0);
    const best = most(counted);
    if (best === undefined) break;
    shares.push(best);
    for (const partition of best.partitions) missing.delete(partition);
    candidates = counted.map(({ node }) => node).filter((node) => node !== best.node);
  }
  return { shares, uncovered: [...missing] };
}

/** The nodes that may be asked, the local one first and the others from the seed on. */
function inTurn(ring: Ring, nodes: CoverageNodes): NodeId[] {
  const start = (nodes.seed ?? 0) % Math.max(1, ring.nodes.length);
  const turned = [...ring.nodes.slice(start), ...ring.nodes.slice(0, start)];
  const local = turned.filter((node) => node === nodes.localNode);
  const others = turned.filter((node) => node !== nodes.localNode);
  return [...local, ...others].filter((node) => nodes.mayAsk(node));
}

function heldOf(held: readonly Partition[], missing: ReadonlySet<Partition>): Partition[] {
  return held.filter((partition) => missing.has(partition));
}

/** The share with most partitions; the first of equals. */
function most(shares: readonly NodeShare[]): NodeShare | undefined {
  let best: NodeShare | undefined;
  for (const share of shares) {
    if (best === undefined || share.partitions.length > best.partitions.length) best = share;
  }
  return best;
}
