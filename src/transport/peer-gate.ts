/**
 * The gate: what this node knows of its peers' incarnations, and the one place that admits links.
 *
 * Links come in from the server and go out from the client; both ask here, so that a peer seen
 * restarted through one is outdated on the other at once. What the node had noted of its peers before it
 * was started is asked for once (`recall`). Why there is no link is logged once a minute for each peer and
 * reason, however often a misconfigured node knocks.
 */

import type { PeerCertificate } from 'node:tls';
import type { Host } from '../base/host.ts';
import type { KnownStart } from '../base/lineage.ts';
import type { NodeId } from '../base/names.ts';
import { refusalFor, helloToTuple, isDescendant } from './handshake.ts';
import type { Hello, Introduction, KnownPeer, Refusal } from './handshake.ts';
import { isCertifiedAs } from './peer-certificates.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';

const LOG_INTERVAL_MS = 60_000;

/** Strangers may invent names without end; past this many the oldest is forgotten. */
const NAMES_MAX = 4_096;

/** As it was noted before this process; how long ago, nobody can tell. */
export interface RecalledStart extends KnownStart {
  /** Whether nothing later was seen of it and forgotten. */
  readonly isLast: boolean;
}

/** Longer than any process runs. */
const RECALLED_FOR_MS = 2 ** 52;

interface Known extends Omit<KnownPeer, 'knownForMs'> {
  /** Undefined: it is only recalled. */
  readonly hello: Hello | undefined;
  readonly admittedAtMs: number;
  /** Whether nothing later was seen of it and forgotten. */
  readonly isLast: boolean;
  /** Whether it descends from what was known before. */
  readonly isVouchedFor: boolean;
}

export interface PeerGateOptions {
  /** What this node says of itself, now. */
  readonly introduce: () => Introduction;
  /** Whether links with this node are wanted: a member of the cluster state. */
  readonly isMember: (node: NodeId) => boolean;
  /** Whether callers must show a certificate for the name that they give. Default false. */
  readonly verifiesNames?: boolean;
  /** What was noted of a node before this process. Default: nothing. */
  readonly recall?: (node: NodeId) => RecalledStart | undefined;
  /** Whether a node is there now; who comes in its place is not told to follow it. Default: it is not. */
  readonly isUp?: (node: NodeId) => boolean;
}

export class PeerGate {
  readonly #host: Host;
  readonly #options: PeerGateOptions;
  readonly #known = new Map<NodeId, Known>();
  readonly #loggedAtMs = new Map<string, number>();
  readonly #listeners: ((introduction: Introduction) => void)[] = [];

  constructor(host: Host, options: PeerGateOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** The introduction to send to `dialled`. */
  hello(dialled: NodeId): WireTuple {
    return helloToTuple(this.#options.introduce(), dialled);
  }

  /** The introduction that answers a caller who was admitted. */
  answer(caller: Hello): WireTuple {
    return helloToTuple(this.#options.introduce(), caller.node, this.isVouchingFor(caller));
  }

  /** Whether the one who was admitted descends from what was known of it, and nothing else was. */
  isVouchingFor({ node, identity }: Introduction): boolean {
    const known = this.#known.get(node);
    return known?.identity === identity && known.isVouchedFor;
  }

  /** `admit` for who has called: its certificate must be for it too, where names are verified. */
  admitCaller(hello: Hello, certificate: PeerCertificate | undefined): Refusal | undefined {
    const refusal = this.refusalByCertificate(hello.node, certificate);
    if (refusal === undefined) return this.admit(hello);
    this.noteRefusal(hello.node, refusal);
    return refusal;
  }

  /** Undefined: who shows the certificate may be that node. */
  refusalByCertificate(
    node: NodeId,
    certificate: PeerCertificate | undefined,
  ): Refusal | undefined {
    if (this.#options.verifiesNames !== true || isCertifiedAs(node, certificate)) return undefined;
    return { reason: 'other-certificate', text: `the certificate shown is not for ${node}` };
  }

  /**
   * Admits the sender, and remembers its incarnation, or says why not. Whom this node has dialled, TLS
   * has compared with the address.
   */
  admit(hello: Hello): Refusal | undefined {
    const { introduce, isMember, isUp } = this.#options;
    const nowMs = this.#host.clock.monotonicMs();
    const last = this.#known.get(hello.node) ?? this.#recalled(hello.node, nowMs);
    const refusal = refusalFor(hello, {
      own: introduce(),
      isMember: isMember(hello.node),
      known: last && { ...last, knownForMs: nowMs - last.admittedAtMs },
      isKnownUp: isUp?.(hello.node) ?? false,
    });
    if (refusal !== undefined) {
      this.noteRefusal(hello.node, refusal);
      return refusal;
    }
    this.#known.set(hello.node, knownOf(hello, last, nowMs));
    for (const listener of this.#listeners) listener(hello);
    return undefined;
  }

  #recalled(node: NodeId, nowMs: number): Known | undefined {
    const start = this.#options.recall?.(node);
    if (start === undefined) return undefined;
    const { incarnation, mark, origin, isLast } = start;
    const known = { incarnation, identity: mark, origin, isLast, isVouchedFor: false };
    return { ...known, admittedAtMs: nowMs - RECALLED_FOR_MS, hello: undefined };
  }

  /** `listener` hears of every peer that was admitted, on either kind of link. */
  onAdmitted(listener: (introduction: Introduction) => void): void {
    this.#listeners.push(listener);
  }

  /** The newest incarnation seen of a node. */
  incarnationOf(node: NodeId): number | undefined {
    return this.#known.get(node)?.incarnation;
  }

  /** What a node that was admitted last said of itself. */
  lastHello(node: NodeId): Hello | undefined {
    return this.#known.get(node)?.hello;
  }

  /** Counts a refusal, ours or the peer's, and logs it unless that was just done. */
  noteRefusal(peer: string, refusal: Refusal): void {
    this.#host.metrics.count('peer_links_refused');
    if (!this.#isToBeLogged(`${refusal.reason} ${peer}`)) return;
    this.#host.log.warn('peer.refused', { peer, refusal: refusal.reason, text: refusal.text });
  }

  /** Logs that a link broke here, as `noteRefusal`; `peer`: a node, or the address of one that is not known. */
  noteFailure(peer: string, why: string): void {
    // Each attempt comes from another port.
    if (!this.#isToBeLogged(`${why} ${peer.replace(/:\d+$/, '')}`)) return;
    this.#host.log.warn('peer.link_failed', { peer, why });
  }

  #isToBeLogged(subject: string): boolean {
    const nowMs = this.#host.clock.monotonicMs();
    const loggedAtMs = this.#loggedAtMs.get(subject);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < LOG_INTERVAL_MS) return false;
    this.#loggedAtMs.delete(subject);
    this.#loggedAtMs.set(subject, nowMs);
    if (this.#loggedAtMs.size > NAMES_MAX) {
      const [oldest] = this.#loggedAtMs.keys();
      this.#loggedAtMs.delete(oldest ?? '');
    }
    return true;
  }
}

function knownOf(hello: Hello, last: Known | undefined, nowMs: number): Known {
  const { identity, incarnation, lineage } = hello;
  const isSame = last?.identity === identity && last.incarnation === incarnation;
  const isVouchedFor =
    last?.identity === identity
      ? last.isVouchedFor
      : last !== undefined && last.isLast && isDescendant(hello, last);
  const admittedAtMs = isSame ? last.admittedAtMs : nowMs;
  const origin = lineage?.origin;
  const known = { identity, incarnation, origin, isLast: true, isVouchedFor };
  return { ...known, hello, admittedAtMs };
}
