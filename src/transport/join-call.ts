/**
 * The call by which a node asks to be taken in, over the same port and with the same certificates as
 * the links: where those are encrypted, nothing else is listened to.
 *
 * | message | array in a frame |
 * |---|---|
 * | request | ["join", protocol from, protocol to, tuple of the request] |
 * | reply | ["join", tuple of the reply] |
 *
 * Versions are compared before anything else is read. One such call is worked on at a time.
 */

import { status } from '@grpc/grpc-js';
import { AssertionError, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import {
  joinRefused,
  joinReplyToTuple,
  joinRequestToTuple,
  tupleToJoinReply,
  tupleToJoinRequest,
  type JoinHandler,
  type JoinReply,
  type JoinRequest,
} from '../peer/join.ts';
import { malformed, TupleReader, type WireTuple } from '../peer/tuple-reader.ts';
import type { Answer, Connection, ServedQuestion } from './carrier.ts';
import { decodeFrame, encodeFrame, wireSize } from './frame.ts';
import { PROTOCOL_FROM, PROTOCOL_TO } from './handshake.ts';
import type { PeerGate } from './peer-gate.ts';

const MARK = 'join';

/** Rejects with a fault: `peer-unreachable`, `peer-malformed` or `timeout`. Closes the connection. */
export async function askToJoin(
  connection: Connection,
  request: JoinRequest,
  timeoutMs: number,
): Promise<JoinReply> {
  const message = [MARK, PROTOCOL_FROM, PROTOCOL_TO, joinRequestToTuple(request)];
  try {
    const reply = await connection.ask(encodeFrame(message, wireSize(message)), timeoutMs);
    const reader = new TupleReader(decodeFrame(reply));
    if (reader.text() !== MARK) throw malformed('no answer to a join');
    return tupleToJoinReply(reader.raw());
  } finally {
    connection.close();
  }
}

/** Serves the calls of one server. */
export class JoinCalls {
  readonly #host: Host;
  readonly #gate: PeerGate;
  readonly #handler: JoinHandler | undefined;
  #isBusy = false;

  constructor(
    { host, gate }: { readonly host: Host; readonly gate: PeerGate },
    handler: JoinHandler | undefined,
  ) {
    this.#host = host;
    this.#gate = gate;
    this.#handler = handler;
  }

  accept(call: ServedQuestion, answer: Answer): void {
    if (this.#isBusy) {
      answer({ code: status.RESOURCE_EXHAUSTED, details: 'another node is being taken in' });
      return;
    }
    this.#isBusy = true;
    void this.#reply(call)
      .then(
        (reply) => {
          const message: WireTuple = [MARK, joinReplyToTuple(reply)];
          answer(null, encodeFrame(message, wireSize(message)));
        },
        (error: unknown) => {
          if (error instanceof AssertionError) throw error;
          this.#host.metrics.count('peer_joins_failed');
          const details = isFault(error) ? error.message : 'the node failed to answer';
          answer({ code: status.INVALID_ARGUMENT, details });
        },
      )
      .finally(() => {
        this.#isBusy = false;
      });
  }

  async #reply(call: ServedQuestion): Promise<JoinReply> {
    const reader = new TupleReader(decodeFrame(call.request));
    if (reader.text() !== MARK) throw malformed('no request to join');
    const [from, to] = [reader.count(), reader.count()];
    if (to < PROTOCOL_FROM || from > PROTOCOL_TO) {
      const text = `the node speaks protocol ${from} to ${to}, the cluster ${PROTOCOL_FROM} to ${PROTOCOL_TO}`;
      return joinRefused('other-version', text);
    }
    const request = tupleToJoinRequest(reader.raw());
    const { id } = request.newcomer;
    const { sslPeerCertificate } = call.getAuthContext();
    const refusal = this.#gate.refusalByCertificate(id, sslPeerCertificate);
    if (refusal !== undefined) return joinRefused('not-ready', refusal.text);
    return this.#handler?.admit(request) ?? joinRefused('not-ready', 'this node takes nobody in');
  }
}
