/**
 * Participants: the nodes of one request, each asked once.
 *
 * A node may hold several positions of a preference list: there are fewer nodes than n, or it stands
 * in for a replica that is down. It is asked once, and its one reply counts for each of its
 * positions, but only those it holds as a primary count for pr and pw.
 *
 * While the cluster moves from one ring to another, a write goes to the lists of both (`JointLists`),
 * and is enough only when it is in each.
 *
 * `ActiveLists` keeps the participants of each partition until a ring or liveness changes, so that a
 * request costs neither a walk of the ring nor an allocation.
 */

import type { NodeId, Partition } from '../base/names.ts';
import type { ActivePreferenceList, Ring } from '../ring/ring.ts';

export interface Participant {
  readonly node: NodeId;
  readonly positionCount: number;
  /** Of those, the ones that are this node's own. */
  readonly primaryCount: number;
  /** The replicas that are down and that it stands in for, each once. */
  readonly hintTargets: readonly NodeId[];
}

/** Who takes part in a write while a step from one ring to another is open. */
export interface JointLists {
  /** The lists in which the write must be enough, each by itself. */
  readonly each: readonly [readonly Participant[], readonly Participant[]];
  /** Every node of them once, with all that it is owed or stands in for in either. */
  readonly union: readonly Participant[];
}

/** What requests read of the cluster; each function answers from memory. */
export interface ClusterView {
  /** Where reads hold. Replaced, never edited, when an epoch changes it. */
  ring(): Ring;
  /** The ring in which writes must hold too, while a step is open. */
  jointRing(): Ring | undefined;
  /** This node is always up to itself. */
  isUp(node: NodeId): boolean;
  /** Rises with every change of what `isUp` answers. */
  livenessVersion(): number;
}

const NO_TARGETS: readonly NodeId[] = [];

/** In the order of the list. */
export function participantsOf(list: ActivePreferenceList): readonly Participant[] {
  return list.replicas.map(({ node, count }) => {
    let primaryCount = 0;
    let hintTargets = NO_TARGETS;
    for (const position of list.positions) {
      if (position.node !== node) continue;
      if (position.isPrimary) primaryCount += 1;
      else if (!hintTargets.includes(position.primary)) {
        hintTargets = [...hintTargets, position.primary];
      }
    }
    return { node, positionCount: count, primaryCount, hintTargets };
  });
}

/** Lists for n up to this are kept. */
const KEPT_N_MAX = 8;

export class ActiveLists {
  readonly #view: ClusterView;
  #ring: Ring | undefined;
  #jointRing: Ring | undefined;
  #livenessVersion = -1;
  /** n → partition → participants. */
  #keptByN: (readonly Participant[] | undefined)[][] = [];
  #keptJointByN: (readonly Participant[] | undefined)[][] = [];

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** The nodes to ask now; without `isSloppy` only the primaries that are up. */
  participants(partition: Partition, n: number, isSloppy: boolean): readonly Participant[] {
    this.#refresh();
    const active = this.#kept(this.#keptByN, this.#view.ring(), { partition, n });
    return isSloppy ? active : strict(active);
  }

  /** Undefined: `participants` are all that a write needs, as ever while no step is open. */
  jointLists(partition: Partition, n: number, isSloppy: boolean): JointLists | undefined {
    const jointRing = this.#view.jointRing();
    if (jointRing === undefined) return undefined;
    const ours = this.participants(partition, n, isSloppy);
    const active = this.#kept(this.#keptJointByN, jointRing, { partition, n });
    const theirs = isSloppy ? active : strict(active);
    if (isSameList(ours, theirs)) return undefined;
    return { each: [ours, theirs], union: unionOf(ours, theirs) };
  }

  /**
   * Who stands in for `failed`, a node that `isUp` still calls up: the first node that would take one
   * of its positions if all of `tried` were down, and that is not among them.
   */
  findStandIn(
    place: { readonly partition: Partition; readonly n: number },
    failed: Participant,
    tried: readonly NodeId[],
  ): Participant | undefined {
    const list = this.#view.ring().activePreferenceList(place.partition, place.n, (node) => {
      return !tried.includes(node) && this.#view.isUp(node);
    });
    const found = list.positions.find(({ isPrimary }) => !isPrimary);
    if (found === undefined) return undefined;
    const { positionCount, primaryCount, hintTargets } = failed;
    return {
      node: found.node,
      positionCount,
      primaryCount: 0,
      hintTargets:
        primaryCount > 0 && !hintTargets.includes(failed.node)
          ? [failed.node, ...hintTargets]
          : hintTargets,
    };
  }

  #refresh(): void {
    const ring = this.#view.ring();
    const jointRing = this.#view.jointRing();
    const livenessVersion = this.#view.livenessVersion();
    const isFresh =
      ring === this.#ring &&
      jointRing === this.#jointRing &&
      livenessVersion === this.#livenessVersion;
    if (isFresh) return;
    this.#ring = ring;
    this.#jointRing = jointRing;
    this.#livenessVersion = livenessVersion;
    this.#keptByN = [];
    this.#keptJointByN = [];
  }

  #kept(
    keptByN: (readonly Participant[] | undefined)[][],
    ring: Ring,
    { partition, n }: { readonly partition: Partition; readonly n: number },
  ): readonly Participant[] {
    if (n > KEPT_N_MAX) return this.#compute(ring, partition, n);
    const kept = (keptByN[n] ??= []);
    return (kept[partition] ??= this.#compute(ring, partition, n));
  }

  #compute(ring: Ring, partition: Partition, n: number): readonly Participant[] {
    return participantsOf(ring.activePreferenceList(partition, n, (node) => this.#view.isUp(node)));
  }
}

function isSameList(left: readonly Participant[], right: readonly Participant[]): boolean {
  return (
    left.length === right.length &&
    left.every((participant, index) => {
      const other = right[index];
      return (
        other !== undefined &&
        participant.node === other.node &&
        participant.positionCount === other.positionCount &&
        participant.primaryCount === other.primaryCount &&
        participant.hintTargets.length === other.hintTargets.length &&
        participant.hintTargets.every((target, at) => target === other.hintTargets[at])
      );
    })
  );
}

function unionOf(left: readonly Participant[], right: readonly Participant[]): Participant[] {
  const union = left.map((ours) => {
    const theirs = right.find(({ node }) => node === ours.node);
    if (theirs === undefined) return ours;
    const targets = new Set([...ours.hintTargets, ...theirs.hintTargets]);
    return {
      node: ours.node,
      positionCount: Math.max(ours.positionCount, theirs.positionCount),
      primaryCount: Math.max(ours.primaryCount, theirs.primaryCount),
      hintTargets: [...targets],
    };
  });
  const isNew = ({ node }: Participant): boolean => !left.some((ours) => ours.node === node);
  return [...union, ...right.filter(isNew)];
}

function strict(active: readonly Participant[]): readonly Participant[] {
  if (active.every(({ hintTargets }) => hintTargets.length === 0)) return active;
  return active
    .filter(({ primaryCount }) => primaryCount > 0)
    .map(({ node, primaryCount }) => ({
      node,
      positionCount: primaryCount,
      primaryCount,
      hintTargets: NO_TARGETS,
    }));
}
