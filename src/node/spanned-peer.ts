/**
 * The other nodes, as they are reached where requests are traced: each question that is part of a trace
 * is a span of its own, and what its receiver does is a child of it.
 */

import { spanned, type Tracer } from '../base/span.ts';
import type { NodeId } from '../base/names.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { Peer } from '../peer/peer.ts';

/** `peer` as it is where nothing is traced. */
export function spannedPeer(peer: Peer, tracer: Tracer | undefined): Peer {
  return tracer === undefined ? peer : new SpannedPeer(peer, tracer);
}

class SpannedPeer implements Peer {
  readonly #peer: Peer;
  readonly #tracer: Tracer;

  constructor(peer: Peer, tracer: Tracer) {
    this.#peer = peer;
    this.#tracer = tracer;
  }

  request(target: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const { verb, parentSpan } = request;
    if (parentSpan === undefined) return this.#peer.request(target, request, timeoutMs);
    const span = this.#tracer.ask(`ask ${verb}`, parentSpan);
    span.set('vertebra.peer', target);
    const asked = this.#peer.request(target, { ...request, parentSpan: span }, timeoutMs);
    return spanned(span, asked);
  }

  stream(
    target: NodeId,
    request: PeerStreamRequest,
    idleTimeoutMs: number,
  ): AsyncIterableIterator<PeerStreamItem> {
    return this.#peer.stream(target, request, idleTimeoutMs);
  }
}
