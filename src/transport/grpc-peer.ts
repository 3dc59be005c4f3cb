/**
 * `Peer` over gRPC: one link to each peer for requests, a stream of its own for each bulk transfer.
 *
 * Who the peers are and where they listen is told by `setPeers`, after each change of the cluster
 * state: links to new ones are dialled, links to those that went are closed, the rest stay.
 */

import type { ChannelCredentials } from '@grpc/grpc-js';
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
import { addressToText } from './channel.ts';
import type { PeerAddress } from './channel.ts';
import { askToJoin } from './join-call.ts';
import type { Remembered } from './handshake.ts';
import type { PeerGate } from './peer-gate.ts';
import { PeerLink } from './peer-link.ts';
import type { LinkStatus } from './peer-link.ts';
import { PeerStream } from './peer-stream.ts';

export interface GrpcPeerOptions {
  /** For the next connection. */
  readonly credentials: () => ChannelCredentials;
  /** Requests under way to one peer at most. Default 8,192. */
  readonly windowRequests?: number;
  /** Bytes of them at most. Default 64 MiB. */
  readonly windowBytes?: number;
  /** Default 5,000. */
  readonly handshakeTimeoutMs?: number;
  /** Silence after which a connection is probed; half of it again, and it is closed. Default 10,000. */
  readonly keepaliveMs?: number;
  /** Longest pause between two attempts; the first is a twentieth of it. Default 2,000. */
  readonly reconnectDelayMaxMs?: number;
  /** A link opened or broke; `isVouching`: the peer knew a start that this one descends from. */
  readonly linkChanged?: (node: NodeId, isOpen: boolean, isVouching: boolean) => void;
  /** A peer says that this node is no member. */
  readonly calledStranger?: (node: NodeId) => void;
  /** A peer remembers another start of this node, which this one does not come after. */
  readonly calledOutdated?: (node: NodeId, remembered: Remembered) => void;
}

const KEEPALIVE_MS = 10_000;

export class GrpcPeer implements Peer, JoinPort {
  readonly #host: Host;
  readonly #gate: PeerGate;
  readonly #options: GrpcPeerOptions;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #streams = new Set<PeerStream>();
  #isClosed = false;

  constructor(host: Host, gate: PeerGate, options: GrpcPeerOptions) {
    this.#host = host;
    this.#gate = gate;
    this.#options = options;
    gate.onAdmitted(({ node, incarnation }) => this.#links.get(node)?.heard(incarnation));
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
      this.#host,
      {
        client: () => {
          const link = this.#links.get(target);
          if (link === undefined) throw unknownPeer(target);
          const client = link.bulkClient();
          if (client === undefined) throw link.unreachable();
          this.#streams.add(stream);
          return client;
        },
        hello: () => this.#gate.hello(target),
        ended: () => this.#streams.delete(stream),
      },
      { target, tuple: streamRequestToTuple(request), idleTimeoutMs },
    );
    return stream;
  }

  askToJoin(address: JoinAddress, request: JoinRequest, timeoutMs: number): Promise<JoinReply> {
    const { credentials, keepaliveMs = KEEPALIVE_MS } = this.#options;
    return askToJoin(address, request, { credentials: credentials(), keepaliveMs, timeoutMs });
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
      { host: this.#host, gate: this.#gate },
      { node, address },
      {
        credentials: options.credentials,
        window: {
          requests: options.windowRequests ?? 8_192,
          sizeBytes: options.windowBytes ?? 64 * 1024 * 1024,
        },
        handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5_000,
        keepaliveMs: options.keepaliveMs ?? KEEPALIVE_MS,
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
