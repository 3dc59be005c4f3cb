/**
 * Index entries: what a secondary index holds of an object.
 *
 * A field ends in `_bin` (terms are bytes) or `_int` (terms are integers of any size, kept as their
 * canonical decimal text, so that 007 and +7 are one term). Field names are compared in lower case,
 * which they are stored in. `$key` and `$bucket` can be asked for but not written to.
 *
 * In storage keys bytes are compared, so there an integer is written as
 *
 *   | 'p' | digits of the length 1 | length | digits |   from 0
 *   | 'n' | the same with each digit d as 9 - d |        below 0
 */

import type { ByteString } from '../base/bytes.ts';
import type { BucketProperties } from './bucket-properties.ts';
import { showHead } from './show.ts';
import type { IndexEntry, ObjectHead } from './stored-object.ts';

/** What a query of an index finds: a term, and the key of the object that has it. */
export type IndexMatch = readonly [term: ByteString, key: ByteString];

/** Why a field or a term is none; `field` is in lower case. */
export type IndexRefusal =
  | { readonly kind: 'unknown-field-type'; readonly field: ByteString }
  | { readonly kind: 'unparsable'; readonly field: ByteString; readonly value: ByteString };

export type IndexEntryOutcome =
  { readonly kind: 'entry'; readonly entry: IndexEntry } | IndexRefusal;

export type IndexEntriesOutcome =
  | { readonly kind: 'entries'; readonly entries: readonly IndexEntry[] }
  /** Each once, in the order of the terms that Erlang has for them. */
  | { readonly kind: 'refused'; readonly refusals: readonly IndexRefusal[] };

const NON_NEGATIVE = 'p';
const NEGATIVE = 'n';
const SUFFIX_LENGTH = 4;

/** In lower case, each byte taken for a letter of Latin-1, as Riak takes it. */
export function normaliseField(name: ByteString): ByteString {
  return name.replace(/[A-Z\xc0-\xd6\xd8-\xde]+/g, (letters) =>
    letters.toLowerCase(),
  ) as ByteString;
}

/** Of a field in lower case; undefined: no index has such a name. */
export function fieldTypeOf(field: ByteString): 'bin' | 'int' | undefined {
  if (isReserved(field)) return 'bin';
  if (field.length <= SUFFIX_LENGTH) return undefined;
  if (field.endsWith('_int')) return 'int';
  return field.endsWith('_bin') ? 'bin' : undefined;
}

/** One term as a client wrote it, for an entry or for a query. */
export function parseIndexEntry(name: ByteString, value: ByteString): IndexEntryOutcome {
  const field = normaliseField(name);
  const type = fieldTypeOf(field);
  if (type === undefined) return { kind: 'unknown-field-type', field };
  const term = type === 'int' ? canonicalInteger(value) : value;
  if (term === undefined) return { kind: 'unparsable', field, value };
  return { kind: 'entry', entry: { field, term } };
}

/** All entries of a sibling: sorted, without duplicates; or all that is wrong with them. */
export function parseIndexEntries(
  pairs: readonly (readonly [name: ByteString, value: ByteString])[],
): IndexEntriesOutcome {
  const entries: IndexEntry[] = [];
  const refusals: IndexRefusal[] = [];
  for (const [name, value] of pairs) {
    const outcome = parseIndexEntry(name, value);
    if (outcome.kind === 'entry') entries.push(outcome.entry);
    else refusals.push(outcome);
  }
  return refusals.length > 0
    ? { kind: 'refused', refusals: sortRefusals(refusals) }
    : { kind: 'entries', entries: sortedWithoutDuplicates(entries) };
}

/** Each once, in the order of the terms that Erlang has for them: `field_parsing_failed` first. */
export function sortRefusals(refusals: readonly IndexRefusal[]): readonly IndexRefusal[] {
  const sorted = refusals.toSorted(compareRefusals);
  return sorted.filter((refusal, index) => {
    const previous = sorted[index - 1];
    return previous === undefined || compareRefusals(previous, refusal) !== 0;
  });
}

function compareRefusals(left: IndexRefusal, right: IndexRefusal): number {
  if (left.kind !== right.kind) return left.kind === 'unparsable' ? -1 : 1;
  if (left.kind === 'unparsable' && right.kind === 'unparsable' && left.field === right.field) {
    return compareBytes(left.value, right.value);
  }
  return compareBytes(left.field, right.field);
}

/**
 * What the indexes hold of an object: the entries of all siblings that are shown, but for
 * tombstones. Objects of write-once buckets are stored with their entries and not indexed.
 */
export function indexEntriesOf(
  object: ObjectHead,
  properties: BucketProperties,
): readonly IndexEntry[] {
  if (properties.write_once) return [];
  const entries: IndexEntry[] = [];
  for (const { isTombstone, metadata } of showHead(object, properties).siblings) {
    if (isTombstone || metadata.indexes === undefined) continue;
    for (const entry of metadata.indexes) if (!isReserved(entry.field)) entries.push(entry);
  }
  return sortedWithoutDuplicates(entries);
}

/** By field, then by term: integers as numbers, all else bytewise. */
export function compareIndexEntries(left: IndexEntry, right: IndexEntry): number {
  if (left.field !== right.field) return left.field < right.field ? -1 : 1;
  return left.field.endsWith('_int')
    ? compareIntegerTerms(left.term, right.term)
    : compareBytes(left.term, right.term);
}

/** By value; both in canonical decimal text. */
export function compareIntegerTerms(left: ByteString, right: ByteString): number {
  const sign = left.startsWith('-') ? -1 : 1;
  if (sign !== (right.startsWith('-') ? -1 : 1)) return sign;
  const byLength = left.length - right.length;
  return sign * (byLength === 0 ? compareBytes(left, right) : byLength);
}

/** Bytes whose order is that of the integers; `term` is canonical decimal text. */
export function encodeIntegerTerm(term: ByteString): ByteString {
  const isNegative = term.startsWith('-');
  const digits = isNegative ? term.slice(1) : term;
  const length = String(digits.length);
  const text = `${length.length}${length}${digits}`;
  return (isNegative ? NEGATIVE + ninesComplement(text) : NON_NEGATIVE + text) as ByteString;
}

/** The canonical decimal text of what `encodeIntegerTerm` made; undefined for anything else. */
export function decodeIntegerTerm(encoded: ByteString): ByteString | undefined {
  const isNegative = encoded.startsWith(NEGATIVE);
  if (!isNegative && !encoded.startsWith(NON_NEGATIVE)) return undefined;
  const text = isNegative ? ninesComplement(encoded.slice(1)) : encoded.slice(1);
  const digits = text.slice(1 + Number(text[0]));
  const term = canonicalInteger(((isNegative ? '-' : '') + digits) as ByteString);
  return term !== undefined && encodeIntegerTerm(term) === encoded ? term : undefined;
}

/** Undefined for what is no integer: an optional sign and decimal digits. */
function canonicalInteger(text: ByteString): ByteString | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  // A second expression: in one, zeros and digits could be told apart in as many ways as there are.
  const digits = text.replace(/^[+-]?0*(?=\d)/, '');
  return (text.startsWith('-') && digits !== '0' ? `-${digits}` : digits) as ByteString;
}

function ninesComplement(digits: string): string {
  return digits.replace(/\d/g, (digit) => String(9 - Number(digit)));
}

function isReserved(field: ByteString): boolean {
  return field === '$key' || field === '$bucket';
}

function compareBytes(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function sortedWithoutDuplicates(entries: IndexEntry[]): IndexEntry[] {
  if (entries.length < 2) return entries;
  entries.sort(compareIndexEntries);
  return entries.filter((entry, index) => {
    const previous = entries[index - 1];
    return previous?.field !== entry.field || previous.term !== entry.term;
  });
}
