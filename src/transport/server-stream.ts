/**
 * A bulk stream, seen from the node that is asked.
 *
 * Items are pulled from the handler only as fast as the peer takes them: those of one turn of the
 * event loop share a frame, up to a size, and nothing is pulled while a frame's worth is on its way.
 * When the peer leaves, or takes nothing for too long, the handler's iterator is ended with `return`.
 */

import { status } from '@grpc/grpc-js';
import { AssertionError, Fault, isFault } from '../base/fault.ts';
import type { NodeId } from '../base/names.ts';
import type { PeerStreamItem, PeerStreamRequest } from '../peer/messages.ts';
import { MessageTooLarge } from '../peer/peer.ts';
import { malformed, TupleReader } from '../peer/tuple-reader.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';
import { streamItemToTuple, tupleToStreamRequest } from '../peer/wire.ts';
import type { ServedStream } from './carrier.ts';
import { decodeFrame, encodeFrame, isTooLarge, wireSize } from './frame.ts';
import { reasonOf, tupleToOpening } from './handshake.ts';
import type { Hello } from './handshake.ts';
import { faultFields } from './link-message.ts';
import type { ServerPorts } from './server-link.ts';

/** A frame leaves when it has grown past this. */
const FRAME_SIZE_BYTES = 64 * 1024;

/** Bytes on their way at which no more items are pulled. */
const UNTAKEN_MAX_BYTES = 256 * 1024;

interface Question {
  readonly hello: Hello;
  readonly request: PeerStreamRequest;
}

export class ServerStream {
  readonly #ports: ServerPorts;
  readonly #call: ServedStream;
  readonly #stallTimeoutMs: number;
  #peer: NodeId | undefined;
  #items: AsyncIterableIterator<PeerStreamItem> | undefined;
  #entries: WireTuple[] = [];
  #entriesBytes = 0;
  #untakenBytes = 0;
  #isFlushScheduled = false;
  #isLeft = false;
  /** Wakes who waits for the peer to take something. */
  #wake: () => void = () => {};

  /** `stallTimeoutMs`: how long the peer may take nothing. */
  constructor(ports: ServerPorts, call: ServedStream, stallTimeoutMs: number) {
    this.#ports = ports;
    this.#call = call;
    this.#stallTimeoutMs = stallTimeoutMs;
    call.on('cancelled', () => this.#leave());
    call.on('error', () => this.#leave());
  }

  /** Serves the call to its end; never rejects but for a bug. */
  async serve(): Promise<void> {
    const question = this.#readQuestion();
    if (question === undefined) return;
    const { hello, request } = question;
    this.#peer = hello.node;
    try {
      this.#items = this.#ports.handler.handleStream(hello.node, request);
      await this.#pump(this.#items);
    } catch (error) {
      this.#endItems();
      this.#explain(error);
    }
    if (this.#isLeft) return;
    this.#flush();
    this.#call.end();
  }

  /** Ends the call and the handler's work. Idempotent. */
  close(): void {
    if (!this.#isLeft) this.#fail(status.UNAVAILABLE, 'the node stops');
  }

  /** `close`, unless the one who asked is a member. */
  dropStranger(isMember: (node: NodeId) => boolean): void {
    if (this.#isLeft || this.#peer === undefined || isMember(this.#peer)) return;
    this.#fail(status.PERMISSION_DENIED, `${this.#peer} is no member any more`);
  }

  /** Nobody wants the rest: ends the handler's work. */
  #leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#wake();
    this.#endItems();
  }

  #endItems(): void {
    // A generator that waits inside comes to this when it wakes; what it throws then is for nobody.
    this.#items?.return?.().catch(() => {});
  }

  #readQuestion(): Question | undefined {
    try {
      const [opening, request] = decodeFrame(this.#call.request);
      const hello = this.#admit(opening);
      if (hello === undefined) return undefined;
      const reader = new TupleReader(request);
      reader.raw();
      return { hello, request: tupleToStreamRequest(reader.raw()) };
    } catch (error) {
      if (isFault(error, 'peer-unsupported')) {
        this.#ports.host.metrics.count('peer_requests_unsupported');
        this.#push(faultFields(error));
        this.#flush();
        this.#call.end();
        return undefined;
      }
      this.#ports.host.metrics.count('peer_frames_malformed');
      this.#fail(status.INVALID_ARGUMENT, reasonOf(error));
      return undefined;
    }
  }

  #admit(tuple: unknown): Hello | undefined {
    const opening = tupleToOpening(tuple);
    if (opening.kind !== 'hello') throw malformed('no introduction');
    const { sslPeerCertificate } = this.#call.getAuthContext();
    const refusal = this.#ports.gate.admitCaller(opening.hello, sslPeerCertificate);
    if (refusal === undefined) return opening.hello;
    this.#fail(status.PERMISSION_DENIED, refusal.text);
    return undefined;
  }

  async #pump(items: AsyncIterableIterator<PeerStreamItem>): Promise<void> {
    while (!this.#isLeft) {
      const result = await items.next();
      if (result.done === true || this.#isLeft) return;
      this.#push([streamItemToTuple(result.value)]);
      if (this.#untakenBytes >= UNTAKEN_MAX_BYTES) await this.#untilTaken();
    }
  }

  #push(entry: WireTuple): void {
    const sizeBytes = wireSize(entry);
    if (isTooLarge(entry, sizeBytes)) throw new MessageTooLarge(sizeBytes);
    this.#entries.push(entry);
    this.#entriesBytes += sizeBytes;
    if (this.#entriesBytes >= FRAME_SIZE_BYTES) {
      this.#flush();
    } else if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      this.#ports.defer(() => {
        this.#isFlushScheduled = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#entries.length === 0 || this.#isLeft) return;
    const frame = encodeFrame(this.#entries, this.#entriesBytes);
    this.#entries = [];
    this.#entriesBytes = 0;
    this.#untakenBytes += frame.length;
    this.#call.write(frame, () => {
      this.#untakenBytes -= frame.length;
      this.#wake();
    });
  }

  /** Resolves when half of what was on its way has been taken, or the peer left. */
  async #untilTaken(): Promise<void> {
    const { clock } = this.#ports.host;
    while (!this.#isLeft && this.#untakenBytes > UNTAKEN_MAX_BYTES / 2) {
      await new Promise<void>((resolve) => {
        const cancelStall = clock.after(this.#stallTimeoutMs, () => {
          this.#ports.host.metrics.count('peer_streams_stalled');
          this.#fail(status.DEADLINE_EXCEEDED, 'the peer took nothing in time');
        });
        this.#wake = () => {
          cancelStall();
          resolve();
        };
      });
    }
  }

  #explain(error: unknown): void {
    if (error instanceof AssertionError) throw error;
    if (this.#isLeft) return;
    if (isFault(error)) {
      this.#push(faultFields(error));
    } else {
      this.#ports.host.log.error('peer.stream_failed', { error });
      this.#push(faultFields(new Fault('peer-closed', 'the peer failed to answer')));
    }
  }

  #fail(code: status, details: string): void {
    this.#call.emit('error', { code, details });
  }
}
