/**
 * Sets and maps in packed form: walking their entries, and writing them anew with some changed.
 *
 * Entries are sorted by name, so that two collections are compared, and a list of changes is worked
 * in, by walking both side by side. What does not change is copied in runs and never looked into.
 */

import type { ByteString } from '../base/bytes.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';
import {
  COUNT_SIZE_BYTES,
  PackedReader,
  packDots,
  writeDots,
  writeName,
  type CollectionKind,
  type PackedDot,
} from './packed.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** An edit takes as long as walking over so much. */
const EDIT_COST_BYTES = 64;

/** Stands at one entry of a collection, or past the last. */
export class EntryCursor {
  readonly bytes: Buffer;
  readonly #kind: CollectionKind;
  readonly #reader: PackedReader;
  /** Entries not passed yet, this one included. */
  left: number;
  /** Where the entry is, its name, and what follows the name. */
  start = 0;
  nameStart = 0;
  nameEnd = 0;
  end = 0;
  #contentStart = 0;

  constructor(kind: CollectionKind, bytes: Buffer) {
    this.bytes = bytes;
    this.#kind = kind;
    this.#reader = new PackedReader(bytes, COUNT_SIZE_BYTES);
    this.left = bytes.readUInt32BE(0);
    this.#read();
  }

  get isAtEnd(): boolean {
    return this.left === 0;
  }

  advance(): void {
    this.left -= 1;
    this.#read();
  }

  name(): ByteString {
    return this.bytes.toString('latin1', this.nameStart, this.nameEnd) as ByteString;
  }

  dots(positions: readonly number[] | undefined): PackedDot[] {
    if (this.#kind === 'gset') return [];
    this.#reader.at = this.nameEnd;
    const dots = this.#reader.dots(positions);
    this.#reader.at = this.end;
    return dots;
  }

  /** A field's content; nothing in a set. */
  content(): Buffer {
    return this.bytes.subarray(this.#contentStart, this.end);
  }

  /** Below 0 where the entry comes before `name`, above 0 where after it. */
  compareTo(name: ByteString): number {
    const { bytes, nameStart } = this;
    const size = this.nameEnd - nameStart;
    const shared = Math.min(size, name.length);
    for (let index = 0; index < shared; index += 1) {
      const order = (bytes[nameStart + index] as number) - name.charCodeAt(index);
      if (order !== 0) return order;
    }
    return size - name.length;
  }

  /** As `compareTo`; past the end comes after everything. */
  compareWith(other: EntryCursor): number {
    if (this.isAtEnd) return other.isAtEnd ? 0 : 1;
    if (other.isAtEnd) return -1;
    return compareBytes(this, other, 'name');
  }

  /** Whether name and all that follows it are the same bytes; the names are known to be equal. */
  hasSameRest(other: EntryCursor): boolean {
    return (
      this.end - this.nameEnd === other.end - other.nameEnd &&
      compareBytes(this, other, 'rest') === 0
    );
  }

  #read(): void {
    const reader = this.#reader;
    this.start = this.left === 0 ? this.bytes.length : reader.at;
    this.end = this.start;
    if (this.left === 0) return;
    const size = reader.varint();
    this.nameStart = reader.at;
    this.nameEnd = reader.at + size;
    reader.at = this.nameEnd;
    if (this.#kind !== 'gset') reader.skipDots();
    if (this.#kind === 'map') {
      const contentSize = reader.varint();
      this.#contentStart = reader.at;
      reader.at += contentSize;
    } else {
      this.#contentStart = reader.at;
    }
    this.end = reader.at;
  }
}

function compareBytes(left: EntryCursor, right: EntryCursor, part: 'name' | 'rest'): number {
  const isName = part === 'name';
  const leftStart = isName ? left.nameStart : left.nameEnd;
  const rightStart = isName ? right.nameStart : right.nameEnd;
  const leftSize = (isName ? left.nameEnd : left.end) - leftStart;
  const rightSize = (isName ? right.nameEnd : right.end) - rightStart;
  const shared = Math.min(leftSize, rightSize);
  for (let index = 0; index < shared; index += 1) {
    const order =
      (left.bytes[leftStart + index] as number) - (right.bytes[rightStart + index] as number);
    if (order !== 0) return order;
  }
  return leftSize - rightSize;
}

/** Writes entries in order; neighbours copied from one place become one copy. */
export class EntryWriter {
  readonly #writer: ByteWriter;
  #count = 0;
  #source = NOTHING;
  #runStart = 0;
  #runEnd = 0;

  constructor(sizeHint: number) {
    this.#writer = new ByteWriter(COUNT_SIZE_BYTES + sizeHint);
    this.#writer.u32(0);
  }

  /** The entry at the cursor, as it is. */
  copy({ bytes, start, end }: EntryCursor): void {
    this.copyRun(bytes, { start, end, count: 1 });
  }

  copyRun(
    bytes: Buffer,
    run: { readonly start: number; readonly end: number; readonly count: number },
  ): void {
    this.#count += run.count;
    if (bytes !== this.#source || run.start !== this.#runEnd) {
      this.#flush();
      this.#source = bytes;
      this.#runStart = run.start;
    }
    this.#runEnd = run.end;
  }

  /** `rest` is all that follows the name. */
  write(name: ByteString, rest: Buffer): void {
    this.#flush();
    this.#count += 1;
    writeName(this.#writer, name);
    this.#writer.raw(rest);
  }

  /** An entry with new dots; `content` is a field's, undefined in a set. */
  writeDotted(
    { bytes, nameStart, nameEnd }: EntryCursor,
    dots: readonly PackedDot[],
    content: Buffer | undefined,
  ): void {
    this.#flush();
    this.#count += 1;
    const writer = this.#writer;
    writer.varint(nameEnd - nameStart);
    writer.raw(bytes.subarray(nameStart, nameEnd));
    writeDots(writer, dots);
    if (content === undefined) return;
    writer.varint(content.length);
    writer.raw(content);
  }

  finish(): Buffer {
    this.#flush();
    this.#writer.u32At(0, this.#count);
    return this.#writer.written();
  }

  #flush(): void {
    if (this.#runEnd > this.#runStart) {
      this.#writer.raw(this.#source.subarray(this.#runStart, this.#runEnd));
    }
    this.#runStart = this.#runEnd;
  }
}

/** What an entry is to be; `rest` undefined takes it away. */
export interface EntryEdit {
  readonly name: ByteString;
  readonly rest: Buffer | undefined;
}

/** An entry taken out of its collection. */
export interface Entry {
  readonly dots: readonly PackedDot[];
  /** A field's; nothing in a set. */
  readonly content: Buffer;
}

/** What follows the name of an entry. */
export function packRest(kind: 'set' | 'map', { dots, content }: Entry): Buffer {
  if (kind === 'set') return packDots(dots);
  const writer = new ByteWriter(16 + 8 * dots.length + content.length);
  writeDots(writer, dots);
  writer.varint(content.length);
  writer.raw(content);
  return writer.written();
}

/** The collection after the edits, which are in ascending order and name each entry once. */
export function* editEntries(
  kind: CollectionKind,
  bytes: Buffer,
  edits: readonly EntryEdit[],
): Sliced<Buffer> {
  let growth = 0;
  for (const { name, rest } of edits) growth += rest === undefined ? 0 : name.length + rest.length;
  const writer = new EntryWriter(bytes.length + growth + 4 * edits.length);
  const cursor = new EntryCursor(kind, bytes);
  const slice = new SliceBudget();
  for (const { name, rest } of edits) {
    let order = cursor.isAtEnd ? 1 : cursor.compareTo(name);
    while (order < 0) {
      writer.copy(cursor);
      if (slice.spend(cursor.end - cursor.start)) yield;
      cursor.advance();
      order = cursor.isAtEnd ? 1 : cursor.compareTo(name);
    }
    if (order === 0) cursor.advance();
    if (rest !== undefined) writer.write(name, rest);
    if (slice.spend(EDIT_COST_BYTES + (rest?.length ?? 0))) yield;
  }
  writer.copyRun(bytes, { start: cursor.start, end: bytes.length, count: cursor.left });
  return writer.finish();
}

/** Those of the entries named that are there; the names in ascending order. */
export function* findEntries(
  kind: CollectionKind,
  bytes: Buffer,
  names: readonly ByteString[],
): Sliced<Map<ByteString, Entry>> {
  const found = new Map<ByteString, Entry>();
  if (names.length === 0) return found;
  const cursor = new EntryCursor(kind, bytes);
  const slice = new SliceBudget();
  for (const name of names) {
    while (!cursor.isAtEnd) {
      const order = cursor.compareTo(name);
      if (order === 0) found.set(name, { dots: cursor.dots(undefined), content: cursor.content() });
      if (order >= 0) break;
      if (slice.spend(cursor.end - cursor.start)) yield;
      cursor.advance();
    }
    if (cursor.isAtEnd) break;
  }
  return found;
}
