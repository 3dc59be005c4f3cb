/**
 * One link from its first byte to its last, seen from the node that dialled.
 *
 * Introduction, then requests out and replies in, until either side ends it; a session never comes
 * back. When it ends, every request on it is rejected with `peer-closed`: it may or may not have been
 * carried out, and only the caller knows whether asking again is safe. A frame that is not what was
 * sent ends the session at once, for nothing after it could be trusted.
 */

import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerReply, PeerRequest } from '../peer/messages.ts';
import { MessageTooLarge } from '../peer/peer.ts';
import { requestToTuple, tupleToReply } from '../peer/wire.ts';
import type { Defer, LinkCall } from './carrier.ts';
import { decodeFrame, encodeFrame, isTooLarge, wireSize } from './frame.ts';
import { FrameWriter } from './frame-writer.ts';
import { reasonOf, tupleToOpening } from './handshake.ts';
import type { Hello, Refusal } from './handshake.ts';
import { readReplyMessage } from './link-message.ts';
import type { PeerGate } from './peer-gate.ts';
import { PendingRequests } from './pending-requests.ts';
import type { WindowOptions } from './pending-requests.ts';

export interface SessionOptions {
  readonly target: NodeId;
  readonly window: WindowOptions;
  readonly handshakeTimeoutMs: number;
}

export interface LinkRefusal {
  /** Whether it was this node that did not want the link; what is remembered then is of the peer. */
  readonly isOurs: boolean;
  readonly refusal: Refusal;
}

export interface SessionEvents {
  readonly opened: (hello: Hello) => void;
  /** Once, and last. */
  readonly ended: (reason: string, refused: LinkRefusal | undefined) => void;
}

export class LinkSession {
  readonly #host: Host;
  readonly #gate: PeerGate;
  readonly #call: LinkCall;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #pending: PendingRequests;
  readonly #writer: FrameWriter;
  readonly #cancelHandshake: () => void;
  #state: 'opening' | 'open' | 'ended' = 'opening';
  #peerIncarnation = 0;

  constructor(
    ports: { readonly host: Host; readonly gate: PeerGate; readonly defer: Defer },
    call: LinkCall,
    setup: { readonly options: SessionOptions; readonly events: SessionEvents },
  ) {
    const { host, gate } = ports;
    this.#host = host;
    this.#gate = gate;
    this.#call = call;
    this.#options = setup.options;
    this.#events = setup.events;
    this.#pending = new PendingRequests(host.clock, host.metrics, setup.options.window);
    this.#writer = new FrameWriter(call, ports);
    call.on('data', (frame: Buffer) => this.#receive(frame));
    call.on('error', (error) => this.#end(error.message));
    call.on('end', () => this.#end('closed by the peer'));
    const hello = gate.hello(setup.options.target);
    call.write(encodeFrame([hello], wireSize(hello)));
    this.#cancelHandshake = host.clock.after(setup.options.handshakeTimeoutMs, () => {
      this.#end('no introduction in time');
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get inFlightCount(): number {
    return this.#pending.count;
  }

  get inFlightBytes(): number {
    return this.#pending.sizeBytes;
  }

  /** The incarnation that answered the introduction. */
  get peerIncarnation(): number {
    return this.#peerIncarnation;
  }

  request(request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const tuple = requestToTuple(request);
    const sizeBytes = wireSize(tuple);
    if (isTooLarge(tuple, sizeBytes)) return Promise.reject(new MessageTooLarge(sizeBytes));
    if (this.#pending.isFull(sizeBytes) || this.#isClogged()) {
      this.#host.metrics.count('peer_requests_refused');
      return Promise.reject(new Fault('overload', `${this.#options.target} has too much to do`));
    }
    const pending = this.#pending.add(tuple, sizeBytes, timeoutMs);
    this.#writer.push(pending);
    return pending.reply;
  }

  /** Idempotent. */
  close(reason: string): void {
    this.#end(reason);
  }

  /** Requests that timed out may still wait to be written: they count until the peer takes them. */
  #isClogged(): boolean {
    const { requests, sizeBytes } = this.#options.window;
    return this.#writer.queuedCount >= requests || this.#writer.pendingBytes > 2 * sizeBytes;
  }

  #receive(frame: Buffer): void {
    if (this.#state === 'ended') return;
    this.#host.metrics.count('peer_frames_received');
    try {
      const messages = decodeFrame(frame);
      if (this.#state === 'opening') this.#open(messages[0]);
      else for (const message of messages) this.#settle(message);
    } catch (error) {
      this.#host.metrics.count('peer_frames_malformed');
      this.#end(reasonOf(error));
    }
  }

  #open(tuple: unknown): void {
    const opening = tupleToOpening(tuple);
    if (opening.kind === 'refused') {
      this.#gate.noteRefusal(this.#options.target, opening);
      this.#end(opening.text, { isOurs: false, refusal: opening });
      return;
    }
    const { hello } = opening;
    const refusal = this.#refusalFor(hello);
    if (refusal !== undefined) {
      this.#end(refusal.text, { isOurs: true, refusal });
      return;
    }
    this.#cancelHandshake();
    this.#peerIncarnation = hello.incarnation;
    this.#state = 'open';
    this.#events.opened(hello);
  }

  #refusalFor(hello: Hello): Refusal | undefined {
    const { target } = this.#options;
    if (hello.node === target) return this.#gate.admit(hello);
    const refusal: Refusal = {
      reason: 'wrong-node',
      text: `${target} was dialled, ${hello.node} answered`,
    };
    this.#gate.noteRefusal(target, refusal);
    return refusal;
  }

  #settle(message: unknown): void {
    const reply = readReplyMessage(message);
    const pending = this.#pending.take(reply.id);
    if (pending === undefined) {
      this.#host.metrics.count('peer_replies_unknown');
      return;
    }
    if (reply.kind === 'fault') {
      pending.reject(reply.fault);
      return;
    }
    try {
      pending.resolve(tupleToReply(reply.tuple));
    } catch (error) {
      // The frame was sound, so the peer means it: this request alone has no answer.
      this.#host.metrics.count('peer_messages_malformed');
      pending.reject(error as Error);
    }
  }

  #end(reason: string, refused?: LinkRefusal): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#cancelHandshake();
    this.#writer.close();
    this.#call.cancel();
    const text = `the link to ${this.#options.target} broke: ${reason}`;
    this.#pending.rejectAll(new Fault('peer-closed', text));
    this.#events.ended(reason, refused);
  }
}
