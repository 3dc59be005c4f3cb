/**
 * Succession: which starts of this node peers remember, and what follows from it.
 *
 * A peer vouches for this start if it knew one that this comes from, and none since: then it is no copy
 * of the disk. When a majority of the other members does, actors go on after a clean stop.
 *
 * Peers keep out a start that they know a later one of. A store that no peer had admitted when it was
 * opened is new: it counts its incarnations from the wall clock and so comes after the lost one, unless
 * that clock was behind; then it counts on from what it is told. Any other is a copy that was put back
 * (`foundOld`): it may have forgotten what followed, promises too. Either goes only for a peer that has
 * never admitted this process, or somebody has followed it since; and only if the peer has known the
 * other for longer than this process runs. A peer may err or lie: it can move the count by so much and so
 * often, and never to where there is no room for the next start.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { Lineage } from '../base/lineage.ts';
import type { Epoch, NodeId } from '../base/names.ts';
import type { Identity } from '../replica/identity.ts';

/** As far as a wall clock is ever wrong: 278 years in milliseconds. */
const RISE_MAX = 2 ** 43;
/** Peers may remember different incarnations; a link breaks each time. */
const RISES_MAX = 32;

/** What a node tells a peer when a link opens. */
export interface NodeIntroduction {
  readonly clusterName: string;
  readonly node: NodeId;
  /** Random, drawn at this start; bytes as latin1. */
  readonly identity: string;
  readonly incarnation: number;
  readonly lineage: Lineage;
  readonly epoch: Epoch;
}

/** Another start of this node. */
export interface RememberedIncarnation {
  readonly incarnation: number;
  /** How long ago the peer first admitted it. */
  readonly knownForMs: number;
}

export interface SuccessionPorts {
  /** Besides this node. */
  readonly otherMembers: () => readonly NodeId[];
  /** `peer` remembers a start that this store knows nothing of: it is an older copy. Called once. */
  readonly foundOld: (peer: NodeId, remembered: RememberedIncarnation) => void;
}

export class Succession {
  readonly #host: Host;
  readonly #identity: Identity;
  readonly #ports: SuccessionPorts;
  readonly #begunAtMs: number;
  readonly #incarnationMax: number;
  readonly #admittedBy = new Set<NodeId>();
  readonly #vouching = new Set<NodeId>();
  #riseCount = 0;
  #isFollowed = false;
  #isOld = false;

  constructor(host: Host, identity: Identity, ports: SuccessionPorts) {
    this.#host = host;
    this.#identity = identity;
    this.#ports = ports;
    this.#begunAtMs = host.clock.monotonicMs();
    this.#incarnationMax = identity.incarnation + RISE_MAX;
  }

  /** A link to `peer` has opened; `isVouching`: it knew a start that this comes from, and none since. */
  admittedBy(peer: NodeId, isVouching: boolean): void {
    this.#admittedBy.add(peer);
    if (isVouching) this.#vouching.add(peer);
    if (this.#identity.isUndecided && this.#isMajorityVouching()) this.#identity.continueActors();
    if (this.#identity.wasNeverLinked) void this.#noting(this.#identity.noteLinked());
  }

  /** `peer` refuses this node for what it remembers. */
  refusedBy(peer: NodeId, remembered: RememberedIncarnation): void {
    const { log, metrics } = this.#host;
    const { incarnation } = remembered;
    const { incarnation: own, wasNeverLinked } = this.#identity;
    if (this.#isOld || (wasNeverLinked && incarnation < own)) return;
    if (!this.#comesAfter(peer, remembered)) {
      log.warn('node.outdated', { peer, own, remembered: incarnation });
      return;
    }
    if (incarnation >= this.#incarnationMax || this.#riseCount >= RISES_MAX) {
      metrics.count('incarnation_rises_refused');
      const remedy = 'restart the peer: it remembers while it runs';
      log.error('node.incarnation-too-high', { peer, own, remembered: incarnation, remedy });
      return;
    }
    if (!wasNeverLinked) {
      this.#isOld = true;
      this.#ports.foundOld(peer, remembered);
      return;
    }
    this.#riseCount += 1;
    metrics.count('incarnation_rises');
    log.warn('node.incarnation-raised', { peer, own, remembered: incarnation });
    void this.#noting(this.#identity.raiseIncarnation(incarnation + 1));
  }

  #isMajorityVouching(): boolean {
    const others = this.#ports.otherMembers();
    return 2 * others.filter((node) => this.#vouching.has(node)).length > others.length;
  }

  #comesAfter(peer: NodeId, { knownForMs }: RememberedIncarnation): boolean {
    if (this.#admittedBy.has(peer)) this.#isFollowed = true;
    if (this.#isFollowed) return false;
    return knownForMs > this.#host.clock.monotonicMs() - this.#begunAtMs;
  }

  /** Links go on without what could not be noted; the next refusal tries again. */
  async #noting(noted: Promise<void>): Promise<void> {
    try {
      await noted;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#host.log.warn('node.incarnation-not-noted', { code: error.code });
    }
  }
}
