/**
 * `Peer` over links: one to each peer for requests, a stream of its own for each bulk transfer.
 *
 * Who the peers are and where they listen is told by `setPeers`, after each change of the cluster
 * state: links to new ones are dialled, links to those that went are closed, the rest stay.
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { JoinAddress, JoinPort, JoinReply, JoinRequest } from '../peer/join.ts';
import type { Peer } from '../peer/peer.ts';
import { streamRequestToTuple } from '../peer/wire.ts';
import type { Carrier } from './carrier.ts';
import { addressToText } from './channel.ts';
import type { PeerAddress } from './channel.ts';
import { askToJoin } from './join-call.ts';
import type { Remembered } from './handshake.ts';
import type { PeerGate } from './peer-gate.ts';
import { PeerLink } from './peer-link.ts';
import type { LinkStatus } from './peer-link.ts';
import { PeerStream } from './peer-stream.ts';

export interface LinkedPeerOptions {
  /** Requests under way to one peer at most. Default 8,192. */
  readonly windowRequests?: number;
  /** Bytes of them at most. Default 64 MiB. */
  readonly windowBytes?: number;
  /** Default 5,000. */
  readonly handshakeTimeoutMs?: number;
  /** Longest pause between two attempts; the first is a twentieth of it. Default 2,000. */
  readonly reconnectDelayMaxMs?: number;
  /** A link opened or broke; `isVouching`: the peer knew a start that this one descends from. */
  readonly linkChanged?: (node: NodeId, isOpen: boolean, isVouching: boolean) => void;
  /** A peer says that this node is no member. */
  readonly calledStranger?: (node: NodeId) => void;
  /** A peer remembers another start of this node, which this one does not come after. */
  readonly calledOutdated?: (node: NodeId, remembered: Remembered) => void;
}

export interface LinkedPeerPorts {
  readonly host: Host;
  readonly gate: PeerGate;
  readonly carrier: Carrier;
}

export class LinkedPeer implements Peer, JoinPort {
  readonly #ports: LinkedPeerPorts;
  readonly #options: LinkedPeerOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #streams = new Set<PeerStream>();
  #isClosed = false;

  constructor(ports: LinkedPeerPorts, options: LinkedPeerOptions) {
    this.#ports = ports;
    this.#options = options;
    ports.gate.onAdmitted(({ node, incarnation }) => this.#links.get(node)?.heard(incarnation));
  }

  /** The peers that links are kept to, without this node. */
  setPeers(addresses: ReadonlyMap<NodeId, PeerAddress>): void {
    if (this.#isClosed) return;
    for (const [node, link] of this.#links) {
      const address = addresses.get(node);
      if (address !== undefined && addressToText(address) === addressToText(link.address)) continue;
      this.#links.delete(node);
      link.close();
    }
    for (const [node, address] of addresses) {
      if (!this.#links.has(node)) this.#links.set(node, this.#newLink(node, address));
    }
  }

  request(target: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const link = this.#links.get(target);
    if (link === undefined) return Promise.reject(unknownPeer(target));
    return link.request(request, timeoutMs);
  }

  stream(
    target: NodeId,
    request: PeerStreamRequest,
    idleTimeoutMs: number,
  ): AsyncIterableIterator<PeerStreamItem> {
    const stream: PeerStream = new PeerStream(
      this.#ports.host,
      {
        connection: () => {
          const link = this.#links.get(target);
          if (link === undefined) throw unknownPeer(target);
          const connection = link.bulkConnection();
          if (connection === undefined) throw link.unreachable();
          this.#streams.add(stream);
          return connection;
        },
        hello: () => this.#ports.gate.hello(target),
        ended: () => this.#streams.delete(stream),
      },
      { target, tuple: streamRequestToTuple(request), idleTimeoutMs },
    );
    return stream;
  }

  askToJoin(address: JoinAddress, request: JoinRequest, timeoutMs: number): Promise<JoinReply> {
    return askToJoin(this.#ports.carrier.dial(address, 'link'), request, timeoutMs);
  }

  isLinked(node: NodeId): boolean {
    return this.#links.get(node)?.isOpen ?? false;
  }

  links(): readonly LinkStatus[] {
    return Array.from(this.#links.values(), (link) => link.status());
  }

  /** Ends every link and stream; requests under way are rejected with `peer-closed`. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.abort(new Fault('closed', 'this node stops'));
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #newLink(node: NodeId, address: PeerAddress): PeerLink {
    const options = this.#options;
    return new PeerLink(
      this.#ports,
      { node, address },
      {
        window: {
          requests: options.windowRequests ?? 8_192,
          sizeBytes: options.windowBytes ?? 64 * 1024 * 1024,
        },
        handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5_000,
        reconnectDelayMaxMs: options.reconnectDelayMaxMs ?? 2_000,
        changed: (changed, isOpen, isVouching) =>
          options.linkChanged?.(changed, isOpen, isVouching),
        refused: (peer, { reason, remembered }) => {
          if (reason === 'stranger') options.calledStranger?.(peer);
          if (remembered !== undefined) options.calledOutdated?.(peer, remembered);
        },
      },
    );
  }
}

function unknownPeer(target: NodeId): Fault {
  return new Fault('peer-unreachable', `${target} is no peer of this node`);
}
