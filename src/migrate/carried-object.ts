/**
 * What is carried from one cluster to another: the siblings of an object, the value of a data type, or
 * the registers of a HyperLogLog, whose value, a count, could not be gone on from.
 *
 * Two marks are kept apart. The *version* says which writes an end shows: it changes with each write
 * of a client and with nothing else, as vtags do. The *content* says what they hold, whoever wrote it,
 * and is the same at both ends after a copy. Siblings that hold the same are one. Digests are
 * SHA-256, cut to 16 bytes.
 */

import { hash } from 'node:crypto';
import { byteStringToBytes } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { foldRegisters, mergeRegisters, precisionOf } from '../datatype/hyperloglog.ts';
import type { Registers } from '../datatype/hyperloglog.ts';
import type { DatatypeValue, FieldValue } from '../datatype/operation.ts';
import { parseIndexEntry } from '../object/index-entries.ts';
import type { Metadata } from '../object/stored-object.ts';

/** 16 bytes, one to a character. */
export type Version = ByteString & { readonly __version: unique symbol };

/** There is no object. */
export const ABSENT = '\0'.repeat(16) as Version;
/** What an end held after a write that met another one: no version that it shows is this one. */
export const UNKNOWN = '\xff'.repeat(16) as Version;

export interface CarriedSibling {
  readonly metadata: Metadata;
  readonly value: Buffer;
  readonly vtag: string;
  readonly lastModifiedMicros: number;
}

export type Carried =
  | { readonly kind: 'siblings'; readonly siblings: readonly CarriedSibling[] }
  | { readonly kind: 'datatype'; readonly value: DatatypeValue }
  | { readonly kind: 'sketch'; readonly registers: Registers };

/** What an end shows of a key. */
export interface Reading {
  readonly version: Version;
  /** Undefined: not found. */
  readonly carried: Carried | undefined;
  /** For a write that supersedes what is shown; where nothing is shown, of what was deleted. */
  readonly context: Buffer | undefined;
  /** Deletions among the siblings: they are not carried. */
  readonly tombstones: number;
}

/** A sibling as far as its version goes. */
export interface SiblingMark {
  readonly vtag: string;
  readonly lastModifiedMicros: number;
  readonly isTombstone: boolean;
  readonly valueSizeBytes: number;
}

export function versionOfSiblings(siblings: readonly SiblingMark[]): Version {
  if (siblings.length === 0) return ABSENT;
  const marks = siblings.map(({ vtag, lastModifiedMicros, isTombstone }) => {
    return JSON.stringify([vtag, lastModifiedMicros, isTombstone]);
  });
  return digest(marks.sort().join('\n')) as Version;
}

/** A data type has no vtag that all ends show: its version is what it holds. */
export function versionOfValue(value: DatatypeValue): Version {
  return digest(canonicalValue(value)) as Version;
}

export function versionOfSketch(registers: Registers): Version {
  return digest(`hll${Buffer.from(registers).toString('latin1')}`) as Version;
}

/** The siblings that hold different things, by what they hold. */
export function siblingByContent(
  siblings: readonly CarriedSibling[],
): ReadonlyMap<ByteString, CarriedSibling> {
  return new Map(siblings.map((sibling) => [contentOf(sibling), sibling]));
}

export function holdsSame(left: Carried | undefined, right: Carried | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return isWithin(left, right) && isWithin(right, left);
}

/** Whether all that `part` holds is in `whole`. Data types: whether they are equal. */
export function isWithin(part: Carried, whole: Carried): boolean {
  if (part.kind === 'sketch' && whole.kind === 'sketch') {
    return isWithinSketch(part.registers, whole.registers);
  }
  if (part.kind === 'sketch' || whole.kind === 'sketch') return false;
  if (part.kind === 'datatype' || whole.kind === 'datatype') {
    if (part.kind !== whole.kind) return false;
    return canonicalOf(part) === canonicalOf(whole);
  }
  const contents = siblingByContent(whole.siblings);
  return part.siblings.every((sibling) => contents.has(contentOf(sibling)));
}

/** Bytes of the values; of a data type about that. */
export function sizeOf(carried: Carried): number {
  if (carried.kind === 'sketch') return carried.registers.length;
  if (carried.kind === 'datatype') return canonicalValue(carried.value).length;
  return carried.siblings.reduce((sum, { value }) => sum + value.length, 0);
}

/** At the lower precision of the two. */
function isWithinSketch(part: Registers, whole: Registers): boolean {
  const both = mergeRegisters(part, whole);
  return Buffer.from(both).equals(foldRegisters(whole, precisionOf(both)));
}

function canonicalOf(carried: Carried): string {
  return carried.kind === 'datatype' ? canonicalValue(carried.value) : '';
}

/** Of a value and what stands beside it, but not of who wrote it when. */
export function contentOf({ metadata, value }: CarriedSibling): ByteString {
  const { contentType, charset, contentEncoding, links = [], userMetadata = [] } = metadata;
  const indexes = (metadata.indexes ?? []).map(({ field, term }) => {
    const outcome = parseIndexEntry(field, term);
    const entry = outcome.kind === 'entry' ? outcome.entry : { field, term };
    return JSON.stringify([entry.field, entry.term]);
  });
  const head = JSON.stringify([
    contentType ?? null,
    charset ?? null,
    contentEncoding ?? null,
    links.map(({ bucket, key, tag }) => JSON.stringify([bucket, key, tag])).sort(),
    userMetadata.map((pair) => JSON.stringify(pair)).sort(),
    [...new Set(indexes)].sort(),
  ]);
  return digest(head + hash('sha256', value, 'hex'));
}

/** Equal for equal values, in whatever order their parts came. */
function canonicalValue(value: DatatypeValue | FieldValue): string {
  switch (value.kind) {
    case 'counter':
      return JSON.stringify(['counter', value.value.toString()]);
    case 'set':
    case 'gset':
      return JSON.stringify([value.kind, [...new Set(value.elements)].sort()]);
    case 'register':
      return JSON.stringify(['register', value.value]);
    case 'flag':
      return JSON.stringify(['flag', value.isEnabled]);
    case 'hll':
      return JSON.stringify(['hll', value.count]);
    case 'map': {
      const fields = value.fields.map(({ field, value: held }) => {
        return JSON.stringify([field.name, field.kind, canonicalValue(held)]);
      });
      return JSON.stringify(['map', fields.sort()]);
    }
  }
}

function digest(text: string): ByteString {
  // Names are one byte to a character; so is all that is put together from them here.
  const bytes = hash('sha256', byteStringToBytes(text as ByteString), 'buffer');
  return bytes.toString('latin1', 0, 16) as ByteString;
}
