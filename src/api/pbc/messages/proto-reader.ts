/**
 * Reads protobuf's wire format from bytes that may be hostile.
 *
 * Every length is checked against what is there, nesting and the number of fields are bounded, and
 * whatever is wrong ends in one fault, `malformed`. Byte fields are views of the input, not copies.
 *
 * Source: the published description of protobuf's encoding.
 */

import { Fault } from '../../../base/fault.ts';
import type { ByteString } from '../../../base/bytes.ts';

export const VARINT_WIRE = 0;
const FIXED64_WIRE = 1;
export const LENGTH_WIRE = 2;
const GROUP_START_WIRE = 3;
const GROUP_END_WIRE = 4;
const FIXED32_WIRE = 5;

const VARINT_SIZE_MAX_BYTES = 10;
const DEPTH_MAX = 64;

/** Shorter texts are put together faster than they are asked from the runtime. */
const SHORT_TEXT_BYTES = 12;

export interface ReaderLimits {
  /** Fields in one message, those of nested messages included: what a small body can blow up to. */
  readonly fieldCountMax: number;
}

export class ProtoReader {
  readonly #bytes: Buffer;
  #position: number;
  /** Where the message ends that is being read. */
  #end: number;
  #depth = 0;
  #fieldsLeft: number;

  constructor(bytes: Buffer, limits: ReaderLimits) {
    this.#bytes = bytes;
    this.#position = 0;
    this.#end = bytes.length;
    this.#fieldsLeft = limits.fieldCountMax;
  }

  /** Whether the message being read has another field. */
  hasMore(): boolean {
    return this.#position < this.#end;
  }

  /** Of the message being read. */
  get leftBytes(): number {
    return this.#end - this.#position;
  }

  /** The next field's number << 3 | wire type. */
  tag(): number {
    this.countField();
    const tag = this.uint32();
    if (tag < 8) throw malformed('field number 0');
    return tag;
  }

  /** Each thing that costs memory of its own counts against the limit. */
  countField(): void {
    if (this.#fieldsLeft === 0) throw malformed('too many fields');
    this.#fieldsLeft -= 1;
  }

  /** A varint's low 32 bits; what is above them is dropped. */
  uint32(): number {
    if (this.#position < this.#end) {
      const byte = this.#bytes[this.#position] as number;
      if (byte < 0x80) {
        this.#position += 1;
        return byte;
      }
    }
    return this.#longVarint();
  }

  bool(): boolean {
    // A varint is zero only where none of its bytes carries a bit.
    let bits = 0;
    for (let size = 0; size < VARINT_SIZE_MAX_BYTES; size += 1) {
      const byte = this.#byte();
      bits |= byte & 0x7f;
      if (byte < 0x80) return bits !== 0;
    }
    throw malformed('varint too long');
  }

  uint64(): bigint {
    let value = 0n;
    for (let size = 0; size < VARINT_SIZE_MAX_BYTES; size += 1) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * size);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed('varint too long');
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** Zigzag: 0, -1, 1, -2, … */
  sint64(): bigint {
    const value = this.uint64();
    return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
  }

  /** A view, which keeps all of the input in memory while it is held. */
  bytes(): Buffer {
    const size = this.#length();
    const start = this.#position;
    this.#position = start + size;
    return this.#bytes.subarray(start, this.#position);
  }

  byteString(): ByteString {
    const size = this.#length();
    const start = this.#position;
    this.#position = start + size;
    if (size > SHORT_TEXT_BYTES) {
      return this.#bytes.toString('latin1', start, this.#position) as ByteString;
    }
    return shortText(this.#bytes, start, this.#position);
  }

  /** Narrows to a nested message; give the result to `leave` when it is read. */
  enter(): number {
    const size = this.#length();
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw malformed('nested too deeply');
    const outerEnd = this.#end;
    this.#end = this.#position + size;
    return outerEnd;
  }

  leave(outerEnd: number): void {
    this.#depth -= 1;
    this.#end = outerEnd;
  }

  /** Passes over a field's value. */
  skip(wire: number): void {
    switch (wire) {
      case VARINT_WIRE:
        this.uint32();
        return;
      case FIXED64_WIRE:
        this.#pass(8);
        return;
      case LENGTH_WIRE:
        this.#pass(this.#length());
        return;
      case GROUP_START_WIRE:
        this.#skipGroup();
        return;
      case FIXED32_WIRE:
        this.#pass(4);
        return;
      default:
        throw malformed(`wire type ${wire}`);
    }
  }

  /** Groups are no longer in use anywhere; what is left of them is their end. */
  #skipGroup(): void {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw malformed('nested too deeply');
    for (;;) {
      const wire = this.tag() & 7;
      if (wire === GROUP_END_WIRE) break;
      this.skip(wire);
    }
    this.#depth -= 1;
  }

  #longVarint(): number {
    let value = 0;
    for (let size = 0; size < VARINT_SIZE_MAX_BYTES; size += 1) {
      const byte = this.#byte();
      if (size < 5) value |= (byte & 0x7f) << (7 * size);
      if (byte < 0x80) return value >>> 0;
    }
    throw malformed('varint too long');
  }

  #length(): number {
    const size = this.uint32();
    if (size > this.#end - this.#position) throw malformed('a field is longer than its message');
    return size;
  }

  #pass(size: number): void {
    if (size > this.#end - this.#position) throw malformed('a message ends within a field');
    this.#position += size;
  }

  #byte(): number {
    if (this.#position >= this.#end) throw malformed('a message ends within a field');
    const byte = this.#bytes[this.#position] as number;
    this.#position += 1;
    return byte;
  }
}

/** Characters are cheaper by the handful than one by one. */
function shortText(bytes: Buffer, start: number, end: number): ByteString {
  let text = '';
  let index = start;
  for (; index + 4 <= end; index += 4) {
    text += String.fromCharCode(
      bytes[index] as number,
      bytes[index + 1] as number,
      bytes[index + 2] as number,
      bytes[index + 3] as number,
    );
  }
  for (; index < end; index += 1) text += String.fromCharCode(bytes[index] as number);
  return text as ByteString;
}

export function malformed(reason: string): Fault {
  return new Fault('malformed', reason);
}
