/**
 * Replies on their way to one client: what one turn of the event loop brings leaves in one write.
 *
 * A client that does not read is noticed: the owner asks for room before it serves more, and whether
 * the queue has stalled from time to time.
 */

import { encodeFrame, totalLength, writeFrames } from './framing.ts';
import type { Socket } from 'node:net';
import type { FlushRound, Flushable } from '../../base/flush-round.ts';
import type { Reply } from './handler.ts';
import type { ProtoWriter } from './messages/proto-writer.ts';

/** A client is not slow as long as it takes this much. */
const SLOWEST_BYTES_PER_MS = 64;

export interface ReplyQueuePorts {
  readonly writer: ProtoWriter;
  readonly round: FlushRound;
}

export class ReplyQueue implements Flushable {
  readonly #socket: Socket;
  readonly #ports: ReplyQueuePorts;
  readonly #sizeMaxBytes: number;
  #pieces: Buffer[] = [];
  #queuedBytes = 0;
  #isFlushDue = false;
  #unsentBytes = 0;
  #unsentSinceMs = 0;

  constructor(socket: Socket, ports: ReplyQueuePorts, sizeMaxBytes: number) {
    this.#socket = socket;
    this.#ports = ports;
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /** Whether more may be added; if not, the socket's `drain` says when. */
  get hasRoom(): boolean {
    return this.#queuedBytes + this.#socket.writableLength <= this.#sizeMaxBytes;
  }

  get hasUnsent(): boolean {
    return this.#queuedBytes + this.#socket.writableLength > 0;
  }

  /** How many bytes it is. */
  add({ type, value, frame }: Reply): number {
    const pieces = frame ?? encodeFrame(this.#ports.writer, type, value);
    const sizeBytes = totalLength(pieces);
    this.#pieces.push(...pieces);
    this.#queuedBytes += sizeBytes;
    // What is above the limit must reach the socket now, or its `drain` would not come.
    if (this.#queuedBytes > this.#sizeMaxBytes) this.flush();
    else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      this.#ports.round.add(this);
    }
    return sizeBytes;
  }

  /** Writes what is queued now. */
  flush(): void {
    this.#isFlushDue = false;
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    this.#queuedBytes = 0;
    writeFrames(this.#socket, pieces);
  }

  /** Whether the client has taken nothing for too long. */
  hasStalled(nowMs: number, timeoutMs: number): boolean {
    const unsentBytes = this.#socket.writableLength;
    if (unsentBytes === 0 || unsentBytes !== this.#unsentBytes) {
      this.#unsentBytes = unsentBytes;
      this.#unsentSinceMs = nowMs;
      return false;
    }
    return nowMs - this.#unsentSinceMs > timeoutMs + unsentBytes / SLOWEST_BYTES_PER_MS;
  }
}
