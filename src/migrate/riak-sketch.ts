/**
 * HyperLogLogs as Riak stores them: what the object API shows of a key in a bucket type of `hll`.
 *
 *   | 69 | 2 | length u32 | "riak_kv_hll" | 86 | 1 | term in Erlang's external format |
 *   term = {hyper, P, {hyper_binary, {dense, <<2^P registers of 6 bits>>, [{Index, Rank}, …], …}}}
 *                         or, of few, {buffer, [{Index, Rank}, …], …}
 *
 * Sizes and thresholds, which stand last, are not looked at.
 * Its registers are those of `datatype/hyperloglog.ts`: both hash with SHA-1, take the first bits for the
 * index and count on from there. Riak looks at P bits more at the most, so that one register in 2^P may
 * hold less than it would here, which no estimate shows. Bytes that nobody has checked: whatever else they are,
 * they are no sketch. Source: the formats as found in stored objects; the Erlang run-time system's user
 * guide, "External Term Format".
 */

import { inflateSync } from 'node:zlib';
import { ByteReader } from '../base/byte-reader.ts';
import { emptyRegisters, HLL_PRECISION_MAX, HLL_PRECISION_MIN } from '../datatype/hyperloglog.ts';
import type { Registers } from '../datatype/hyperloglog.ts';

const HEAD = Buffer.concat([
  Buffer.of(69, 2, 0, 0, 0, 11),
  Buffer.from('riak_kv_hll'),
  Buffer.of(86, 1),
]);
const TERM_VERSION = 131;
const TERM_COMPRESSED = 80;
/** A sketch has 48 KiB of registers at most, and entries beside them as many. */
const TERM_SIZE_MAX_BYTES = 4 * 1024 * 1024;
const RANK_BITS = 6;

/** Undefined: the bytes are something else. */
export function decodeRiakSketch(bytes: Buffer): Registers | undefined {
  if (!bytes.subarray(0, HEAD.length).equals(HEAD)) return undefined;
  const term = plainTerm(bytes.subarray(HEAD.length));
  if (term === undefined) return undefined;
  const reader = new TermReader(term);
  if (reader.tuple() < 3 || reader.atom() !== 'hyper') return undefined;
  const precision = reader.integer();
  if (reader.tuple() !== 2 || reader.atom() !== 'hyper_binary') return undefined;
  const fieldCount = reader.tuple();
  const form = reader.atom();
  if (precision < HLL_PRECISION_MIN || precision > HLL_PRECISION_MAX || fieldCount < 4)
    return undefined;
  const registers = emptyRegisters(precision);
  if (form === 'dense') unpack(reader.binary(), registers, reader);
  else if (form !== 'buffer') return undefined;
  for (const [index, rank] of reader.pairs()) {
    if (index >= registers.length) return undefined;
    registers[index] = Math.max(rank, registers[index] as number);
  }
  const rankMax = 65 - precision;
  return reader.isSound && registers.every((rank) => rank <= rankMax) ? registers : undefined;
}

/** The term behind its version, inflated where it is compressed. */
function plainTerm(bytes: Buffer): Buffer | undefined {
  if (bytes[0] !== TERM_VERSION) return undefined;
  if (bytes[1] !== TERM_COMPRESSED) return bytes.subarray(1);
  try {
    return inflateSync(bytes.subarray(6), { maxOutputLength: TERM_SIZE_MAX_BYTES });
  } catch {
    return undefined;
  }
}

/** Six bits each, one behind another. */
function unpack(packed: Buffer, registers: Registers, reader: TermReader): void {
  if (packed.length * 8 !== registers.length * RANK_BITS) {
    reader.fail();
    return;
  }
  for (let index = 0; index < registers.length; index += 1) {
    const bit = index * RANK_BITS;
    const at = bit >>> 3;
    const pair = ((packed[at] as number) << 8) | (packed[at + 1] ?? 0);
    registers[index] = (pair >>> (16 - RANK_BITS - (bit & 7))) & 0x3f;
  }
}

/** The few terms that a sketch is made of, in the order in which it has them. */
class TermReader {
  readonly #reader: ByteReader;
  #isSound = true;

  constructor(bytes: Buffer) {
    this.#reader = new ByteReader(bytes);
  }

  get isSound(): boolean {
    return this.#isSound && this.#reader.isSound;
  }

  fail(): void {
    this.#isSound = false;
  }

  /** How many fields follow. */
  tuple(): number {
    return this.#expect(104) ? this.#reader.u8() : 0;
  }

  atom(): string {
    const tag = this.#reader.u8();
    const isSmall = tag === 115 || tag === 119;
    if (!isSmall && tag !== 100 && tag !== 118) this.fail();
    const high = isSmall ? 0 : this.#reader.u8();
    return this.#reader.byteString(high * 256 + this.#reader.u8());
  }

  /** Not negative; 0 where it is none. */
  integer(): number {
    const tag = this.#reader.u8();
    if (tag === 97) return this.#reader.u8();
    const value = tag === 98 ? this.#reader.u32() : 2 ** 32;
    if (value >= 2 ** 31) this.fail();
    return value >= 2 ** 31 ? 0 : value;
  }

  binary(): Buffer {
    return this.#expect(109) ? this.#reader.view(this.#reader.u32()) : Buffer.alloc(0);
  }

  /** A list of pairs of integers. */
  pairs(): readonly (readonly [number, number])[] {
    const tag = this.#reader.u8();
    if (tag === 106) return [];
    if (tag !== 108) this.fail();
    const pairs: (readonly [number, number])[] = [];
    for (let left = this.#reader.u32(); left > 0 && this.isSound; left -= 1) {
      if (this.tuple() !== 2) this.fail();
      pairs.push([this.integer(), this.integer()]);
    }
    if (this.#reader.u8() !== 106) this.fail();
    return pairs;
  }

  #expect(tag: number): boolean {
    if (this.#reader.u8() === tag) return true;
    this.fail();
    return false;
  }
}
