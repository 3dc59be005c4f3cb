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

/** Trials of a swap or gift at most in one search; about 20 ns each. */
const TRIALS_MAX = 2_000_000;

export class ClaimSearch {
  readonly #rules: ClaimRules;
  readonly #owners: number[];
  readonly #countByNode: number[];
  readonly #fewest: number;
  readonly #locationWeight: number;
  readonly #nodeWeight: number;
  #trialsLeft = TRIALS_MAX;

  /** `owners` is balanced to ±1 over the nodes of `rules.locationByNode`. */
  constructor(rules: ClaimRules, owners: readonly number[]) {
    this.#rules = rules;
    this.#owners = [...owners];
    this.#countByNode = rules.locationByNode.map(() => 0);
    for (const node of owners) this.#countByNode[node] = (this.#countByNode[node] ?? 0) + 1;
    this.#fewest = Math.floor(rules.ringSize / rules.locationByNode.length);
    this.#locationWeight = rules.ringSize + 1;
    this.#nodeWeight = this.#locationWeight * rules.ringSize * rules.locationSpacing;
  }

  /** Takes improving steps until there are none, or the trials are used up. */
  improve(): void {
    let improved = true;
    while (improved && this.#trialsLeft > 0) {
      improved = false;
      for (let partition = 0; partition < this.#rules.ringSize; partition += 1) {
        while (this.#trialsLeft > 0 && this.#costAt(partition) > 0 && this.#step(partition)) {
          improved = true;
        }
      }
    }
  }

  owners(): readonly number[] {
    return this.#owners;
  }

  cost(): ClaimCost {
    return claimCost(this.#rules, this.#owners);
  }

  /** Takes the best improving step that changes the owner of `partition`; false if there is none. */
  #step(partition: number): boolean {
    const current = this.#ownerAt(partition);
    let bestGain = 0;
    let bestNode = -1;
    let bestPartner = -1;
    for (let partner = 0; partner < this.#rules.ringSize; partner += 1) {
      const node = this.#ownerAt(partner);
      if (node === current) continue;
      const gain = this.#gainOfSwap(partition, partner);
      if (gain <= bestGain) continue;
      [bestGain, bestNode, bestPartner] = [gain, node, partner];
    }
    if (this.#count(current) > this.#fewest) {
      for (let node = 0; node < this.#countByNode.length; node += 1) {
        if (node === current || this.#count(node) > this.#fewest) continue;
        const gain = this.#gainOfGift(partition, node);
        if (gain <= bestGain) continue;
        [bestGain, bestNode, bestPartner] = [gain, node, -1];
      }
    }
    if (bestNode === -1) return false;
    if (bestPartner === -1) this.#recount(current, bestNode);
    else this.#owners[bestPartner] = current;
    this.#owners[partition] = bestNode;
    return true;
  }

  #gainOfSwap(left: number, right: number): number {
    this.#trialsLeft -= 1;
    const [leftNode, rightNode] = [this.#ownerAt(left), this.#ownerAt(right)];
    const before = this.#costAt(left) + this.#costAt(right);
    this.#owners[left] = rightNode;
    this.#owners[right] = leftNode;
    const after = this.#costAt(left) + this.#costAt(right);
    this.#owners[left] = leftNode;
    this.#owners[right] = rightNode;
    return before - after;
  }

  #gainOfGift(partition: number, node: number): number {
    this.#trialsLeft -= 1;
    const current = this.#ownerAt(partition);
    const before = this.#costAt(partition);
    this.#owners[partition] = node;
    const after = this.#costAt(partition);
    this.#owners[partition] = current;
    return before - after;
  }

  #recount(giver: number, taker: number): void {
    this.#countByNode[giver] = this.#count(giver) - 1;
    this.#countByNode[taker] = this.#count(taker) + 1;
  }

  /** What `partition`'s owner costs here: the pairs it is too close in, and whether it moved. */
  #costAt(partition: number): number {
    const { ringSize, nodeSpacing, locationSpacing, locationByNode, previous } = this.#rules;
    const node = this.#ownerAt(partition);
    const location = locationByNode[node];
    const reach = Math.max(nodeSpacing, locationSpacing);
    let cost = hasMoved(previous[partition], node) ? 1 : 0;
    for (let distance = 1; distance < reach; distance += 1) {
      const ahead = this.#ownerAt((partition + distance) % ringSize);
      const behind = this.#ownerAt((partition - distance + ringSize) % ringSize);
      if (distance < nodeSpacing) {
        if (ahead === node) cost += this.#nodeWeight;
        if (behind === node) cost += this.#nodeWeight;
      }
      if (distance < locationSpacing) {
        if (locationByNode[ahead] === location) cost += this.#locationWeight;
        if (locationByNode[behind] === location) cost += this.#locationWeight;
      }
    }
    return cost;
  }

  #ownerAt(partition: number): number {
    // The index is below the ring size by construction; an assertion would double the search's cost.
    return this.#owners[partition] as number;
  }

  #count(node: number): number {
    return this.#countByNode[node] as number;
  }
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
