/**
 * Claim: which node owns which partition.
 *
 * A pure function: equal arguments give equal rings, in whatever order the members are named. What
 * it promises, the first things first:
 *
 * 1. Balance: the nodes' shares differ by at most one partition.
 * 2. Distance: two partitions of one node are at least min(targetN, floor(Q / ceil(Q / m))) apart,
 *    round the seam too; that is the most any balanced ring of Q partitions and m nodes can keep. It
 *    is `targetN` whenever m >= targetN and the ring size is a multiple of targetN.
 * 3. Locations: as few pairs of partitions of one location as found closer than min(targetN, number
 *    of locations). Exact spacing is impossible where one location has more than its part of the
 *    nodes, or where the ring size is no multiple of the number of locations; a warning says where.
 * 4. Movement: as few partitions as found are taken from nodes that stay. From m = targetN + 1 nodes
 *    to targetN, or to it from fewer, most must move, since only a strict round-robin keeps (2).
 *
 * Source: DeCandia et al. 2007, "Dynamo", section 6.2 (equal partitions, Q/S tokens for each node).
 */

import { assert } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import { runAtOnce, type Sliced } from '../base/sliced.ts';
import {
  claimCost,
  ClaimSearch,
  compareCosts,
  type ClaimCost,
  type ClaimRules,
} from './claim-search.ts';
import { spreadLocations, spreadNodes, type SpreadNode } from './claim-spread.ts';
import { claimWarnings, type ClaimWarning } from './claim-warnings.ts';
import { isRingSize } from './partition.ts';

export interface ClaimMember {
  readonly id: NodeId;
  /** Nodes without one ('') count as one location together. */
  readonly location: string;
}

export interface ClaimRequest {
  /** Who may own partitions; at least one, ids distinct. */
  readonly members: readonly ClaimMember[];
  readonly ringSize: number;
  /** partition → owner before; owners that are no members any more lose all they have. */
  readonly previous?: readonly NodeId[] | undefined;
  /** Neighbours to keep apart; default 4, room for n_val 3 and one fallback. */
  readonly targetN?: number;
}

export interface ClaimedRing {
  readonly ownerByPartition: readonly NodeId[];
  /** Partitions whose owner is another than before; 0 without a previous ring. */
  readonly movedCount: number;
  readonly warnings: readonly ClaimWarning[];
}

export const DEFAULT_TARGET_N = 4;

/** `claimInSlices` to its end, for one who holds up nobody. */
export function claim(request: ClaimRequest): ClaimedRing {
  return runAtOnce(claimInSlices(request));
}

/** Places the partitions of a ring; see the module comment for what holds. */
export function* claimInSlices(request: ClaimRequest): Sliced<ClaimedRing> {
  const members = request.members.toSorted((left, right) => (left.id < right.id ? -1 : 1));
  const targetN = request.targetN ?? DEFAULT_TARGET_N;
  assert(isRingSize(request.ringSize), 'a ring size is a power of two from 8 to 1024');
  assert(members.length > 0, 'a ring needs a node');
  assert(new Set(members.map(({ id }) => id)).size === members.length, 'member ids are distinct');
  const rules = claimRules(request, members, targetN);
  const owners = yield* bestOwners(rules);
  yield;
  const ownerByPartition = owners.map((node) => mustAt(members, node).id);
  const previous = request.previous;
  return {
    ownerByPartition,
    movedCount:
      previous === undefined
        ? 0
        : ownerByPartition.filter((id, partition) => id !== previous[partition]).length,
    warnings: claimWarnings(rules, owners, { members, targetN }),
  };
}

export function claimRules(
  request: ClaimRequest,
  members: readonly ClaimMember[],
  targetN: number,
): ClaimRules {
  const { ringSize } = request;
  const locations = [...new Set(members.map(({ location }) => location))].sort();
  const indexById = new Map(members.map(({ id }, index) => [id, index]));
  const largestShare = Math.ceil(ringSize / members.length);
  return {
    ringSize,
    locationByNode: members.map(({ location }) => locations.indexOf(location)),
    nodeSpacing: Math.min(targetN, Math.floor(ringSize / largestShare)),
    locationSpacing: Math.min(targetN, locations.length, ringSize),
    previous: Array.from({ length: ringSize }, (_, partition) => {
      const before = request.previous?.[partition];
      return before === undefined ? -1 : (indexById.get(before) ?? -1);
    }),
  };
}

/** The best of the rings reached from the previous one and from two rings made from nothing. */
function* bestOwners(rules: ClaimRules): Sliced<readonly number[]> {
  const nodes = quotas(rules);
  // In the order of what they move; each is made only if it is needed.
  const starts = [
    () => relabel(rules, spreadLocations(nodes)),
    () => relabel(rules, spreadNodes(nodes)),
  ];
  if (rules.previous.some((node) => node !== -1)) starts.unshift(() => rebalance(rules, nodes));
  let best: readonly number[] | undefined;
  let bestCost: ClaimCost | undefined;
  for (const start of starts) {
    yield;
    const owners = start();
    yield;
    const search = new ClaimSearch(rules, owners);
    yield* search.improve();
    yield;
    const cost = claimCost(rules, search.owners());
    if (bestCost !== undefined && compareCosts(bestCost, cost) <= 0) continue;
    [best, bestCost] = [search.owners(), cost];
    if (cost.nodesTooClose === 0 && cost.locationsTooClose === 0) break;
  }
  assert(best !== undefined, 'there is always a ring made from nothing');
  return best;
}

/**
 * Each node's share. The odd partitions go to locations with the smallest share so far, and there to
 * the nodes that had most before.
 */
function quotas(rules: ClaimRules): SpreadNode[] {
  const { locationByNode, ringSize } = rules;
  const fewest = Math.floor(ringSize / locationByNode.length);
  const counts = locationByNode.map(() => fewest);
  const before = countOwners(rules.previous, locationByNode.length);
  const shareByLocation = locationByNode.map(() => 0);
  for (const location of locationByNode) {
    shareByLocation[location] = mustAt(shareByLocation, location) + fewest;
  }
  for (let odd = ringSize - fewest * counts.length; odd > 0; odd -= 1) {
    let taker = -1;
    for (let node = 0; node < counts.length; node += 1) {
      if (mustAt(counts, node) > fewest) continue;
      if (taker === -1 || isBetterTaker(node, taker)) taker = node;
    }
    counts[taker] = mustAt(counts, taker) + 1;
    const location = mustAt(locationByNode, taker);
    shareByLocation[location] = mustAt(shareByLocation, location) + 1;
  }
  return counts.map((count, node) => ({ node, count, location: mustAt(locationByNode, node) }));

  function isBetterTaker(node: number, taker: number): boolean {
    const share = mustAt(shareByLocation, mustAt(locationByNode, node));
    const takerShare = mustAt(shareByLocation, mustAt(locationByNode, taker));
    if (share !== takerShare) return share < takerShare;
    return mustAt(before, node) > mustAt(before, taker);
  }
}

/** The previous ring with what is too much or masterless given to who has too little. */
function rebalance(rules: ClaimRules, nodes: readonly SpreadNode[]): number[] {
  const room = nodes.map(({ count }) => count);
  const owners = rules.previous.map((node) => {
    if (node === -1 || mustAt(room, node) === 0) return -1;
    room[node] = mustAt(room, node) - 1;
    return node;
  });
  for (let partition = 0; partition < owners.length; partition += 1) {
    if (owners[partition] !== -1) continue;
    const taker = farthestTaker(rules, owners, { partition, room });
    owners[partition] = taker;
    room[taker] = mustAt(room, taker) - 1;
  }
  return owners;
}

/** The node with room whose nearest own partition is farthest; ties go to the one with most room. */
function farthestTaker(
  rules: ClaimRules,
  owners: readonly number[],
  place: { readonly partition: number; readonly room: readonly number[] },
): number {
  const distances = rules.locationByNode.map(() => rules.nodeSpacing);
  for (let distance = rules.nodeSpacing - 1; distance > 0; distance -= 1) {
    for (const offset of [distance, rules.ringSize - distance]) {
      const neighbour = owners[(place.partition + offset) % rules.ringSize] ?? -1;
      if (neighbour !== -1) distances[neighbour] = distance;
    }
  }
  let taker = -1;
  for (let node = 0; node < distances.length; node += 1) {
    if (mustAt(place.room, node) === 0) continue;
    const gain =
      taker === -1
        ? 1
        : mustAt(distances, node) - mustAt(distances, taker) ||
          mustAt(place.room, node) - mustAt(place.room, taker);
    if (gain > 0) taker = node;
  }
  assert(taker !== -1, 'the shares add up to the ring');
  return taker;
}

/** Exchanges the names of nodes of one location, so that more partitions stay where they were. */
function relabel(rules: ClaimRules, owners: readonly number[]): number[] {
  const overlaps: { from: number; to: number; count: number }[] = [];
  const countByPair = new Map<number, number>();
  const nodeCount = rules.locationByNode.length;
  owners.forEach((from, partition) => {
    const to = mustAt(rules.previous, partition);
    if (to === -1 || rules.locationByNode[from] !== rules.locationByNode[to]) return;
    const pair = from * nodeCount + to;
    countByPair.set(pair, (countByPair.get(pair) ?? 0) + 1);
  });
  for (const [pair, count] of countByPair) {
    overlaps.push({ from: Math.floor(pair / nodeCount), to: pair % nodeCount, count });
  }
  overlaps.sort((a, b) => b.count - a.count || a.from - b.from || a.to - b.to);
  const nameByNode = new Map<number, number>();
  const taken = new Set<number>();
  for (const { from, to } of overlaps) {
    if (nameByNode.has(from) || taken.has(to)) continue;
    nameByNode.set(from, to);
    taken.add(to);
  }
  for (let from = 0; from < nodeCount; from += 1) {
    if (nameByNode.has(from)) continue;
    const name = rules.locationByNode.findIndex(
      (location, node) => location === rules.locationByNode[from] && !taken.has(node),
    );
    nameByNode.set(from, name);
    taken.add(name);
  }
  return owners.map((node) => nameByNode.get(node) ?? node);
}

function countOwners(owners: readonly number[], nodeCount: number): number[] {
  const counts = Array.from({ length: nodeCount }, () => 0);
  for (const node of owners) {
    if (node !== -1) counts[node] = mustAt(counts, node) + 1;
  }
  return counts;
}

function mustAt<T>(values: readonly T[], index: number): T {
  const value = values[index];
  assert(value !== undefined, 'an index is within its list');
  return value;
}
