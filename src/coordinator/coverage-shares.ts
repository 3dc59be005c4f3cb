/**
 * Which nodes a coverage query asks now, and each for which partitions.
 *
 * Nodes that hold all that they should come first; where these leave a partition out, those that are being
 * refilled are asked too, for what they know of it is more than nothing. A listing of buckets with several n_vals
 * goes by the least of them, and by the usual one where no node that holds the least is to be had.
 */

import type { NodeId, Partition } from '../base/names.ts';
import { coveragePlan, type CoveragePlan, type NodeShare } from '../ring/coverage-plan.ts';
import type { CoordinatorView } from './ports.ts';

/** In how many replicas there are what is asked for. */
export interface ReplicaCounts {
  /** Of all of it: who holds this is asked wherever that is possible. */
  readonly least: number;
  /** Of most of it: who serves where no node that holds the least is to be had. */
  readonly usual: number;
}

export interface SharesWanted {
  readonly counts: ReplicaCounts;
  /** Undefined: all. */
  readonly partitions: ReadonlySet<Partition> | undefined;
  /** Nodes that are not to be asked. */
  readonly lost: ReadonlySet<NodeId>;
  readonly localNode: NodeId;
  /** Where the turn begins among nodes that serve as well. */
  readonly seed: number;
}

/** Undefined: of some partitions no replica can be asked. */
export function findShares(
  view: CoordinatorView,
  wanted: SharesWanted,
): readonly NodeShare[] | undefined {
  const { least, usual } = wanted.counts;
  let plan = bestPlan(view, wanted, least);
  if (leavesOut(plan, wanted) && usual > least) {
    plan = completed(plan, bestPlan(view, wanted, usual));
  }
  if (leavesOut(plan, wanted)) return undefined;
  return plan.shares
    .map(({ node, partitions }) => {
      return { node, partitions: partitions.filter((each) => isWanted(each, wanted)) };
    })
    .filter(({ partitions }) => partitions.length > 0);
}

function bestPlan(view: CoordinatorView, wanted: SharesWanted, n: number): CoveragePlan {
  const planOf = (mayAsk: (node: NodeId) => boolean): CoveragePlan => {
    return coveragePlan(view.ring(), n, {
      mayAsk: (node) => mayAsk(node) && view.isInCoverage(node) && !wanted.lost.has(node),
      localNode: wanted.localNode,
      seed: wanted.seed,
    });
  };
  const plan = planOf((node) => view.mayCover(node));
  return leavesOut(plan, wanted) ? planOf((node) => view.isUp(node)) : plan;
}

function leavesOut({ uncovered }: CoveragePlan, wanted: SharesWanted): boolean {
  return uncovered.some((partition) => isWanted(partition, wanted));
}

function isWanted(partition: Partition, { partitions }: SharesWanted): boolean {
  return partitions?.has(partition) ?? true;
}

/** `plan`, and what it does not cover as in `spare`. */
function completed(plan: CoveragePlan, spare: CoveragePlan): CoveragePlan {
  const missing = new Set(plan.uncovered);
  const shares = spare.shares.map(({ node, partitions }) => {
    return { node, partitions: partitions.filter((partition) => missing.has(partition)) };
  });
  return { shares: [...plan.shares, ...shares], uncovered: spare.uncovered };
}
