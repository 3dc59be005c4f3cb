/**
 * Frames: a 32-bit big-endian length, a code of one byte, the message.
 *
 *   | N 4 | code 1 | message N - 1 |
 *
 * `FrameDecoder` takes the stream in whatever pieces it comes. A frame that lies within one piece is
 * handed out as a view of it; only a frame that is cut is put together by copying. Memory for it
 * grows with what has come, never with what a length promises.
 */

import type { Socket } from 'node:net';
import { assert } from '../../base/fault.ts';
import type { Sliced } from '../../base/sliced.ts';
import { sizeHint, writeMessage } from './messages/message-type.ts';
import { ProtoWriter } from './messages/proto-writer.ts';
import { writeInSlices } from './messages/sliced-message.ts';
import type { Fields, MessageInput, MessageType } from './messages/message-type.ts';

const LENGTH_SIZE_BYTES = 4;
const HEAD_SIZE_BYTES = LENGTH_SIZE_BYTES + 1;
const PARTIAL_SIZE_FIRST_BYTES = 4096;

export interface Frame {
  readonly code: number;
  /** A view of what was pushed, where the frame was not cut. */
  readonly body: Buffer;
}

export type FrameOutcome =
  | { readonly kind: 'frame'; readonly frame: Frame }
  /** Nothing more until something is pushed. */
  | { readonly kind: 'incomplete' }
  /** A length of 0, which has no code: the stream cannot be followed any further. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'too-large'; readonly sizeBytes: number };

const INCOMPLETE: FrameOutcome = { kind: 'incomplete' };

export class FrameDecoder {
  /** The largest N that is taken. */
  readonly #sizeMaxBytes: number;
  /** Pieces not looked at yet, the first from `#offset` on. */
  readonly #pieces: Buffer[] = [];
  #offset = 0;
  #pendingBytes = 0;
  /** The beginning of a frame that was cut; its first `#partialSize` bytes are there. */
  #partial: Buffer | undefined;
  #partialSize = 0;

  constructor(sizeMaxBytes: number) {
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /** Bytes that are held. */
  get bufferedBytes(): number {
    return this.#pendingBytes + this.#partialSize;
  }

  /** Whether a frame has begun that has not ended, when `next` said `incomplete`. */
  get isWithinFrame(): boolean {
    return this.#partialSize > 0;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#pendingBytes += piece.length;
  }

  next(): FrameOutcome {
    while (this.#pieces.length > 0) {
      const outcome = this.#partial === undefined ? this.#whole() : this.#complete(this.#partial);
      if (outcome !== undefined) return outcome;
    }
    return INCOMPLETE;
  }

  /** A frame that lies within the first piece, or undefined when that piece is used up. */
  #whole(): FrameOutcome | undefined {
    const piece = this.#pieces[0] as Buffer;
    const start = this.#offset;
    const left = piece.length - start;
    if (left < LENGTH_SIZE_BYTES) return this.#keep(piece, PARTIAL_SIZE_FIRST_BYTES);
    const size = piece.readUInt32BE(start);
    const refusal = this.#refusal(size);
    if (refusal !== undefined) return refusal;
    const total = LENGTH_SIZE_BYTES + size;
    if (left < total) return this.#keep(piece, Math.min(total, 2 * left));
    this.#take(total);
    return frameIn(piece, start, total);
  }

  /** Begins a cut frame with what the first piece has of it. */
  #keep(piece: Buffer, roomBytes: number): undefined {
    const left = piece.length - this.#offset;
    this.#partial = Buffer.allocUnsafe(Math.max(roomBytes, PARTIAL_SIZE_FIRST_BYTES));
    piece.copy(this.#partial, 0, this.#offset);
    this.#partialSize = left;
    this.#take(left);
  }

  /** Adds to a cut frame; undefined when it is still not complete. */
  #complete(partial: Buffer): FrameOutcome | undefined {
    if (this.#partialSize < LENGTH_SIZE_BYTES) {
      this.#append(partial, LENGTH_SIZE_BYTES);
      if (this.#partialSize < LENGTH_SIZE_BYTES) return undefined;
    }
    const size = partial.readUInt32BE(0);
    const refusal = this.#refusal(size);
    if (refusal !== undefined) return refusal;
    const total = LENGTH_SIZE_BYTES + size;
    const grown = this.#append(partial, total);
    if (this.#partialSize < total) return undefined;
    this.#partial = undefined;
    this.#partialSize = 0;
    return frameIn(grown, 0, total);
  }

  /** Copies from the first piece until the cut frame has `total` bytes or the piece is used up. */
  #append(partial: Buffer, total: number): Buffer {
    const piece = this.#pieces[0];
    if (piece === undefined) return partial;
    const count = Math.min(total - this.#partialSize, piece.length - this.#offset);
    const grown = withRoom(partial, this.#partialSize, { count, total });
    piece.copy(grown, this.#partialSize, this.#offset, this.#offset + count);
    this.#partial = grown;
    this.#partialSize += count;
    this.#take(count);
    return grown;
  }

  #take(count: number): void {
    this.#pendingBytes -= count;
    this.#offset += count;
    if (this.#offset < (this.#pieces[0] as Buffer).length) return;
    this.#pieces.shift();
    this.#offset = 0;
  }

  #refusal(size: number): FrameOutcome | undefined {
    if (size === 0) return { kind: 'empty' };
    return size > this.#sizeMaxBytes ? { kind: 'too-large', sizeBytes: size } : undefined;
  }
}

/** `partial` or a larger copy, so that `count` more bytes fit; never beyond `total`. */
function withRoom(
  partial: Buffer,
  used: number,
  { count, total }: { readonly count: number; readonly total: number },
): Buffer {
  if (used + count <= partial.length) return partial;
  const grown = Buffer.allocUnsafe(Math.min(total, Math.max(2 * partial.length, used + count)));
  partial.copy(grown, 0, 0, used);
  return grown;
}

function frameIn(bytes: Buffer, start: number, total: number): FrameOutcome {
  const body = bytes.subarray(start + HEAD_SIZE_BYTES, start + total);
  const code = bytes[start + LENGTH_SIZE_BYTES] as number;
  return { kind: 'frame', frame: { code, body } };
}

/** A message as a frame, in pieces; `writer` may write the next one at once. */
export function encodeFrame<F extends Fields>(
  writer: ProtoWriter,
  type: MessageType<F>,
  value: MessageInput<F>,
): readonly Buffer[] {
  assert(type.code !== undefined, `${type.name} can be a frame`);
  writer.begin(HEAD_SIZE_BYTES, HEAD_SIZE_BYTES + sizeHint(type, value));
  writeMessage(type, writer, value);
  return withHead(writer.finish(), type.code);
}

/** As `encodeFrame`, for a large message. */
export function* encodeFrameInSlices<F extends Fields>(
  type: MessageType<F>,
  value: MessageInput<F>,
): Sliced<readonly Buffer[]> {
  assert(type.code !== undefined, `${type.name} can be a frame`);
  const writer = new ProtoWriter();
  writer.begin(HEAD_SIZE_BYTES, HEAD_SIZE_BYTES);
  yield* writeInSlices(type, writer, value);
  return withHead(writer.finish(), type.code);
}

function withHead(pieces: ReturnType<ProtoWriter['finish']>, code: number): readonly Buffer[] {
  const [first] = pieces;
  first.writeUInt32BE(totalLength(pieces) - LENGTH_SIZE_BYTES, 0);
  first[LENGTH_SIZE_BYTES] = code;
  return pieces;
}

export function totalLength(pieces: readonly Buffer[]): number {
  let total = 0;
  for (const { length } of pieces) total += length;
  return total;
}

/** The same bytes in as few pieces as can be: those that lie side by side become one. */
function joinAdjacent(frames: readonly Buffer[]): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let first = 0; first < frames.length;) {
    const { buffer, byteOffset } = frames[first] as Buffer;
    let end = byteOffset;
    let next = first;
    for (; next < frames.length; next += 1) {
      const frame = frames[next] as Buffer;
      if (frame.buffer !== buffer || frame.byteOffset !== end) break;
      end += frame.length;
    }
    pieces.push(Buffer.from(buffer, byteOffset, end - byteOffset));
    first = next;
  }
  return pieces;
}

/** Sends the pieces of frames in one write. */
export function writeFrames(socket: Socket, frames: readonly Buffer[]): void {
  const pieces = frames.length > 1 ? joinAdjacent(frames) : frames;
  if (pieces.length > 1) socket.cork();
  for (const piece of pieces) socket.write(piece);
  if (pieces.length > 1) socket.uncork();
}
