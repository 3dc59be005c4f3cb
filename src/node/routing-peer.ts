/**
 * The peer port of a node: to itself without encoding, to all others by the transport.
 *
 * So a coordinator has one path, whoever holds the replica.
 */

import type { NodeId } from '../base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { Peer, PeerHandler } from '../peer/peer.ts';

export class RoutingPeer implements Peer {
  readonly #self: NodeId;
  readonly #local: PeerHandler;
  readonly #remote: Peer;

  constructor(self: NodeId, local: PeerHandler, remote: Peer) {
    this.#self = self;
    this.#local = local;
    this.#remote = remote;
  }

  request(target: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    return target === this.#self
      ? this.#local.handle(this.#self, request, timeoutMs)
      : this.#remote.request(target, request, timeoutMs);
  }

  stream(
    target: NodeId,
    request: PeerStreamRequest,
    idleTimeoutMs: number,
  ): AsyncIterableIterator<PeerStreamItem> {
    return target === this.#self
      ? this.#local.handleStream(this.#self, request)
      : this.#remote.stream(target, request, idleTimeoutMs);
  }
}
