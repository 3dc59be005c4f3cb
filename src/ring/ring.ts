/**
 * The ring: who owns which partition, and who holds a key.
 *
 * A `Ring` is built once from a cluster state and never changes. The replicas of a key are the nodes
 * met when walking the ring clockwise from the key's partition, each node once. When there are fewer
 * nodes than replicas the walk goes on and each node may be met once more in every further lap over
 * the nodes, so a node then holds several *positions*.
 *
 * Lists are computed at their first use and kept, so that a request costs O(n) whatever the size of
 * ring and cluster; only lists with a fallback in them walk the ring.
 *
 * Source: DeCandia et al. 2007, "Dynamo", sections 4.3 and 4.6 (preference list, hinted handoff).
 */

import { assert } from '../base/fault.ts';
import type { NodeId, Partition } from '../base/names.ts';
import { isRingSize } from './partition.ts';

/** The part of a cluster state that a ring is made of. */
export interface RingLayout {
  readonly ringSize: number;
  readonly members: readonly { readonly id: NodeId; readonly location: string }[];
  /** partition → index into `members`. */
  readonly ownerByPartition: readonly number[];
}

/** One of the n places of a key: the ring partition met on the walk, and its owner. */
export interface Position {
  /** From 0; the walk's order. */
  readonly position: number;
  readonly partition: Partition;
  readonly node: NodeId;
}

/** A node of a preference list and how many of its positions are that node's. */
export interface PositionCount {
  readonly node: NodeId;
  readonly count: number;
}

export interface PreferenceList {
  readonly positions: readonly Position[];
  /** Distinct nodes, in the order in which they first appear in `positions`. */
  readonly replicas: readonly PositionCount[];
}

/** A position and who serves it now. */
export interface ActivePosition extends Position {
  /** Whose position it is: equal to `node`, or the down node that a fallback stands in for. */
  readonly primary: NodeId;
  readonly isPrimary: boolean;
}

export interface ActivePreferenceList {
  /** Empty when no node of the ring is up. */
  readonly positions: readonly ActivePosition[];
  readonly replicas: readonly PositionCount[];
}

/** Lists for n up to this are kept; larger ones are computed at each call. */
const KEPT_N_MAX = 16;

export class Ring {
  readonly ringSize: number;
  /** The nodes that own at least one partition, sorted. */
  readonly nodes: readonly NodeId[];
  readonly #ownerByPartition: readonly NodeId[];
  readonly #locationByNode: ReadonlyMap<NodeId, string>;
  /** n → partition → list, filled at first use. */
  readonly #listsByN: (ActivePreferenceList | undefined)[][] = [];
  /** n → node → partitions it holds replicas of, filled at first use. */
  readonly #heldByN = new Map<number, ReadonlyMap<NodeId, readonly Partition[]>>();

  constructor(layout: RingLayout) {
    assert(isRingSize(layout.ringSize), 'a ring size is a power of two from 8 to 1024');
    assert(layout.ownerByPartition.length === layout.ringSize, 'each partition has one owner');
    this.ringSize = layout.ringSize;
    this.#ownerByPartition = layout.ownerByPartition.map((index) => {
      const member = layout.members[index];
      assert(member !== undefined, 'an owner is a member');
      return member.id;
    });
    this.nodes = [...new Set(this.#ownerByPartition)].sort();
    this.#locationByNode = new Map(layout.members.map(({ id, location }) => [id, location]));
  }

  ownerOf(partition: Partition): NodeId {
    const owner = this.#ownerByPartition[partition];
    assert(owner !== undefined, 'a partition is below the ring size');
    return owner;
  }

  /** '' for a node without a location or one that the ring does not know. */
  locationOf(node: NodeId): string {
    return this.#locationByNode.get(node) ?? '';
  }

  /** The partitions that `node` owns, in order. */
  partitionsOf(node: NodeId): Partition[] {
    return this.#partitions().filter((partition) => this.#ownerByPartition[partition] === node);
  }

  /** The `n` positions of the keys of `partition`; no more than there are partitions. */
  preferenceList(partition: Partition, n: number): PreferenceList {
    return this.#primaries(partition, n);
  }

  /** The first `count` nodes that are met from `partition` on; all, where there are no more. */
  nodesFrom(partition: Partition, count: number): NodeId[] {
    const met = new Set<NodeId>();
    const wanted = Math.min(count, this.nodes.length);
    for (let at = partition; met.size < wanted; at = this.#after(at)) met.add(this.ownerOf(at));
    return [...met];
  }

  /**
   * The positions of `preferenceList`, each served by its primary if that is up, and otherwise by the next up node
   * on the walk past the list; when no such node is left, up nodes of the list stand in too.
   */
  activePreferenceList(
    partition: Partition,
    n: number,
    isUp: (node: NodeId) => boolean,
  ): ActivePreferenceList {
    const list = this.#primaries(partition, n);
    for (const { node } of list.replicas) {
      if (!isUp(node)) return this.#withFallbacks(list, isUp);
    }
    return list;
  }

  /** Whether `node` is one of the replicas of `partition`'s keys. */
  isReplica(partition: Partition, n: number, node: NodeId): boolean {
    for (const replica of this.#primaries(partition, n).replicas) {
      if (replica.node === node) return true;
    }
    return false;
  }

  /** The partitions whose keys `node` holds with `n` replicas, in order. O(ring size) at first use. */
  partitionsHeldBy(node: NodeId, n: number): readonly Partition[] {
    let heldByNode = this.#heldByN.get(n);
    if (heldByNode === undefined) {
      heldByNode = this.#computeHeld(n);
      if (n <= KEPT_N_MAX) this.#heldByN.set(n, heldByNode);
    }
    return heldByNode.get(node) ?? [];
  }

  #partitions(): Partition[] {
    return Array.from({ length: this.ringSize }, (_, index) => index as Partition);
  }

  #computeHeld(n: number): Map<NodeId, Partition[]> {
    const heldByNode = new Map<NodeId, Partition[]>();
    for (const partition of this.#partitions()) {
      for (const { node } of this.#primaries(partition, n).replicas) {
        const held = heldByNode.get(node);
        if (held === undefined) heldByNode.set(node, [partition]);
        else held.push(partition);
      }
    }
    return heldByNode;
  }

  #primaries(partition: Partition, n: number): ActivePreferenceList {
    assert(Number.isInteger(n) && n >= 1, 'a key has at least one replica');
    if (n > KEPT_N_MAX) return this.#walkPrimaries(partition, n);
    const lists = (this.#listsByN[n] ??= []);
    return (lists[partition] ??= this.#walkPrimaries(partition, n));
  }

  #walkPrimaries(partition: Partition, n: number): ActivePreferenceList {
    const positions: ActivePosition[] = [];
    const length = Math.min(n, this.ringSize);
    let metInLap = new Set<NodeId>();
    for (let at = partition; positions.length < length; at = this.#after(at)) {
      const node = this.ownerOf(at);
      if (metInLap.has(node)) continue;
      metInLap.add(node);
      if (metInLap.size === this.nodes.length) metInLap = new Set();
      const position = positions.length;
      positions.push({ position, partition: at, node, primary: node, isPrimary: true });
    }
    return { positions, replicas: countPositions(positions) };
  }

  #withFallbacks(
    list: ActivePreferenceList,
    isUp: (node: NodeId) => boolean,
  ): ActivePreferenceList {
    const upInList: NodeId[] = [];
    for (const { node } of list.replicas) if (isUp(node)) upInList.push(node);
    let vacancies = 0;
    for (const { node } of list.positions) if (!upInList.includes(node)) vacancies += 1;
    const candidates = this.#fallbacksPast(list, vacancies, isUp);
    if (candidates.length < vacancies) candidates.push(...upInList);
    if (candidates.length === 0) return { positions: [], replicas: [] };
    let taken = 0;
    const positions: ActivePosition[] = [];
    for (const place of list.positions) {
      if (upInList.includes(place.node)) {
        positions.push(place);
        continue;
      }
      const node = candidates[taken % candidates.length];
      assert(node !== undefined, 'a fallback was found');
      taken += 1;
      const { position, partition, primary } = place;
      positions.push({ position, partition, node, primary, isPrimary: false });
    }
    return { positions, replicas: countPositions(positions) };
  }

  /** Up nodes that are not of the list, in the order of the walk past it; `wanted` at most. */
  #fallbacksPast(
    list: ActivePreferenceList,
    wanted: number,
    isUp: (node: NodeId) => boolean,
  ): NodeId[] {
    const past: NodeId[] = [];
    let unmet = this.nodes.length - list.replicas.length;
    if (unmet === 0) return past;
    const met = new Set<NodeId>();
    for (const { node } of list.replicas) met.add(node);
    let at = list.positions.at(-1)?.partition ?? (0 as Partition);
    while (unmet > 0 && past.length < wanted) {
      at = this.#after(at);
      const node = this.ownerOf(at);
      if (met.has(node)) continue;
      met.add(node);
      unmet -= 1;
      if (isUp(node)) past.push(node);
    }
    return past;
  }

  #after(partition: Partition): Partition {
    return ((partition + 1) % this.ringSize) as Partition;
  }
}

function countPositions(positions: readonly Position[]): PositionCount[] {
  const counts: { node: NodeId; count: number }[] = [];
  for (const { node } of positions) {
    // Lists are short: looking through them costs less than a map.
    const known = counts.find((each) => each.node === node);
    if (known === undefined) counts.push({ node, count: 1 });
    else known.count += 1;
  }
  return counts;
}
