/**
 * The peer port: how one node asks another.
 *
 * A request has one reply or one fault; each carries what is left of its deadline. The local node is
 * reached through the same port (its replies need no encoding), so a coordinator has one path.
 * Replies to requests on the same link may come in any order.
 */

import { Fault } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerReply, PeerRequest, PeerStreamItem, PeerStreamRequest } from './messages.ts';

export interface Peer {
  /**
   * Rejects with a fault: `peer-unreachable` (no link now), `peer-closed` (the link broke with the
   * request on its way: it may or may not have been carried out), `timeout`, `overload` (this peer's
   * window is full), `peer-unsupported` (its release is too old for the request), `MessageTooLarge`.
   */
  request(target: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply>;
  /** A stream of its own for bulk; the consumer's pace is the brake. Faults are thrown from `next`. */
  stream(
    target: NodeId,
    request: PeerStreamRequest,
    idleTimeoutMs: number,
  ): AsyncIterableIterator<PeerStreamItem>;
}

/** No link takes a message of that size. Told of a request, it was never sent. */
export class MessageTooLarge extends Fault {
  readonly sizeBytes: number;

  constructor(sizeBytes: number) {
    super('malformed', `${sizeBytes} bytes are too many for one message between nodes`);
    this.sizeBytes = sizeBytes;
  }
}

/** What a node offers to its peers; transports call it. */
export interface PeerHandler {
  /** Must always settle; a rejection is sent to the peer as a fault. */
  handle(source: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply>;
  handleStream(source: NodeId, request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem>;
}
