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

import { Metadata, status } from '@grpc/grpc-js';
import type {
  ChannelCredentials,
  sendUnaryData,
  ServerUnaryCall,
  ServiceError,
} from '@grpc/grpc-js';
import { AssertionError, Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import {
  joinRefused,
  joinReplyToTuple,
  joinRequestToTuple,
  tupleToJoinReply,
  tupleToJoinRequest,
  type JoinAddress,
  type JoinHandler,
  type JoinReply,
  type JoinRequest,
} from '../peer/join.ts';
import { malformed, TupleReader, type WireTuple } from '../peer/tuple-reader.ts';
import { addressToText, dial } from './channel.ts';
import { decodeFrame, encodeFrame, wireSize } from './frame.ts';
import { PROTOCOL_FROM, PROTOCOL_TO } from './handshake.ts';
import type { PeerGate } from './peer-gate.ts';
import { JOIN_PATH, sameBytes } from './peer-service.ts';

const MARK = 'join';

export interface JoinDialOptions {
  readonly credentials: ChannelCredentials;
  readonly keepaliveMs: number;
  readonly timeoutMs: number;
}

/** Rejects with a fault: `peer-unreachable`, `peer-malformed` or `timeout`. */
export async function askToJoin(
  address: JoinAddress,
  request: JoinRequest,
  options: JoinDialOptions,
): Promise<JoinReply> {
  const client = dial(address, { ...options, use: 'link' });
  const message = [MARK, PROTOCOL_FROM, PROTOCOL_TO, joinRequestToTuple(request)];
  try {
    const reply = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest<Buffer, Buffer>(
        JOIN_PATH,
        sameBytes,
        sameBytes,
        encodeFrame(message, wireSize(message)),
        new Metadata(),
        { deadline: Date.now() + options.timeoutMs },
        (error, answer) => {
          if (error !== null) reject(faultOf(error, address));
          else if (answer === undefined) reject(malformed('no answer'));
          else resolve(answer);
        },
      );
    });
    const reader = new TupleReader(decodeFrame(reply));
    if (reader.text() !== MARK) throw malformed('no answer to a join');
    return tupleToJoinReply(reader.raw());
  } finally {
    client.close();
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

  accept(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
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

  async #reply(call: ServerUnaryCall<Buffer, Buffer>): Promise<JoinReply> {
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

function faultOf(error: ServiceError, address: JoinAddress): Fault {
  const where = addressToText(address);
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new Fault('timeout', `${where} did not answer in time`, { cause: error });
  }
  return new Fault('peer-unreachable', `${where}: ${error.details}`, { cause: error });
}
