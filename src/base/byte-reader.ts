/**
 * Reads a sequence of fields from bytes that nobody has checked yet.
 *
 * A read past the end, or of an ill-formed varint, returns zero or nothing and marks the reader as
 * unsound, for good; so a decoder reads its fields in a row and asks once, at the end, whether what
 * it read was there. It never throws and never allocates more than the bytes it was given.
 */

import { asBuffer } from './bytes.ts';
import type { ByteString } from './bytes.ts';

const EMPTY = Buffer.alloc(0);

export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;
  #isSound = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = asBuffer(bytes);
  }

  /** Whether every read so far found what it asked for. */
  get isSound(): boolean {
    return this.#isSound;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#take(1) ? (this.#bytes[this.#offset - 1] as number) : 0;
  }

  /** Big-endian. */
  u32(): number {
    return this.#take(4) ? this.#bytes.readUInt32BE(this.#offset - 4) : 0;
  }

  /** Seven bits to a byte, the lowest first; 0 to 2^53 - 1 in at most 8 bytes. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= 8; length += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.#fail();
      scale *= 0x80;
    }
    return this.#fail();
  }

  byteString(size: number): ByteString {
    return (
      this.#take(size) ? this.#bytes.toString('latin1', this.#offset - size, this.#offset) : ''
    ) as ByteString;
  }

  /** A view of the same memory; nothing is copied. */
  view(size: number): Buffer {
    return this.#take(size) ? this.#bytes.subarray(this.#offset - size, this.#offset) : EMPTY;
  }

  #take(size: number): boolean {
    if (!this.#isSound || size < 0 || size > this.remaining) {
      this.#isSound = false;
      return false;
    }
    this.#offset += size;
    return true;
  }

  #fail(): number {
    this.#isSound = false;
    return 0;
  }
}
