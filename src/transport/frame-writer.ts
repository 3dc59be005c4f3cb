/**
 * Gathers what is said in one tick into frames, and minds the brake.
 *
 * A gRPC message costs some 100 µs of CPU, a message in a frame 2: so everything pushed until the
 * end of the event loop's turn (`defer`: after all I/O callbacks have run) leaves in as few
 * frames as the size limit allows. When the peer does not take what was written, frames are held
 * back and fill up meanwhile; what waits is bounded by those who push. An entry is turned into its
 * message only when it leaves, and may by then have decided that nobody is waiting for it any more.
 */

import type { Host } from '../base/host.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';
import type { Defer, FrameSink } from './carrier.ts';
import { encodeFrame } from './frame.ts';

export interface Outgoing {
  /** About how many bytes it will take in the frame. */
  readonly sizeBytes: number;
  /** The message as it is to leave now; undefined where it is no longer wanted. */
  toMessage(nowMs: number): WireTuple | undefined;
}

/** A frame is closed when it has grown past this; one message may be larger. */
const FRAME_SIZE_BYTES = 128 * 1024;

/** Bytes given to gRPC and not yet taken by the connection, at which frames are held back. */
const UNWRITTEN_MAX_BYTES = 2 * 1024 * 1024;

export class FrameWriter {
  readonly #sink: FrameSink;
  readonly #host: Host;
  readonly #defer: Defer;
  readonly #written: () => void;
  #queue: Outgoing[] = [];
  /** Entries of the queue that have left. */
  #head = 0;
  #queuedBytes = 0;
  #unwrittenBytes = 0;
  #isScheduled = false;
  #isClosed = false;

  /** `written` is called whenever there is more room: what waited was taken, or is not wanted. */
  constructor(
    sink: FrameSink,
    { host, defer }: { readonly host: Host; readonly defer: Defer },
    written: () => void = () => {},
  ) {
    this.#sink = sink;
    this.#host = host;
    this.#defer = defer;
    this.#written = written;
  }

  /** Bytes that wait here or in gRPC for the peer to take them. */
  get pendingBytes(): number {
    return this.#queuedBytes + this.#unwrittenBytes;
  }

  /** Entries that have not left. */
  get queuedCount(): number {
    return this.#queue.length - this.#head;
  }

  push(outgoing: Outgoing): void {
    if (this.#isClosed) return;
    this.#queue.push(outgoing);
    this.#queuedBytes += outgoing.sizeBytes;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#defer(() => this.#flush());
  }

  /** Writes what is queued without waiting for the end of the turn. */
  flush(): void {
    this.#flush();
  }

  /** Drops what has not left. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
  }

  #flush(): void {
    this.#isScheduled = false;
    while (this.#head < this.#queue.length) {
      if (this.#unwrittenBytes >= UNWRITTEN_MAX_BYTES) {
        this.#host.metrics.count('peer_write_stalls');
        break;
      }
      this.#writeFrame();
    }
    this.#forgetLeft();
  }

  #forgetLeft(): void {
    if (this.#head === this.#queue.length) this.#queue = [];
    else this.#queue.splice(0, this.#head);
    this.#head = 0;
  }

  #writeFrame(): void {
    const nowMs = this.#host.clock.monotonicMs();
    const messages: WireTuple[] = [];
    let sizeBytes = 0;
    while (this.#head < this.#queue.length && sizeBytes < FRAME_SIZE_BYTES) {
      const outgoing = this.#queue[this.#head] as Outgoing;
      this.#head += 1;
      this.#queuedBytes -= outgoing.sizeBytes;
      const message = outgoing.toMessage(nowMs);
      if (message === undefined) continue;
      messages.push(message);
      sizeBytes += outgoing.sizeBytes;
    }
    if (messages.length === 0) {
      // Nothing is written that would be taken later: there is room already.
      this.#written();
      return;
    }
    const frame = encodeFrame(messages, sizeBytes);
    this.#unwrittenBytes += frame.length;
    this.#host.metrics.count('peer_frames_sent');
    this.#host.metrics.count('peer_sent_bytes', frame.length);
    this.#sink.write(frame, () => {
      this.#unwrittenBytes -= frame.length;
      if (this.#isClosed) return;
      this.#written();
      if (this.queuedCount > 0 && !this.#isScheduled) this.#flush();
    });
  }
}
