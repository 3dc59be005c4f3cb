/**
 * Terms in Erlang's external format, read from and written for clients that send jobs that way.
 *
 * A reader of bytes that nobody has checked: the number of terms, their nesting and the size of
 * integers are bounded before anything is made of them. Functions, references, processes, bit strings,
 * improper lists and the compressed form are refused; no job needs them. Atoms stay texts.
 * Source: the Erlang run-time system's user guide, "External Term Format".
 */

import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { atom, isList } from './term.ts';
import type { Term, TermList } from './term.ts';

const VERSION = 131;
const DEPTH_MAX = 64;
/** Elements of lists, tuples and maps altogether; a job of half a million keys has this many. */
const TERMS_MAX = 2_000_000;
const INTEGER_SIZE_MAX_BYTES = 1024;
/** Erlang's own limit, in characters. */
const ATOM_LENGTH_MAX = 255;

const TAG = {
  newFloat: 70,
  smallInteger: 97,
  integer: 98,
  float: 99,
  atom: 100,
  smallTuple: 104,
  largeTuple: 105,
  nil: 106,
  string: 107,
  list: 108,
  binary: 109,
  smallBig: 110,
  largeBig: 111,
  smallAtom: 115,
  map: 116,
  atomUtf8: 118,
  smallAtomUtf8: 119,
} as const;

/** The term, or undefined where the bytes are none, or one beyond the limits. */
export function decodeTerm(bytes: Buffer): Term | undefined {
  const decoder = new Decoder(bytes);
  return decoder.whole();
}

class Decoder {
  readonly #reader: ByteReader;
  #termsLeft = TERMS_MAX;

  constructor(bytes: Buffer) {
    this.#reader = new ByteReader(bytes);
  }

  whole(): Term | undefined {
    if (this.#reader.u8() !== VERSION) return undefined;
    const term = this.#term(0);
    return this.#reader.isSound && this.#reader.remaining === 0 ? term : undefined;
  }

  #term(depth: number): Term | undefined {
    const reader = this.#reader;
    if (depth > DEPTH_MAX) return undefined;
    switch (reader.u8()) {
      case TAG.smallInteger:
        return BigInt(reader.u8());
      case TAG.integer:
        return BigInt(reader.u32() | 0);
      case TAG.newFloat:
        return this.#float(reader.view(8));
      case TAG.float:
        return floatOfText(reader.byteString(31));
      case TAG.atom:
        return atomOf(reader.byteString(this.#u16()));
      case TAG.atomUtf8:
        return atomOf(reader.view(this.#u16()).toString('utf8'));
      case TAG.smallAtom:
        return atomOf(reader.byteString(reader.u8()));
      case TAG.smallAtomUtf8:
        return atomOf(reader.view(reader.u8()).toString('utf8'));
      case TAG.smallTuple:
        return this.#tuple(reader.u8(), depth);
      case TAG.largeTuple:
        return this.#tuple(reader.u32(), depth);
      case TAG.nil:
        return [];
      case TAG.string:
        return this.#string(this.#u16());
      case TAG.list:
        return this.#list(reader.u32(), depth);
      case TAG.binary:
        return reader.view(reader.u32());
      case TAG.smallBig:
        return this.#big(reader.u8());
      case TAG.largeBig:
        return this.#big(reader.u32());
      case TAG.map:
        return this.#map(reader.u32(), depth);
      default:
        return undefined;
    }
  }

  #u16(): number {
    const high = this.#reader.u8();
    return high * 256 + this.#reader.u8();
  }

  #float(bytes: Buffer): number | undefined {
    const value = bytes.length === 8 ? bytes.readDoubleBE(0) : Number.NaN;
    return Number.isFinite(value) ? value : undefined;
  }

  /** `count` terms; each takes a byte at least, so a count beyond what is left is none. */
  #items(count: number, depth: number): Term[] | undefined {
    if (count > this.#reader.remaining || count > this.#termsLeft) return undefined;
    this.#termsLeft -= count;
    const items: Term[] = [];
    for (let index = 0; index < count; index += 1) {
      const item = this.#term(depth + 1);
      if (item === undefined || !this.#reader.isSound) return undefined;
      items.push(item);
    }
    return items;
  }

  #tuple(count: number, depth: number): Term | undefined {
    const items = this.#items(count, depth);
    return items === undefined ? undefined : { kind: 'tuple', items };
  }

  #list(count: number, depth: number): Term | undefined {
    const items = this.#items(count, depth);
    const isProper = this.#reader.u8() === TAG.nil;
    return isProper ? items : undefined;
  }

  /** A list of small integers, a byte each. */
  #string(count: number): Term | undefined {
    if (count > this.#termsLeft) return undefined;
    this.#termsLeft -= count;
    return Array.from(this.#reader.view(count), BigInt);
  }

  #map(count: number, depth: number): Term | undefined {
    const items = this.#items(count * 2, depth);
    if (items === undefined) return undefined;
    const pairs: [Term, Term][] = [];
    for (let index = 0; index < items.length; index += 2) {
      pairs.push([items[index] as Term, items[index + 1] as Term]);
    }
    return { kind: 'map', pairs };
  }

  /** A sign byte, then the magnitude, its lowest byte first. */
  #big(sizeBytes: number): Term | undefined {
    if (sizeBytes > INTEGER_SIZE_MAX_BYTES) return undefined;
    const isNegative = this.#reader.u8() !== 0;
    const digits = Buffer.from(this.#reader.view(sizeBytes)).reverse().toString('hex');
    const magnitude = BigInt(`0x${digits === '' ? '0' : digits}`);
    return isNegative ? -magnitude : magnitude;
  }
}

/** Longer ones there are none; written as UTF-8, their length might not fit. */
function atomOf(name: string): Term | undefined {
  const isShort = name.length <= ATOM_LENGTH_MAX || Array.from(name).length <= ATOM_LENGTH_MAX;
  return isShort ? atom(name) : undefined;
}

function floatOfText(text: string): number | undefined {
  const value = Number(text.replaceAll('\0', '').trim());
  return text !== '' && Number.isFinite(value) ? value : undefined;
}

/** The bytes, or undefined where the term holds an object, which has no outer form. */
export function encodeTerm(term: Term): Buffer | undefined {
  const writer = new ByteWriter(256);
  writer.u8(VERSION);
  return writeTerm(writer, term) ? writer.written() : undefined;
}

function writeTerm(writer: ByteWriter, term: Term): boolean {
  if (typeof term === 'bigint') return writeInteger(writer, term);
  if (typeof term === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(term);
    writer.u8(TAG.newFloat);
    writer.raw(bytes);
    return true;
  }
  if (Buffer.isBuffer(term)) {
    writer.u8(TAG.binary);
    writer.u32(term.length);
    writer.raw(term);
    return true;
  }
  if (isList(term)) return writeList(writer, term);
  switch (term.kind) {
    case 'atom': {
      const name = Buffer.from(term.name, 'utf8');
      writer.u8(TAG.atomUtf8);
      writeU16(writer, name.length);
      writer.raw(name);
      return true;
    }
    case 'tuple':
      if (term.items.length < 256) {
        writer.u8(TAG.smallTuple);
        writer.u8(term.items.length);
      } else {
        writer.u8(TAG.largeTuple);
        writer.u32(term.items.length);
      }
      return term.items.every((item) => writeTerm(writer, item));
    case 'map':
      writer.u8(TAG.map);
      writer.u32(term.pairs.length);
      return term.pairs.every(([key, value]) => writeTerm(writer, key) && writeTerm(writer, value));
    case 'object':
      return false;
  }
}

/** A list of bytes goes out as a string, as Erlang writes it. */
function writeList(writer: ByteWriter, list: TermList): boolean {
  if (list.length > 0 && list.length < 0x10000 && list.every(isByte)) {
    writer.u8(TAG.string);
    writeU16(writer, list.length);
    for (const byte of list) writer.u8(Number(byte));
    return true;
  }
  if (list.length > 0) {
    writer.u8(TAG.list);
    writer.u32(list.length);
    if (!list.every((item) => writeTerm(writer, item))) return false;
  }
  writer.u8(TAG.nil);
  return true;
}

function isByte(term: Term): boolean {
  return typeof term === 'bigint' && term >= 0n && term < 256n;
}

function writeInteger(writer: ByteWriter, value: bigint): boolean {
  if (isByte(value)) {
    writer.u8(TAG.smallInteger);
    writer.u8(Number(value));
    return true;
  }
  if (value >= -0x80000000n && value < 0x80000000n) {
    writer.u8(TAG.integer);
    writer.u32(Number(value) >>> 0);
    return true;
  }
  const hex = (value < 0n ? -value : value).toString(16);
  const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').reverse();
  if (magnitude.length < 256) {
    writer.u8(TAG.smallBig);
    writer.u8(magnitude.length);
  } else {
    writer.u8(TAG.largeBig);
    writer.u32(magnitude.length);
  }
  writer.u8(value < 0n ? 1 : 0);
  writer.raw(magnitude);
  return true;
}

function writeU16(writer: ByteWriter, value: number): void {
  writer.u8(value >>> 8);
  writer.u8(value & 0xff);
}
