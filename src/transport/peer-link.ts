/**
 * The link to one peer: dialled again and again for as long as it is wanted.
 *
 * While it is not open, requests fail at once with `peer-unreachable`; nothing is ever kept for
 * later, because the coordinator has a better use for the time: another replica. The pause before the
 * next attempt grows, with jitter, so that a node that comes back is not met by all of its peers in
 * one moment; when it calls us first, it is called back at once. A peer calls with each stream: a dial that
 * came to nothing is not followed by another before the first pause is over, whoever calls.
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import type { Carrier, Connection } from './carrier.ts';
import type { PeerAddress } from './channel.ts';
import type { Hello, Refusal } from './handshake.ts';
import { LinkSession, type LinkRefusal } from './link-session.ts';
import type { PeerGate } from './peer-gate.ts';
import type { WindowOptions } from './pending-requests.ts';

/** The first pause, as a part of the longest. */
const FIRST_DELAY_FRACTION = 1 / 20;

export interface LinkOptions {
  readonly window: WindowOptions;
  readonly handshakeTimeoutMs: number;
  readonly reconnectDelayMaxMs: number;
  /** The link opened or broke; `isVouching`: the peer knew a start that this one descends from. */
  readonly changed: (node: NodeId, isOpen: boolean, isVouching: boolean) => void;
  /** The peer does not want the link. */
  readonly refused: (node: NodeId, refusal: Refusal) => void;
}

export interface LinkStatus {
  readonly node: NodeId;
  readonly address: PeerAddress;
  readonly isOpen: boolean;
  /** What the peer last said of itself; undefined: it was never admitted. */
  readonly hello: Hello | undefined;
  /** Why it is not open. */
  readonly reason: string;
  readonly inFlightCount: number;
  readonly inFlightBytes: number;
}

export class PeerLink {
  readonly address: PeerAddress;
  readonly #host: Host;
  readonly #gate: PeerGate;
  readonly #carrier: Carrier;
  readonly #node: NodeId;
  readonly #options: LinkOptions;
  #connection: Connection | undefined;
  #bulkConnection: Connection | undefined;
  #session: LinkSession | undefined;
  #isClosed = false;
  #isUp = false;
  #openedAtMs = 0;
  /** When a dial last came to nothing. */
  #failedAtMs = Number.NEGATIVE_INFINITY;
  /** Two that do not understand each other introduce themselves and part at once, for ever. */
  #brokeEarlyWith: number | undefined;
  #failures = 0;
  #reason = 'not tried yet';
  #cancelDial: () => void = () => {};

  constructor(
    ports: { readonly host: Host; readonly gate: PeerGate; readonly carrier: Carrier },
    peer: { readonly node: NodeId; readonly address: PeerAddress },
    options: LinkOptions,
  ) {
    this.#host = ports.host;
    this.#gate = ports.gate;
    this.#carrier = ports.carrier;
    this.#node = peer.node;
    this.address = peer.address;
    this.#options = options;
    this.#dial();
  }

  get isOpen(): boolean {
    return this.#isUp;
  }

  status(): LinkStatus {
    return {
      node: this.#node,
      address: this.address,
      isOpen: this.isOpen,
      hello: this.#gate.lastHello(this.#node),
      reason: this.isOpen ? '' : this.#reason,
      inFlightCount: this.#session?.inFlightCount ?? 0,
      inFlightBytes: this.#session?.inFlightBytes ?? 0,
    };
  }

  request(request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const session = this.#session;
    if (session === undefined || !session.isOpen) return Promise.reject(this.unreachable());
    return session.request(request, timeoutMs);
  }

  /** A connection beside the link's own, for streams; undefined while there is no link. */
  bulkConnection(): Connection | undefined {
    if (!this.isOpen) return undefined;
    this.#bulkConnection ??= this.#carrier.dial(this.address, 'bulk');
    return this.#bulkConnection;
  }

  unreachable(): Fault {
    return new Fault('peer-unreachable', `no link to ${this.#node}: ${this.#reason}`);
  }

  /**
   * The peer was heard from: dial now, unless that was just of no use, and give up a session with an
   * earlier incarnation of it.
   */
  heard(incarnation: number): void {
    if (this.#isClosed) return;
    if (this.#session === undefined) {
      if (this.#brokeEarlyWith === incarnation) return;
      this.#failures = 0;
      this.#callBack();
    } else if (this.#session.isOpen && this.#session.peerIncarnation < incarnation) {
      this.#session.close('the peer has been restarted');
    }
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelDial();
    this.#session?.close('closed');
    this.#closeConnections();
  }

  #callBack(): void {
    const { clock } = this.#host;
    const firstPauseMs = this.#options.reconnectDelayMaxMs * FIRST_DELAY_FRACTION;
    const waitMs = this.#failedAtMs + firstPauseMs - clock.monotonicMs();
    this.#cancelDial();
    if (waitMs <= 0) this.#dial();
    else this.#cancelDial = clock.after(waitMs, () => this.#dial());
  }

  #dial(): void {
    this.#connection = this.#carrier.dial(this.address, 'link');
    const call = this.#connection.openLink();
    const { window, handshakeTimeoutMs } = this.#options;
    const ports = { host: this.#host, gate: this.#gate, defer: this.#carrier.defer };
    this.#session = new LinkSession(ports, call, {
      options: { target: this.#node, window, handshakeTimeoutMs },
      events: {
        opened: (hello) => this.#opened(hello),
        ended: (reason, refused) => this.#ended(reason, refused),
      },
    });
  }

  #opened({ isVouching }: Hello): void {
    this.#isUp = true;
    this.#openedAtMs = this.#host.clock.monotonicMs();
    this.#host.log.info('peer.linked', { peer: this.#node });
    this.#options.changed(this.#node, true, isVouching ?? false);
  }

  #ended(reason: string, refused: LinkRefusal | undefined): void {
    const wasUp = this.#isUp;
    const session = this.#session;
    this.#isUp = false;
    this.#session = undefined;
    this.#reason = reason;
    const nowMs = this.#host.clock.monotonicMs();
    if (!wasUp) this.#failedAtMs = nowMs;
    const livedMs = nowMs - this.#openedAtMs;
    const brokeEarly = wasUp && livedMs < this.#options.reconnectDelayMaxMs;
    this.#brokeEarlyWith = brokeEarly ? session?.peerIncarnation : undefined;
    if (wasUp && !brokeEarly) this.#failures = 0;
    this.#closeConnections();
    if (!this.#isClosed) this.#dialLater(refused !== undefined);
    if (refused?.isOurs === false) this.#options.refused(this.#node, refused.refusal);
    if (!wasUp) return;
    this.#noteEnd(reason);
    this.#options.changed(this.#node, false, false);
  }

  /** What this node let go is not lost. */
  #noteEnd(reason: string): void {
    const { log, metrics } = this.#host;
    if (this.#isClosed) {
      log.info('peer.unlinked', { peer: this.#node });
      return;
    }
    metrics.count('peer_links_lost');
    log.warn('peer.lost', { peer: this.#node, why: reason });
  }

  #dialLater(wasRefused: boolean): void {
    const maxMs = this.#options.reconnectDelayMaxMs;
    const grownMs = maxMs * FIRST_DELAY_FRACTION * 2 ** Math.min(this.#failures, 30);
    // Who refuses us will hardly change their mind within milliseconds.
    const delayMs = wasRefused ? maxMs : Math.min(maxMs, grownMs);
    const jitter = 0.5 + this.#host.random.integer(1_000) / 1_000;
    this.#failures += 1;
    this.#cancelDial = this.#host.clock.after(delayMs * jitter, () => this.#dial());
  }

  #closeConnections(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#bulkConnection?.close();
    this.#bulkConnection = undefined;
  }
}
