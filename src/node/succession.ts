/**
 * Succession: a new store in the place of a lost one, and what the peers remember of the lost one.
 *
 * Peers keep out an incarnation lower than the last that they have seen, because an old image of a store
 * must not come back. A new store counts from the wall clock and so comes after the lost one, unless that
 * clock was behind. Then it is told what is remembered, and counts on from there: but only a store that
 * no peer had admitted when it was opened; only for a peer that has never admitted it, or somebody has
 * followed it since; and only if the peer has known the other for longer than this process runs, or it
 * was begun after this one. A peer may err or lie: it can move the count by so much and so often, and
 * never to where there is no room for the next start.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
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
  /** Random, made with the store; bytes as latin1. */
  readonly identity: string;
  readonly incarnation: number;
  readonly epoch: Epoch;
}

/** Another store's incarnation of this node. */
export interface RememberedIncarnation {
  readonly incarnation: number;
  /** How long ago the peer first admitted it. */
  readonly knownForMs: number;
}

export class Succession {
  readonly #host: Host;
  readonly #identity: Identity;
  readonly #begunAtMs: number;
  readonly #incarnationMax: number;
  readonly #admittedBy = new Set<NodeId>();
  #riseCount = 0;
  #isFollowed = false;

  constructor(host: Host, identity: Identity) {
    this.#host = host;
    this.#identity = identity;
    this.#begunAtMs = host.clock.monotonicMs();
    this.#incarnationMax = identity.incarnation + RISE_MAX;
  }

  /** A link to `peer` has opened. */
  admittedBy(peer: NodeId): void {
    if (!this.#identity.wasNeverLinked) return;
    this.#admittedBy.add(peer);
    void this.#noting(this.#identity.noteLinked());
  }

  /** `peer` refuses this node for what it remembers. */
  refusedBy(peer: NodeId, remembered: RememberedIncarnation): void {
    const { log, metrics } = this.#host;
    const { incarnation } = remembered;
    const { incarnation: own } = this.#identity;
    if (incarnation < own) return;
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
    this.#riseCount += 1;
    metrics.count('incarnation_rises');
    log.warn('node.incarnation-raised', { peer, own, remembered: incarnation });
    void this.#noting(this.#identity.raiseIncarnation(incarnation + 1));
  }

  #comesAfter(peer: NodeId, { knownForMs }: RememberedIncarnation): boolean {
    if (this.#admittedBy.has(peer)) this.#isFollowed = true;
    if (this.#isFollowed || !this.#identity.wasNeverLinked) return false;
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
