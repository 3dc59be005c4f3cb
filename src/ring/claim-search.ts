/**
 * Improving a ring step by step: swaps and gifts of partitions that lower its cost.
 *
 * A cost puts first things first: nodes too close together, then locations too close together, then
 * partitions that have moved. A step exchanges the owners of two partitions, or gives one from a node
 * with more to a node with fewer; the balance of ±1 holds before and after each. Only improvements
 * are taken, in a fixed order, so that equal arguments give equal rings; the count of trials is
 * bounded.
 */

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

/** Trials of a swap or gift at most in one search; about 50 ns each. */
const TRIALS_MAX = 1_500_000;

export class ClaimSearch {
  readonly #rules: ClaimRules;
  readonly #owners: Int32Array;
  readonly #locationByNode: Int32Array;
  readonly #previous: Int32Array;
  readonly #countByNode: Int32Array;
  /** What each partition's owner costs there. */
  readonly #costs: Float64Array;
  readonly #fewest: number;
  readonly #reach: number;
  readonly #locationWeight: number;
  readonly #nodeWeight: number;
  #trialsLeft = TRIALS_MAX;

  /** `owners` is balanced to ±1 over the nodes of `rules.locationByNode`. */
  constructor(rules: ClaimRules, owners: readonly number[]) {
    this.#rules = rules;
    this.#owners = Int32Array.from(owners);
    this.#locationByNode = Int32Array.from(rules.locationByNode);
    this.#previous = Int32Array.from(rules.previous);
    this.#countByNode = new Int32Array(rules.locationByNode.length);
    for (const node of owners) this.#recount(node, 1);
    this.#fewest = Math.floor(rules.ringSize / rules.locationByNode.length);
    this.#reach = Math.max(rules.nodeSpacing, rules.locationSpacing);
    this.#locationWeight = rules.ringSize + 1;
    this.#nodeWeight = this.#locationWeight * rules.ringSize * rules.locationSpacing;
    this.#costs = Float64Array.from(owners, (_, partition) => this.#costAt(partition));
  }

  /** Takes improving steps until there are none, or the trials are used up. */
  improve(): void {
    let improved = true;
    while (improved && this.#trialsLeft > 0) {
      improved = false;
      for (let partition = 0; partition < this.#rules.ringSize; partition += 1) {
        while (this.#trialsLeft > 0 && at(this.#costs, partition) > 0 && this.#step(partition)) {
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
    let bestGain = 0;
    let bestNode = -1;
    let bestPartner = -1;
    for (let partner = 0; partner < this.#rules.ringSize; partner += 1) {
      const node = at(this.#owners, partner);
      if (node === current) continue;
      const gain = this.#gainOfSwap(partition, partner);
      if (gain <= bestGain) continue;
      [bestGain, bestNode, bestPartner] = [gain, node, partner];
    }
    if (at(this.#countByNode, current) > this.#fewest) {
      for (let node = 0; node < this.#countByNode.length; node += 1) {
        if (node === current || at(this.#countByNode, node) > this.#fewest) continue;
        const gain = this.#gainOfGift(partition, node);
        if (gain <= bestGain) continue;
        [bestGain, bestNode, bestPartner] = [gain, node, -1];
      }
    }
    if (bestNode === -1) return false;
    this.#owners[partition] = bestNode;
    if (bestPartner === -1) {
      this.#recount(current, -1);
      this.#recount(bestNode, 1);
    } else {
      this.#owners[bestPartner] = current;
      this.#reprice(bestPartner);
    }
    this.#reprice(partition);
    return true;
  }

  #gainOfSwap(left: number, right: number): number {
    this.#trialsLeft -= 1;
    const before = at(this.#costs, left) + at(this.#costs, right);
    const leftNode = at(this.#owners, left);
    const rightNode = at(this.#owners, right);
    this.#owners[left] = rightNode;
    this.#owners[right] = leftNode;
    const leftCost = this.#costAt(left);
    // Most swaps are ruled out by one side alone.
    const gain = leftCost >= before ? 0 : before - leftCost - this.#costAt(right);
    this.#owners[left] = leftNode;
    this.#owners[right] = rightNode;
    return gain;
  }

  #gainOfGift(partition: number, node: number): number {
    this.#trialsLeft -= 1;
    const current = at(this.#owners, partition);
    this.#owners[partition] = node;
    const after = this.#costAt(partition);
    this.#owners[partition] = current;
    return at(this.#costs, partition) - after;
  }

  #recount(node: number, by: number): void {
    this.#countByNode[node] = at(this.#countByNode, node) + by;
  }

  /** Computes anew what a change of the owner of `partition` has touched. */
  #reprice(partition: number): void {
    const { ringSize } = this.#rules;
    for (let distance = 1 - this.#reach; distance < this.#reach; distance += 1) {
      const place = (partition + distance + ringSize) % ringSize;
      this.#costs[place] = this.#costAt(place);
    }
  }

  /** What `partition`'s owner costs here: the pairs it is too close in, and whether it moved. */
  #costAt(partition: number): number {
    const { ringSize, nodeSpacing, locationSpacing } = this.#rules;
    const owners = this.#owners;
    const locations = this.#locationByNode;
    const node = at(owners, partition);
    const location = at(locations, node);
    let cost = hasMoved(at(this.#previous, partition), node) ? 1 : 0;
    for (let distance = 1; distance < this.#reach; distance += 1) {
      const ahead = at(owners, (partition + distance) % ringSize);
      const behind = at(owners, (partition - distance + ringSize) % ringSize);
      if (distance < nodeSpacing) {
        if (ahead === node) cost += this.#nodeWeight;
        if (behind === node) cost += this.#nodeWeight;
      }
      if (distance < locationSpacing) {
        if (at(locations, ahead) === location) cost += this.#locationWeight;
        if (at(locations, behind) === location) cost += this.#locationWeight;
      }
    }
    return cost;
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
