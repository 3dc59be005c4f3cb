/**
 * One link, seen from the node that was dialled: requests in, replies out.
 *
 * So many requests are worked on at once, as many again may wait, and one more is refused with
 * `overload`; a request whose time is up before its turn comes, or before its reply is ready, is
 * dropped without further work, because nobody waits for it any more. When the peer does not take
 * its replies, nothing more is read from it; what already runs for it then may still end in replies of
 * any size, so past another bound a large reply that only tells something becomes `overload`: that
 * costs the asker another replica. The answer to what may have changed something always stays.
 */

import { status } from '@grpc/grpc-js';
import { AssertionError, Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import { MessageTooLarge } from '../peer/peer.ts';
import type { PeerHandler } from '../peer/peer.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';
import { replyToTuple, tupleToRequest } from '../peer/wire.ts';
import type { Defer, ServedLink } from './carrier.ts';
import { decodeFrame, encodeFrame, isTooLarge, wireSize } from './frame.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Outgoing } from './frame-writer.ts';
import { reasonOf, refusalToTuple, tupleToOpening } from './handshake.ts';
import { faultFields, readRequestMessage } from './link-message.ts';
import type { PeerGate } from './peer-gate.ts';

/** Bytes of replies that a peer has not taken, at which its requests are no longer read. */
const UNTAKEN_MAX_BYTES = 16 * 1024 * 1024;

/** Bytes of replies that a peer has not taken, at which large ones that only tell something are refused. */
const UNTAKEN_READS_MAX_BYTES = 64 * 1024 * 1024;

/** Smaller replies stay: those of as many requests as run at once are little. */
const LARGE_REPLY_MIN_BYTES = 16 * 1024;

/** Whether what is asked changes nothing, so that it may be asked of another node instead. */
const IS_READ: Readonly<Record<PeerRequest['verb'], boolean>> = {
  ping: true,
  get: true,
  merge: false,
  put: false,
  update: false,
  reap: false,
  agree: false,
  state: true,
  tree: true,
  fetch: true,
  deliver: false,
  trace: true,
  sizes: true,
  map: true,
};

export interface ServerPorts {
  readonly host: Host;
  readonly gate: PeerGate;
  readonly handler: PeerHandler;
  readonly defer: Defer;
}

export interface ServerLinkSetup {
  /** Requests worked on at once; as many again may wait. */
  readonly concurrency: number;
  readonly handshakeTimeoutMs: number;
  /** The peer has introduced itself and is welcome. */
  readonly admitted: (node: NodeId) => void;
  /** Once, and last. */
  readonly ended: () => void;
}

interface WaitingRequest {
  readonly id: number;
  readonly deadlineMs: number;
  readonly tuple: unknown;
}

export class ServerLink {
  readonly #ports: ServerPorts;
  readonly #call: ServedLink;
  readonly #setup: ServerLinkSetup;
  readonly #writer: FrameWriter;
  readonly #cancelHandshake: () => void;
  #peer: NodeId | undefined;
  #isEnded = false;
  #running = 0;
  #waiting: WaitingRequest[] = [];

  constructor(ports: ServerPorts, call: ServedLink, setup: ServerLinkSetup) {
    this.#ports = ports;
    this.#call = call;
    this.#setup = setup;
    this.#writer = new FrameWriter(call, ports, () => this.#afterWritten());
    call.on('data', (frame: Buffer) => this.#receive(frame));
    call.on('end', () => this.close());
    call.on('cancelled', () => this.close());
    call.on('error', () => this.close());
    this.#cancelHandshake = ports.host.clock.after(setup.handshakeTimeoutMs, () => {
      this.#fail('no introduction in time');
    });
  }

  /** Ends the link; replies still to come are dropped. Idempotent. */
  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelHandshake();
    this.#writer.close();
    this.#waiting = [];
    this.#call.end();
    this.#setup.ended();
  }

  #receive(frame: Buffer): void {
    if (this.#isEnded) return;
    try {
      const messages = decodeFrame(frame);
      if (this.#peer === undefined) this.#open(messages[0]);
      else for (const message of messages) this.#accept(message, this.#peer);
    } catch (error) {
      this.#ports.host.metrics.count('peer_frames_malformed');
      this.#fail(reasonOf(error));
    }
    if (this.#writer.pendingBytes > UNTAKEN_MAX_BYTES) this.#call.pause();
  }

  #open(tuple: unknown): void {
    const opening = tupleToOpening(tuple);
    if (opening.kind === 'refused') {
      this.close();
      return;
    }
    const { hello } = opening;
    const { sslPeerCertificate } = this.#call.getAuthContext();
    const refusal = this.#ports.gate.admitCaller(hello, sslPeerCertificate);
    const answer = refusal === undefined ? this.#ports.gate.answer(hello) : refusalToTuple(refusal);
    this.#call.write(encodeFrame([answer], wireSize(answer)));
    if (refusal !== undefined) {
      this.close();
      return;
    }
    this.#cancelHandshake();
    this.#peer = hello.node;
    this.#setup.admitted(hello.node);
  }

  #accept(message: unknown, peer: NodeId): void {
    const { id, timeoutMs, tuple } = readRequestMessage(message);
    const deadlineMs = this.#ports.host.clock.monotonicMs() + timeoutMs;
    const { concurrency } = this.#setup;
    if (this.#mayRun()) {
      this.#run({ id, deadlineMs, tuple }, peer);
    } else if (this.#waiting.length < concurrency) {
      this.#waiting.push({ id, deadlineMs, tuple });
    } else {
      this.#refuse(id, deadlineMs, 'too many waiting');
    }
  }

  #mayRun(): boolean {
    return (
      this.#running < this.#setup.concurrency && this.#writer.pendingBytes <= UNTAKEN_MAX_BYTES
    );
  }

  #run(waiting: WaitingRequest, peer: NodeId): void {
    const { host } = this.#ports;
    const { id, deadlineMs, tuple } = waiting;
    const leftMs = deadlineMs - host.clock.monotonicMs();
    if (!(leftMs > 0)) {
      host.metrics.count('peer_served_expired');
      return;
    }
    let request: PeerRequest;
    try {
      request = tupleToRequest(tuple);
    } catch (error) {
      host.metrics.count(unreadCounter(error));
      this.#answer(new Reply(id, deadlineMs, faultFields(toFault(error))));
      return;
    }
    this.#running += 1;
    this.#ask(peer, request, leftMs).then(
      (reply) =>
        this.#done(new Reply(id, deadlineMs, [replyToTuple(reply)]), IS_READ[request.verb]),
      (error: unknown) => this.#done(new Reply(id, deadlineMs, faultFields(this.#explain(error)))),
    );
  }

  #ask(peer: NodeId, request: PeerRequest, leftMs: number): Promise<PeerReply> {
    try {
      return this.#ports.handler.handle(peer, request, leftMs);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #done(reply: Reply, isRead = false): void {
    this.#running -= 1;
    if (isRead && this.#isBeyondReach(reply))
      this.#refuse(reply.id, reply.deadlineMs, 'too many replies not taken');
    else this.#answer(reply);
    this.#runWaiting();
  }

  #isBeyondReach({ sizeBytes }: Reply): boolean {
    return (
      sizeBytes >= LARGE_REPLY_MIN_BYTES && this.#writer.pendingBytes >= UNTAKEN_READS_MAX_BYTES
    );
  }

  #refuse(id: number, deadlineMs: number, why: string): void {
    this.#ports.host.metrics.count('peer_served_refused');
    this.#answer(new Reply(id, deadlineMs, faultFields(new Fault('overload', why))));
  }

  #answer(reply: Reply): void {
    if (!this.#isEnded) this.#writer.push(reply);
  }

  #afterWritten(): void {
    this.#runWaiting();
    if (this.#call.isPaused() && this.#writer.pendingBytes <= UNTAKEN_MAX_BYTES) {
      this.#call.resume();
    }
  }

  #runWaiting(): void {
    while (this.#peer !== undefined && this.#waiting.length > 0 && this.#mayRun()) {
      this.#run(this.#waiting.shift() as WaitingRequest, this.#peer);
    }
  }

  /** A fault goes to the peer as it is; a bug stops this node if it is an assertion. */
  #explain(error: unknown): Fault {
    if (error instanceof AssertionError) throw error;
    if (!isFault(error)) this.#ports.host.log.error('peer.request_failed', { error });
    return toFault(error);
  }

  #fail(reason: string): void {
    if (this.#isEnded) return;
    this.#ports.gate.noteFailure(this.#peer ?? this.#call.getPeer(), reason);
    this.#call.emit('error', { code: status.DATA_LOSS, details: reason });
  }
}

class Reply implements Outgoing {
  readonly id: number;
  readonly deadlineMs: number;
  readonly sizeBytes: number;
  readonly #message: WireTuple;

  constructor(id: number, deadlineMs: number, fields: WireTuple) {
    const sizeBytes = wireSize(fields);
    const isSendable = !isTooLarge(fields, sizeBytes);
    this.#message = [id, ...(isSendable ? fields : faultFields(new MessageTooLarge(sizeBytes)))];
    this.id = id;
    this.deadlineMs = deadlineMs;
    this.sizeBytes = isSendable ? sizeBytes : 100;
  }

  toMessage(nowMs: number): WireTuple | undefined {
    return nowMs < this.deadlineMs ? this.#message : undefined;
  }
}

/** What a request that was not read counts as. */
function unreadCounter(error: unknown): string {
  return isFault(error, 'peer-unsupported')
    ? 'peer_requests_unsupported'
    : 'peer_messages_malformed';
}

/** What went wrong in here may or may not have changed something: that is `peer-closed`. */
function toFault(error: unknown): Fault {
  return isFault(error) ? error : new Fault('peer-closed', 'the peer failed to handle the request');
}
