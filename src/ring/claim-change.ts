/**
 * Claim for a change of the cluster: from the ring in force to the one that the members asked for get.
 *
 * A node that replaces another gets exactly its partitions. If that is all, nothing else moves: the
 * ring stays as it is under another name. If nodes join, leave or move to another location, claim
 * places the partitions anew and takes as few as it finds from nodes that stay.
 */

import type { NodeId } from '../base/names.ts';
import type { Sliced } from '../base/sliced.ts';
import { claimInSlices, claimRules, DEFAULT_TARGET_N, type ClaimMember } from './claim.ts';
import { claimWarnings, type ClaimWarning } from './claim-warnings.ts';

export interface ClaimChange {
  /** partition → owner in the ring in force. */
  readonly owners: readonly NodeId[];
  /** Who may own partitions afterwards, ids distinct; where they will be. */
  readonly members: readonly ClaimMember[];
  /** Old node → the member that takes its place. */
  readonly successors: ReadonlyMap<NodeId, NodeId>;
  /** Whether a node's location changes, so that the ring is to be judged anew. */
  readonly isRelocating: boolean;
  /** Neighbours to keep apart; at least the default of claim is taken. */
  readonly targetN: number;
}

export type ChangedRing =
  | {
      readonly kind: 'claimed';
      /** partition → owner. */
      readonly owners: readonly NodeId[];
      readonly warnings: readonly ClaimWarning[];
    }
  /** Nobody would be left to own the partitions. */
  | { readonly kind: 'no-nodes' }
  /** Some node could not own a single partition. */
  | { readonly kind: 'more-nodes-than-partitions'; readonly nodes: number };

/** The ring after the change, or why there can be none. */
export function* claimChange(change: ClaimChange): Sliced<ChangedRing> {
  const { members, successors } = change;
  const ringSize = change.owners.length;
  if (members.length === 0) return { kind: 'no-nodes' };
  if (members.length > ringSize) {
    return { kind: 'more-nodes-than-partitions', nodes: members.length };
  }
  const targetN = Math.max(change.targetN, DEFAULT_TARGET_N);
  const renamed = change.owners.map((owner) => successors.get(owner) ?? owner);
  const request = { members, ringSize, previous: renamed, targetN };
  if (change.isRelocating || !isSameSet(renamed, members)) {
    const { ownerByPartition, warnings } = yield* claimInSlices(request);
    return { kind: 'claimed', owners: ownerByPartition, warnings };
  }
  const sorted = members.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const indexById = new Map(sorted.map(({ id }, index) => [id, index]));
  const owners = renamed.map((owner) => indexById.get(owner) ?? -1);
  const rules = claimRules(request, sorted, targetN);
  return {
    kind: 'claimed',
    owners: renamed,
    warnings: claimWarnings(rules, owners, { members: sorted, targetN }),
  };
}

function isSameSet(owners: readonly NodeId[], members: readonly ClaimMember[]): boolean {
  const owning = new Set(owners);
  return owning.size === members.length && members.every(({ id }) => owning.has(id));
}
