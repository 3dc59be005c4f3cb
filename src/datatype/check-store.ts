/**
 * Checking that bytes are a store: everything in it is in its place and order, no dot is beyond the
 * state's context, and nothing goes past the end.
 *
 * Any client may have stored anything under a data type's content type. What has passed here is read
 * without further checks everywhere else.
 */

import { SliceBudget, type Sliced } from '../base/sliced.ts';
import { NUMBER_SIZE_MAX_BYTES, type LeafKind } from './leaf-store.ts';
import {
  COUNT_SIZE_BYTES,
  PackedReader,
  fieldKindAt,
  isCollection,
  type CollectionKind,
  type StoreKind,
} from './packed.ts';

/** Maps in maps beyond this are refused, here and in operations. */
export const NESTING_MAX = 64;

const NUMBER = /^-?\d+$/;

interface Range {
  readonly start: number;
  readonly end: number;
}

/** What dots are checked against. */
export class CheckScope {
  readonly bytes: Buffer;
  /** By position: the counter up to which the state's context covers dots. */
  readonly #counters: readonly number[];
  /** By position: the last list in which it had a dot. */
  readonly #lastList: number[] = [];
  #list = 0;

  constructor(bytes: Buffer, counters: readonly number[]) {
    this.bytes = bytes;
    this.#counters = counters;
  }

  /** Passes over the count of a list of dots; undefined: none, for an actor has one dot in it at most. */
  beginList(reader: PackedReader): number | undefined {
    this.#list += 1;
    const count = reader.varint();
    return count <= this.#counters.length ? count : undefined;
  }

  /** Passes over a dot of the list. */
  skipsDot(reader: PackedReader): boolean {
    const position = reader.varint();
    const counter = reader.varint();
    const highest = this.#counters[position];
    if (highest === undefined || this.#lastList[position] === this.#list) return false;
    this.#lastList[position] = this.#list;
    return counter > 0 && counter <= highest;
  }
}

/** Whether the range of the scope's bytes is a store of this kind, and ends where it should. */
export function* isSoundStore(
  kind: StoreKind,
  range: Range,
  scope: CheckScope,
  depth: number,
): Sliced<boolean> {
  return isCollection(kind)
    ? yield* isSoundCollection(kind, range, scope, depth)
    : isSoundLeaf(kind, range, scope);
}

function isSoundLeaf(kind: LeafKind, { start, end }: Range, scope: CheckScope): boolean {
  const reader = new PackedReader(scope.bytes, start);
  if (kind === 'flag') return skipsDots(reader, scope) && reader.at === end;
  let left = scope.beginList(reader);
  if (left === undefined) return false;
  for (; left > 0 && reader.at < end; left -= 1) {
    if (!scope.skipsDot(reader)) return false;
    if (kind === 'register' && !(reader.varint() >= 0)) return false;
    const size = reader.varint();
    if (!(reader.at + size <= end)) return false;
    if (kind === 'counter' && !isNumber(scope.bytes, reader.at, size)) return false;
    reader.at += size;
  }
  return left === 0 && reader.at === end;
}

function isNumber(bytes: Buffer, start: number, size: number): boolean {
  return (
    size <= NUMBER_SIZE_MAX_BYTES && NUMBER.test(bytes.toString('latin1', start, start + size))
  );
}

function* isSoundCollection(
  kind: CollectionKind,
  { start, end }: Range,
  scope: CheckScope,
  depth: number,
): Sliced<boolean> {
  if (start + COUNT_SIZE_BYTES > end || depth > NESTING_MAX) return false;
  const { bytes } = scope;
  const reader = new PackedReader(bytes, start + COUNT_SIZE_BYTES);
  const slice = new SliceBudget();
  let previousStart = 0;
  let previousEnd = -1;
  let left = bytes.readUInt32BE(start);
  for (; left > 0 && reader.at < end; left -= 1) {
    const size = reader.varint();
    const nameStart = reader.at;
    const nameEnd = nameStart + size;
    if (!(nameEnd <= end)) return false;
    const isFirst = previousEnd < 0;
    if (!isFirst && !isAscending(bytes, [previousStart, previousEnd], [nameStart, nameEnd])) {
      return false;
    }
    reader.at = nameEnd;
    if (kind !== 'gset' && !(skipsDots(reader, scope) && reader.at <= end)) return false;
    if (kind === 'map') {
      const content = fieldKindAt(bytes, nameStart, nameEnd);
      const contentSize = reader.varint();
      const range = { start: reader.at, end: reader.at + contentSize };
      if (content === undefined || !(range.end <= end)) return false;
      const isSound = isCollection(content)
        ? yield* isSoundCollection(content, range, scope, depth + 1)
        : isSoundLeaf(content, range, scope);
      if (!isSound) return false;
      reader.at = range.end;
    }
    previousStart = nameStart;
    previousEnd = nameEnd;
    if (slice.spend(reader.at - nameStart)) yield;
  }
  return left === 0 && reader.at === end;
}

/** Passes over a count and its dots. */
function skipsDots(reader: PackedReader, scope: CheckScope): boolean {
  const count = scope.beginList(reader);
  if (count === undefined) return false;
  for (let left = count; left > 0; left -= 1) if (!scope.skipsDot(reader)) return false;
  return true;
}

function isAscending(
  bytes: Buffer,
  [leftStart, leftEnd]: readonly [number, number],
  [rightStart, rightEnd]: readonly [number, number],
): boolean {
  const shared = Math.min(leftEnd - leftStart, rightEnd - rightStart);
  for (let index = 0; index < shared; index += 1) {
    const order = (bytes[rightStart + index] as number) - (bytes[leftStart + index] as number);
    if (order !== 0) return order > 0;
  }
  return rightEnd - rightStart > leftEnd - leftStart;
}
