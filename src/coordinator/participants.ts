/**
 * Participants: the nodes of one request, each asked once.
 *
 * A node may hold several positions of a preference list: there are fewer nodes than n, or it stands
 * in for a replica that is down. It is asked once, and its one reply counts for each of its
 * positions, but only those it holds as a primary count for pr and pw.
 *
 * `ActiveLists` keeps the participants of each partition until ring or liveness change, so that a
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

/** What requests read of the cluster; each function answers from memory. */
export interface ClusterView {
  /** Replaced, never edited, when an epoch changes it. */
  ring(): Ring;
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
  #livenessVersion = -1;
  /** n → partition → participants. */
  #keptByN: (readonly Participant[] | undefined)[][] = [];

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** The nodes to ask now; without `isSloppy` only the primaries that are up. */
  participants(partition: Partition, n: number, isSloppy: boolean): readonly Participant[] {
    const active = this.#active(partition, n);
    return isSloppy ? active : strict(active);
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

  #active(partition: Partition, n: number): readonly Participant[] {
    const ring = this.#view.ring();
    const livenessVersion = this.#view.livenessVersion();
    if (ring !== this.#ring || livenessVersion !== this.#livenessVersion) {
      this.#ring = ring;
      this.#livenessVersion = livenessVersion;
      this.#keptByN = [];
    }
    if (n > KEPT_N_MAX) return this.#compute(partition, n);
    const kept = (this.#keptByN[n] ??= []);
    return (kept[partition] ??= this.#compute(partition, n));
  }

  #compute(partition: Partition, n: number): readonly Participant[] {
    return participantsOf(
      this.#view.ring().activePreferenceList(partition, n, (node) => this.#view.isUp(node)),
    );
  }
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
