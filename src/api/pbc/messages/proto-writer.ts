/**
 * Writes protobuf's wire format, one frame after the other, into memory that is shared by frames.
 *
 * Small frames lie side by side in a slab, so that a reply costs no allocation of its own; a slab is
 * never written twice, so a finished frame may be held and sent at leisure. A nested message is
 * written in place, and moved by the few bytes that its length turns out to need. Large values are not
 * copied but set in: the frame is then what was written before, the value itself, and what comes after.
 */

import { assert } from '../../../base/fault.ts';
import { LENGTH_WIRE, VARINT_WIRE } from './proto-reader.ts';
import type { ByteString } from '../../../base/bytes.ts';

const SLAB_SIZE_BYTES = 32 * 1024;
/** A slab with less room than this is left behind rather than begun another frame in. */
const ROOM_MIN_BYTES = 512;
const SHORT_TEXT_BYTES = 12;
/** A value of this size or more costs less as a piece of its own than as a copy. */
const INSET_MIN_BYTES = 4 * 1024;
const TWO_32 = 2 ** 32;

/** A value within a frame, at `offset` from the start of what was written of it. */
interface Inset {
  readonly value: Buffer;
  offset: number;
}

/** Of a value, how much is written into the frame's own bytes. */
export function copiedBytes(value: Buffer): number {
  return value.length < INSET_MIN_BYTES ? value.length : 0;
}

export class ProtoWriter {
  #bytes = Buffer.allocUnsafeSlow(SLAB_SIZE_BYTES);
  #start = 0;
  #position = 0;
  #insets: Inset[] = [];

  /** Begins a frame of about `sizeHint` bytes, leaving `head` bytes for what is known at its end. */
  begin(head: number, sizeHint: number): void {
    if (this.#bytes.length - this.#position < Math.max(sizeHint, ROOM_MIN_BYTES)) {
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_SIZE_BYTES, sizeHint));
      this.#position = 0;
    }
    this.#start = this.#position;
    this.#position += head;
    // What a frame that was never finished has left.
    if (this.#insets.length > 0) this.#insets = [];
  }

  /** The frame in pieces, its head not yet filled in; nothing writes to them any more. */
  finish(): readonly [Buffer, ...Buffer[]] {
    const written = this.#bytes.subarray(this.#start, this.#position);
    if (this.#insets.length === 0) return [written];
    const insets = this.#insets;
    this.#insets = [];
    const [{ offset: firstSize }] = insets as [Inset];
    const rest: Buffer[] = [];
    for (const [index, { value, offset }] of insets.entries()) {
      rest.push(value);
      const next = insets[index + 1]?.offset ?? written.length;
      if (next > offset) rest.push(written.subarray(offset, next));
    }
    return [written.subarray(0, firstSize), ...rest];
  }

  bool(field: number, value: boolean): void {
    this.#reserve(6);
    this.#varint((field << 3) | VARINT_WIRE);
    this.#bytes[this.#position] = value ? 1 : 0;
    this.#position += 1;
  }

  /** `value` from 0. What is above 2^32 - 1 goes out as it is, as from Riak: a sum of many sizes. */
  uint32(field: number, value: number): void {
    assert(value >= 0, 'a uint32 is not negative');
    if (value >= TWO_32) {
      this.int64(field, BigInt(value));
      return;
    }
    this.#reserve(10);
    this.#varint((field << 3) | VARINT_WIRE);
    this.#varint(value);
  }

  /** Numbers below 0 are written as their 64-bit two's complement. */
  int64(field: number, value: bigint): void {
    this.#reserve(15);
    this.#varint((field << 3) | VARINT_WIRE);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.#bytes[this.#position] = Number(rest & 0x7fn) | 0x80;
      this.#position += 1;
      rest >>= 7n;
    }
    this.#bytes[this.#position] = Number(rest);
    this.#position += 1;
  }

  /** Zigzag: 0, -1, 1, -2, … */
  sint64(field: number, value: bigint): void {
    this.int64(field, value >= 0n ? value << 1n : (-value << 1n) - 1n);
  }

  /** `value` is not changed afterwards: a large one is sent as it is. */
  bytes(field: number, value: Buffer): void {
    const copied = copiedBytes(value);
    this.#reserve(10 + copied);
    this.#varint((field << 3) | LENGTH_WIRE);
    this.#varint(value.length);
    if (copied < value.length) {
      this.#insets.push({ value, offset: this.#position - this.#start });
      return;
    }
    this.#bytes.set(value, this.#position);
    this.#position += copied;
  }

  byteString(field: number, value: ByteString): void {
    const size = value.length;
    this.#reserve(10 + size);
    this.#varint((field << 3) | LENGTH_WIRE);
    this.#varint(size);
    if (size > SHORT_TEXT_BYTES) {
      this.#bytes.write(value, this.#position, 'latin1');
    } else {
      for (let index = 0; index < size; index += 1) {
        this.#bytes[this.#position + index] = value.charCodeAt(index);
      }
    }
    this.#position += size;
  }

  /** Opens a nested message; give the result to `close` when it is written. */
  open(field: number): number {
    this.#reserve(6);
    this.#varint((field << 3) | LENGTH_WIRE);
    this.#position += 1;
    // Relative to the frame, which moves when it outgrows its slab.
    return this.#position - this.#start;
  }

  close(mark: number): void {
    const content = this.#start + mark;
    const written = this.#position - content;
    const size = written + this.#insetBytesSince(mark);
    if (size < 0x80) {
      this.#bytes[content - 1] = size;
      return;
    }
    const lengthSize = varintSize(size);
    this.#reserve(lengthSize);
    // The frame may have moved.
    const from = this.#start + mark;
    this.#bytes.copyWithin(from + lengthSize - 1, from, this.#position);
    for (const inset of this.#insets) if (inset.offset >= mark) inset.offset += lengthSize - 1;
    this.#position = from - 1;
    this.#varint(size);
    this.#position += written;
  }

  #insetBytesSince(mark: number): number {
    let sizeBytes = 0;
    for (const { value, offset } of this.#insets) if (offset >= mark) sizeBytes += value.length;
    return sizeBytes;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#position] = (rest & 0x7f) | 0x80;
      this.#position += 1;
      rest >>>= 7;
    }
    this.#bytes[this.#position] = rest;
    this.#position += 1;
  }

  /** Moves the frame to a larger slab if `size` more bytes do not fit. */
  #reserve(size: number): void {
    if (this.#position + size <= this.#bytes.length) return;
    const written = this.#position - this.#start;
    const grown = Buffer.allocUnsafeSlow(Math.max(SLAB_SIZE_BYTES, 2 * written + size));
    this.#bytes.copy(grown, 0, this.#start, this.#position);
    this.#bytes = grown;
    this.#start = 0;
    this.#position = written;
  }
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size += 1;
  return size;
}
