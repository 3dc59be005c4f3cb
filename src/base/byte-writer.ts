/**
 * Writes a sequence of fields into a buffer that grows as needed; `ByteReader` reads them back.
 */

import { assert } from './fault.ts';
import type { ByteString } from './bytes.ts';

const SMALLEST_SIZE_BYTES = 64;

export class ByteWriter {
  #bytes: Buffer;
  #size = 0;

  /** `sizeHint`: bytes expected; a good one saves the growing. */
  constructor(sizeHint: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(sizeHint, SMALLEST_SIZE_BYTES));
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#size] = value;
    this.#size += 1;
  }

  /** Big-endian. */
  u32(value: number): void {
    this.#reserve(4);
    this.#size = this.#bytes.writeUInt32BE(value, this.#size);
  }

  /** Overwrites the four bytes at `offset`, which were written before. */
  u32At(offset: number, value: number): void {
    assert(offset >= 0 && offset + 4 <= this.#size, 'a field is filled in after it is written');
    this.#bytes.writeUInt32BE(value, offset);
  }

  /** Seven bits to a byte, the lowest first; 0 to 2^53 - 1. */
  varint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe integer from 0');
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#size] = (rest % 0x80) | 0x80;
      this.#size += 1;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#size] = rest;
    this.#size += 1;
  }

  byteString(text: ByteString): void {
    this.#reserve(text.length);
    this.#bytes.write(text, this.#size, 'latin1');
    this.#size += text.length;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** What has been written; a view that later writes may or may not show through. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #reserve(size: number): void {
    const needed = this.#size + size;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#size);
    this.#bytes = grown;
  }
}
