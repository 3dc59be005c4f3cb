/**
 * What peers ask of this node over links and streams: handed to a `PeerHandler`.
 *
 * A peer has one link at a time: a new one takes the place of the old, which the network may not
 * have told us is dead. Who wants to become a peer asks in a call of its own (`join-call.ts`). The
 * number of links that have not introduced themselves yet, and of streams, is bounded.
 */

import { status } from '@grpc/grpc-js';
import type { NodeId } from '../base/names.ts';
import type { JoinHandler } from '../peer/join.ts';
import type { Answer, ServedLink, ServedQuestion, ServedStream } from './carrier.ts';
import { JoinCalls } from './join-call.ts';
import { ServerLink } from './server-link.ts';
import type { ServerPorts } from './server-link.ts';
import { ServerStream } from './server-stream.ts';

/** Links that have not introduced themselves. */
const NEWCOMERS_MAX = 64;
/** Of many peers, each with as many listings and queries as a node carries; some of the members answer each. */
const STREAMS_MAX = 1_024;

export interface PeerCallsOptions {
  /** Asked by those who want to be taken in; without it nobody is. */
  readonly joins?: JoinHandler;
  /** Requests of one peer worked on at once; as many again may wait. Default 2,048. */
  readonly concurrency?: number;
  /** Streams of all peers. Default 1,024. */
  readonly streamsMax?: number;
  /** How long a peer may take nothing of a stream. Default 300,000. */
  readonly streamStallTimeoutMs?: number;
  /** Default 5,000. */
  readonly handshakeTimeoutMs?: number;
}

export class PeerCalls {
  readonly #ports: ServerPorts;
  readonly #options: PeerCallsOptions;
  readonly #joins: JoinCalls;
  readonly #newcomers = new Set<ServerLink>();
  readonly #linkByPeer = new Map<NodeId, ServerLink>();
  readonly #streams = new Set<ServerStream>();

  constructor(ports: ServerPorts, options: PeerCallsOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#joins = new JoinCalls(ports, options.joins);
  }

  /** Ends the links and streams of nodes that are no members any more. */
  dropStrangers(isMember: (node: NodeId) => boolean): void {
    for (const [node, link] of this.#linkByPeer) {
      if (!isMember(node)) link.close();
    }
    for (const stream of this.#streams) stream.dropStranger(isMember);
  }

  /** Ends all links and streams. Idempotent. */
  close(): void {
    for (const link of this.#newcomers) link.close();
    for (const link of this.#linkByPeer.values()) link.close();
    for (const stream of this.#streams) stream.close();
  }

  acceptLink(call: ServedLink): void {
    if (this.#newcomers.size >= NEWCOMERS_MAX) {
      this.#ports.host.metrics.count('peer_links_refused');
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many new links' });
      return;
    }
    let peer: NodeId | undefined;
    const link: ServerLink = new ServerLink(this.#ports, call, {
      concurrency: this.#options.concurrency ?? 2_048,
      handshakeTimeoutMs: this.#options.handshakeTimeoutMs ?? 5_000,
      admitted: (node) => {
        peer = node;
        this.#newcomers.delete(link);
        this.#linkByPeer.get(node)?.close();
        this.#linkByPeer.set(node, link);
      },
      ended: () => {
        this.#newcomers.delete(link);
        if (peer !== undefined && this.#linkByPeer.get(peer) === link)
          this.#linkByPeer.delete(peer);
      },
    });
    this.#newcomers.add(link);
  }

  acceptStream(call: ServedStream): void {
    if (this.#streams.size >= (this.#options.streamsMax ?? STREAMS_MAX)) {
      this.#ports.host.metrics.count('peer_streams_refused');
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many streams' });
      return;
    }
    const stallTimeoutMs = this.#options.streamStallTimeoutMs ?? 300_000;
    const stream = new ServerStream(this.#ports, call, stallTimeoutMs);
    this.#streams.add(stream);
    void stream.serve().finally(() => this.#streams.delete(stream));
  }
  acceptJoin(call: ServedQuestion, answer: Answer): void {
    this.#joins.accept(call, answer);
  }
}
