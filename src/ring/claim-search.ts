/**
 * Improving a ring step by step: swaps and gifts of partitions that lower its cost.
 *
 * A cost puts first things first: nodes too close together, then locations too close together, then
 * partitions that have moved. A step exchanges the owners of two partitions, or gives one from a node
 * with more to a node with fewer; the balance of ±1 holds before and after each. Only improvements
 * are taken, in a fixed order, so that equal arguments give equal rings; the count of trials is
 * bounded. What a trial costs does not grow with the distances: how many stand too close to each place is
 * kept, and changed with each step.
 */

import type { Sliced } from '../base/sliced.ts';
import { NearCounts } from './claim-near.ts';

/** What a ring is judged by; nodes and locations by index. */
export interface ClaimRules {
  readonly ringSize: number;
  readonly locationByNode: readonly number[];
  /** Copies of one node are at least this far apart; from 1. */
  readonly nodeSpacing: number;
  /** Partitions of one location are at least this far apart, where they can be; from 1. */
  readonly locationSpacing: number;
  /** partition → node that had it before, or -1 for none and for a node that is gone. */
  readonly previous: readonly number[];
}

export interface ClaimCost {
  /** Pairs of partitions of one node that are closer than `nodeSpacing`. */
  readonly nodesTooClose: number;
  readonly locationsTooClose: number;
  /** Partitions taken from a node that is still there. */
  readonly moved: number;
}

/** `node` is the new owner of a partition; `partner`, unless -1, takes what that had. */
interface Step {
  gain: number;
  node: number;
  partner: number;
}

/** Trials of a swap or gift at most in one search; about 10 ns each. */
const TRIALS_MAX = 1_500_000;
/** What a slice may look at, a millisecond or two; a step that has begun is finished before. */
export const LOOKS_PER_SLICE = 64 * 1024;

export class ClaimSearch {
  readonly #rules: ClaimRules;
  readonly #owners: Int32Array;
  readonly #locationByNode: Int32Array;
  readonly #previous: Int32Array;
  readonly #countByNode: Int32Array;
  /** How many others stand too close to a place, for each node that would own it, and each location. */
  readonly #nodesNear: NearCounts;
  readonly #locationsNear: NearCounts;
  /** What each partition's owner costs there. */
  readonly #costs: Float64Array;
  /** What each node would cost at the partition that is being looked at, all else being as it is. */
  readonly #costsHere: Float64Array;
  readonly #fewest: number;
  readonly #reach: number;
  readonly #locationWeight: number;
  readonly #nodeWeight: number;
  #trialsLeft = TRIALS_MAX;
  #renewed = 0;

  /** `owners` is balanced to ±1 over the nodes of `rules.locationByNode`. */
  constructor(rules: ClaimRules, owners: readonly number[]) {
    const { ringSize, nodeSpacing, locationSpacing, locationByNode } = rules;
    this.#rules = rules;
    this.#owners = Int32Array.from(owners);
    this.#locationByNode = Int32Array.from(locationByNode);
    this.#previous = Int32Array.from(rules.previous);
    this.#countByNode = new Int32Array(locationByNode.length);
    for (const node of owners) this.#recount(node, 1);
    this.#fewest = Math.floor(ringSize / locationByNode.length);
    this.#reach = Math.max(nodeSpacing, locationSpacing);
    this.#locationWeight = ringSize + 1;
    this.#nodeWeight = this.#locationWeight * ringSize * locationSpacing;
    // No more locations than nodes.
    const valueCount = locationByNode.length;
    this.#costsHere = new Float64Array(locationByNode.length);
    this.#nodesNear = new NearCounts(owners, { valueCount, spacing: nodeSpacing });
    const locations = owners.map((node) => at(this.#locationByNode, node));
    this.#locationsNear = new NearCounts(locations, { valueCount, spacing: locationSpacing });
    this.#costs = Float64Array.from(owners, (node, place) => this.#costOf(node, place));
  }

  /** Trials made, and places counted or priced anew, so far. */
  get looks(): number {
    return TRIALS_MAX - this.#trialsLeft + this.#renewed;
  }

  /** Takes improving steps until there are none, or the trials are used up. */
  *improve(): Sliced<void> {
    let improved = true;
    let sliceEnd = this.looks + LOOKS_PER_SLICE;
    while (improved && this.#trialsLeft > 0) {
      improved = false;
      for (let partition = 0; partition < this.#rules.ringSize; partition += 1) {
        while (this.#trialsLeft > 0 && at(this.#costs, partition) > 0) {
          if (this.looks >= sliceEnd) {
            yield;
            sliceEnd = this.looks + LOOKS_PER_SLICE;
          }
          if (!this.#step(partition)) break;
          improved = true;
        }
      }
    }
  }

  owners(): number[] {
    return [...this.#owners];
  }

  /** Takes the best improving step that changes the owner of `partition`; false if there is none. */
  #step(partition: number): boolean {
    const current = at(this.#owners, partition);
    const step = this.#bestSwap(partition);
    if (at(this.#countByNode, current) > this.#fewest) this.#preferGift(partition, step);
    if (step.gain === 0) return false;
    this.#replace(partition, step.node);
    if (step.partner === -1) {
      this.#recount(current, -1);
      this.#recount(step.node, 1);
    } else {
      this.#replace(step.partner, current);
      this.#reprice(step.partner);
    }
    this.#reprice(partition);
    return true;
  }

  #bestSwap(partition: number): Step {
    const owners = this.#owners;
    const costs = this.#costs;
    const costsHere = this.#costsHere;
    const { ringSize } = this.#rules;
    const current = at(owners, partition);
    const cost = at(costs, partition);
    for (let node = 0; node < costsHere.length; node += 1) {
      costsHere[node] = this.#costOf(node, partition);
    }
    const best: Step = { gain: 0, node: -1, partner: -1 };
    let trials = 0;
    for (let partner = 0; partner < ringSize; partner += 1) {
      const node = at(owners, partner);
      if (node === current) continue;
      trials += 1;
      const distance = Math.abs(partition - partner);
      const isNear = distance < this.#reach || ringSize - distance < this.#reach;
      const vacated = isNear ? this.#vacated(partition, partner) : 0;
      // What both cost now, less what the partner's node would cost here.
      const margin = cost + at(costs, partner) - at(costsHere, node) + vacated;
      // Most swaps are ruled out by one side alone.
      if (margin <= best.gain) continue;
      const gain = margin - this.#costOf(current, partner) + vacated;
      if (gain <= best.gain) continue;
      best.gain = gain;
      best.node = node;
      best.partner = partner;
    }
    this.#trialsLeft -= trials;
    return best;
  }

  /** `best` becomes the best gift of `partition` if that gains more. */
  #preferGift(partition: number, best: Step): void {
    const current = at(this.#owners, partition);
    for (let node = 0; node < this.#countByNode.length; node += 1) {
      if (node === current || at(this.#countByNode, node) > this.#fewest) continue;
      this.#trialsLeft -= 1;
      const gain = at(this.#costs, partition) - at(this.#costsHere, node);
      if (gain <= best.gain) continue;
      best.gain = gain;
      best.node = node;
      best.partner = -1;
    }
  }

  /** What each owner of two places meets at the other's for the last time when they are exchanged. */
  #vacated(left: number, right: number): number {
    const leftLocation = at(this.#locationByNode, at(this.#owners, left));
    const rightLocation = at(this.#locationByNode, at(this.#owners, right));
    const nodes = this.#nodeWeight * this.#nodesNear.between(left, right);
    if (leftLocation === rightLocation) return nodes;
    return nodes + this.#locationWeight * this.#locationsNear.between(left, right);
  }

  #recount(node: number, by: number): void {
    this.#countByNode[node] = at(this.#countByNode, node) + by;
  }

  #replace(partition: number, node: number): void {
    this.#renewed += 4 * this.#reach;
    const before = at(this.#owners, partition);
    this.#owners[partition] = node;
    this.#nodesNear.replace(partition, before, node);
    const locationBefore = at(this.#locationByNode, before);
    const location = at(this.#locationByNode, node);
    if (location !== locationBefore) {
      this.#locationsNear.replace(partition, locationBefore, location);
    }
  }

  /** Computes anew what a change of the owner of `partition` has touched. */
  #reprice(partition: number): void {
    this.#renewed += 2 * this.#reach;
    const { ringSize } = this.#rules;
    for (let distance = 1 - this.#reach; distance < this.#reach; distance += 1) {
      const place = (partition + distance + ringSize) % ringSize;
      this.#costs[place] = this.#costOf(at(this.#owners, place), place);
    }
  }

  /** What `node` costs as the owner of `place`: the pairs it is too close in, and whether it moved. */
  #costOf(node: number, place: number): number {
    const location = at(this.#locationByNode, node);
    return (
      (hasMoved(at(this.#previous, place), node) ? 1 : 0) +
      this.#nodeWeight * this.#nodesNear.count(node, place) +
      this.#locationWeight * this.#locationsNear.count(location, place)
    );
  }
}

/** An element known to be there; an assertion here would double the cost of a search. */
function at(values: Int32Array | Float64Array, index: number): number {
  return values[index] as number;
}

/** Judges a whole ring. */
export function claimCost(rules: ClaimRules, owners: readonly number[]): ClaimCost {
  const locations = owners.map((node) => rules.locationByNode[node] ?? -1);
  const moved = owners.filter((node, partition) =>
    hasMoved(rules.previous[partition], node),
  ).length;
  return {
    nodesTooClose: closePairs(owners, rules.nodeSpacing).length,
    locationsTooClose: closePairs(locations, rules.locationSpacing).length,
    moved,
  };
}

/** The places from which the same value stands again less than `spacing` further on. */
export function closePairs(circle: readonly number[], spacing: number): number[] {
  const places: number[] = [];
  for (let place = 0; place < circle.length; place += 1) {
    for (let distance = 1; distance < spacing; distance += 1) {
      if (circle[place] === circle[(place + distance) % circle.length]) places.push(place);
    }
  }
  return places;
}

/** Negative if `left` is the better ring. */
export function compareCosts(left: ClaimCost, right: ClaimCost): number {
  return (
    left.nodesTooClose - right.nodesTooClose ||
    left.locationsTooClose - right.locationsTooClose ||
    left.moved - right.moved
  );
}

function hasMoved(before: number | undefined, node: number): boolean {
  return before !== undefined && before !== -1 && before !== node;
}
