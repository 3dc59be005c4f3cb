/**
 * Packed stores: the content of a data type as bytes, in which a large value can be read and changed
 * without taking it apart.
 *
 * | store | bytes |
 * |---|---|
 * | set | count u32, (element, dots) … in ascending order |
 * | gset | count u32, elements in ascending order |
 * | map | count u32, (field key, dots, size, content) … in ascending order |
 * | counter | count, (dot, value as decimal text) … |
 * | register | count, (dot, microseconds, value) … |
 * | flag | dots |
 *
 * Dots are a count and (position, counter) pairs. A position is an actor's place among the entries of
 * the state's context, so a store means something only beside its state. Names and texts have their
 * size before them; sizes, counts and positions are varints but for the counts of collections, which
 * are known last.
 */

import type { ByteReader } from '../base/byte-reader.ts';
import type { ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { assert } from '../base/fault.ts';
import type { FieldKind } from './operation.ts';

export type StoreKind = FieldKind | 'gset';
export type CollectionKind = 'set' | 'gset' | 'map';

export const COUNT_SIZE_BYTES = 4;

/** A dot whose actor is given by its position. */
export interface PackedDot {
  readonly position: number;
  readonly counter: number;
}

/** position → the counter up to which its dots are seen; absent: none. */
export type Seen = readonly (number | undefined)[];

const FIELD_KINDS: readonly FieldKind[] = ['counter', 'register', 'map', 'flag', 'set'];

/** Sorts by name; fields of one name sort in Riak's order of kinds. */
export function fieldKey(name: ByteString, kind: FieldKind): ByteString {
  return `${name}\u0000${FIELD_KINDS.indexOf(kind)}` as ByteString;
}

export function fieldKeyToField(key: ByteString): { name: ByteString; kind: FieldKind } {
  const kind = FIELD_KINDS[Number(key.at(-1))];
  assert(kind !== undefined, 'a field key ends with its kind');
  return { name: key.slice(0, -2) as ByteString, kind };
}

/** The kind in a packed field key; undefined: it is no field key. */
export function fieldKindAt(bytes: Buffer, start: number, end: number): FieldKind | undefined {
  if (end - start < 2 || bytes[end - 2] !== 0) return undefined;
  return FIELD_KINDS[(bytes[end - 1] as number) - 0x30];
}

const EMPTY_COLLECTION = Buffer.alloc(COUNT_SIZE_BYTES);
const EMPTY_LEAF = Buffer.alloc(1);

/** A store that nothing was added to; never written to. */
export function emptyStore(kind: StoreKind): Buffer {
  return isCollection(kind) ? EMPTY_COLLECTION : EMPTY_LEAF;
}

export function isCollection(kind: StoreKind): kind is CollectionKind {
  return kind === 'set' || kind === 'gset' || kind === 'map';
}

/**
 * Reads packed fields in a row. What is past the end, or no varint, is NaN, which fails every
 * comparison: `check-store.ts` looks for it once, and the others read what was checked.
 */
export class PackedReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  varint(): number {
    const first = this.bytes[this.at] as number;
    if (first < 0x80) {
      this.at += 1;
      return first;
    }
    return this.#longVarint();
  }

  name(): ByteString {
    const size = this.varint();
    const start = this.at;
    this.at += size;
    return this.bytes.toString('latin1', start, this.at) as ByteString;
  }

  /** At the given positions, if any: those of another state. */
  dots(positions: readonly number[] | undefined): PackedDot[] {
    const dots: PackedDot[] = [];
    for (let left = this.varint(); left > 0; left -= 1) {
      const position = this.varint();
      dots.push({ position: positions?.[position] ?? position, counter: this.varint() });
    }
    return dots;
  }

  skipDots(): void {
    for (let left = this.varint(); left > 0; left -= 1) {
      this.varint();
      this.varint();
    }
  }

  #longVarint(): number {
    let value = 0;
    let scale = 1;
    for (let size = 1; size <= 8; size += 1) {
      const byte = this.bytes[this.at];
      if (byte === undefined) return NaN;
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : NaN;
      scale *= 0x80;
    }
    return NaN;
  }
}

export function writeName(writer: ByteWriter, name: ByteString): void {
  writer.varint(name.length);
  writer.byteString(name);
}

export function readName(reader: ByteReader): ByteString {
  return reader.byteString(reader.varint());
}

export function writeDots(writer: ByteWriter, dots: readonly PackedDot[]): void {
  writer.varint(dots.length);
  for (const { position, counter } of dots) {
    writer.varint(position);
    writer.varint(counter);
  }
}

export function packDots(dots: readonly PackedDot[]): Buffer {
  const writer = new ByteWriter(1 + 8 * dots.length);
  writeDots(writer, dots);
  return writer.written();
}

/** The entries whose dots are not seen; the argument itself where that is all of them. */
export function unseen<T extends PackedDot>(entries: readonly T[], seen: Seen): readonly T[] {
  return entries.every((entry) => isUnseen(entry, seen))
    ? entries
    : entries.filter((entry) => isUnseen(entry, seen));
}

export function isUnseen({ position, counter }: PackedDot, seen: Seen): boolean {
  return (seen[position] ?? 0) < counter;
}
