/**
 * Erlang terms: what flows through a MapReduce job.
 *
 * Riak's jobs are Erlang through and through: their arguments, inputs, results and errors are terms,
 * and clients see it (1 is not 1.0, a string is a binary, sorting follows the standard term order). An
 * integer is a bigint and a float a number, so that the two never mix; a binary is a Buffer, a list an
 * array. An object is a term of its own kind here: it flows between phases and has no outer form.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { StoredObject } from '../object/stored-object.ts';

export interface Atom {
  readonly kind: 'atom';
  readonly name: string;
}

export interface Tuple {
  readonly kind: 'tuple';
  readonly items: readonly Term[];
}

/** A map; its pairs as they came. */
export interface TermMap {
  readonly kind: 'map';
  readonly pairs: readonly (readonly [key: Term, value: Term])[];
}

/** What a key held when a map phase read it. */
export interface ObjectTerm {
  readonly kind: 'object';
  readonly key: ObjectKey;
  readonly object: StoredObject;
}

export type TermList = readonly Term[];

export type Term = bigint | number | Buffer | Atom | Tuple | TermMap | ObjectTerm | TermList;

export function atom(name: string): Atom {
  return { kind: 'atom', name };
}

export function tuple(...items: readonly Term[]): Tuple {
  return { kind: 'tuple', items };
}

/** A binary of bytes held one to a character. */
export function binary(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** A binary of a text's UTF-8. */
export function textBinary(text: string): Buffer {
  return binary(utf8ToByteString(text));
}

export const NONE = atom('none');
export const UNDEFINED = atom('undefined');

/** What a map function is given for a key that holds nothing. */
export const NOT_FOUND = tuple(atom('error'), atom('notfound'));

export function isList(term: Term): term is TermList {
  return Array.isArray(term);
}

export function isAtom(term: Term | undefined, name?: string): term is Atom {
  return (
    typeof term === 'object' &&
    'kind' in term &&
    term.kind === 'atom' &&
    (name === undefined || term.name === name)
  );
}

/** Whether it is a tuple, and if `size` is given, of that many items. */
export function isTuple(term: Term | undefined, size?: number): term is Tuple {
  return (
    typeof term === 'object' &&
    'kind' in term &&
    term.kind === 'tuple' &&
    (size === undefined || term.items.length === size)
  );
}

/** Bytes that a term takes in memory, roughly; for limits. */
export function termSizeBytes(term: Term): number {
  if (typeof term === 'number') return 16;
  if (typeof term === 'bigint') return integerSizeBytes(term);
  if (Buffer.isBuffer(term)) return 96 + term.length;
  if (isList(term)) return term.reduce((sum: number, item) => sum + termSizeBytes(item), 32);
  switch (term.kind) {
    case 'atom':
      return 32 + term.name.length;
    case 'tuple':
      return 32 + termSizeBytes(term.items);
    case 'map':
      return term.pairs.reduce((sum, pair) => sum + termSizeBytes(pair), 32);
    case 'object':
      return term.object.siblings.reduce((sum, { value }) => sum + 512 + value.length, 256);
  }
}

const WORD_END = 2n ** 63n;

function integerSizeBytes(value: bigint): number {
  const isWord = value >= -WORD_END && value < WORD_END;
  return isWord ? 24 : 24 + Math.ceil(value.toString(16).length / 2);
}

/** Number < atom < tuple < map < object < list < binary, as in Erlang's standard order. */
const RANKS = { atom: 1, tuple: 2, map: 3, object: 4 } as const;
const LIST_RANK = 5;
const BINARY_RANK = 6;

function rankOf(term: Term): number {
  if (typeof term === 'number' || typeof term === 'bigint') return 0;
  if (Buffer.isBuffer(term)) return BINARY_RANK;
  return isList(term) ? LIST_RANK : RANKS[term.kind];
}

/** Erlang's standard order; integers and floats compare by value. */
export function compareTerms(left: Term, right: Term): number {
  const leftRank = rankOf(left);
  const byRank = leftRank - rankOf(right);
  if (byRank !== 0) return byRank;
  if (leftRank === 0) return compareScalars(left as number, right as number);
  if (Buffer.isBuffer(left)) return Buffer.compare(left, right as Buffer);
  if (isList(left)) return compareLists(left, right as TermList);
  switch ((left as Atom | Tuple | TermMap | ObjectTerm).kind) {
    case 'atom':
      return compareScalars((left as Atom).name, (right as Atom).name);
    case 'tuple': {
      const [ours, theirs] = [(left as Tuple).items, (right as Tuple).items];
      return ours.length - theirs.length || compareLists(ours, theirs);
    }
    case 'map': {
      const [ours, theirs] = [(left as TermMap).pairs, (right as TermMap).pairs];
      return ours.length - theirs.length || compareLists(ours, theirs);
    }
    case 'object': {
      const [ours, theirs] = [(left as ObjectTerm).key, (right as ObjectTerm).key];
      return (
        compareScalars(ours.type, theirs.type) ||
        compareScalars(ours.bucket, theirs.bucket) ||
        compareScalars(ours.key, theirs.key)
      );
    }
  }
}

function compareLists(left: TermList, right: TermList): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const order = compareTerms(left[index] as Term, right[index] as Term);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** JavaScript compares a bigint with a number by value, so numbers of both kinds may come. */
function compareScalars<T extends string | number>(left: T, right: T): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}
