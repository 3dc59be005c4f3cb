/**
 * What a ring does not keep apart: replicas that share a node or a location, nodes left without a
 * partition. Such a ring works; an operator should know.
 */

import type { NodeId, Partition } from '../base/names.ts';
import { closePairs, type ClaimRules } from './claim-search.ts';
import type { ClaimMember } from './claim.ts';

export type ClaimWarning =
  /** Replicas beyond the number of nodes share a node. */
  | { readonly kind: 'fewer-nodes-than-target'; readonly nodes: number; readonly targetN: number }
  /** From these partitions the same node comes again within `targetN`. */
  | { readonly kind: 'nodes-too-close'; readonly partitions: readonly Partition[] }
  /** From these partitions the same location comes again within min(targetN, locations). */
  | { readonly kind: 'locations-too-close'; readonly partitions: readonly Partition[] }
  /** More nodes than partitions. */
  | { readonly kind: 'nodes-without-partitions'; readonly nodes: readonly NodeId[] };

/** What `owners` does not keep apart, and could not or was not asked to. */
export function claimWarnings(
  rules: ClaimRules,
  owners: readonly number[],
  asked: { readonly members: readonly ClaimMember[]; readonly targetN: number },
): ClaimWarning[] {
  const { members, targetN } = asked;
  const warnings: ClaimWarning[] = [];
  if (members.length < targetN) {
    warnings.push({ kind: 'fewer-nodes-than-target', nodes: members.length, targetN });
  } else {
    const places = closePairs(owners, targetN);
    if (places.length > 0) warnings.push({ kind: 'nodes-too-close', partitions: asSet(places) });
  }
  const locations = owners.map((node) => rules.locationByNode[node] ?? -1);
  const places = closePairs(locations, rules.locationSpacing);
  if (places.length > 0) warnings.push({ kind: 'locations-too-close', partitions: asSet(places) });
  const owning = new Set(owners);
  const idle = members.filter((_, node) => !owning.has(node)).map(({ id }) => id);
  if (idle.length > 0) warnings.push({ kind: 'nodes-without-partitions', nodes: idle });
  return warnings;
}

function asSet(places: readonly number[]): Partition[] {
  return [...new Set(places as Partition[])];
}
