/**
 * What a map phase in JavaScript comes to for a key that holds nothing: as in Riak its function is not
 * called, and this goes on in place of results.
 *
 *   {not_found, {Bucket, Key}, KeyData}      {Type, Bucket} where the type is not the default one
 *   {"not_found": {"bucket_type": T, "bucket": B, "key": K, "keydata": D}}
 *
 * Functions in Erlang and clients that get terms see the term; functions in JavaScript and clients that
 * get JSON see the JSON, and what a reduce function lets through is the term again.
 */

import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { atom, binary, isAtom, isList, isTuple, textBinary, tuple } from './term.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Address } from './address.ts';
import type { Term, Tuple } from './term.ts';

const NAME = 'not_found';
const STRUCT = atom('struct');
const BUCKET_TYPE = 'bucket_type';
const UNTYPED_MEMBERS = ['bucket', 'key', 'keydata'];

/** `{Bucket, Key}` or `{{Type, Bucket}, Key}`. */
export function keyTerm({ type, bucket, key }: ObjectKey): Term {
  const name = binary(bucket);
  const typed = type === DEFAULT_BUCKET_TYPE ? name : tuple(binary(type), name);
  return tuple(typed, binary(key));
}

export function missingTerm({ key, keyData }: Address): Term {
  return tuple(atom(NAME), keyTerm(key), keyData);
}

/** The term whose JSON is that of `term`; undefined: `term` is no missing object. */
export function missingToStruct(term: Term): Term | undefined {
  if (!isTuple(term, 3)) return undefined;
  const [name, address, keyData] = term.items as readonly [Term, Term, Term];
  if (!isAtom(name, NAME) || !isTuple(address, 2)) return undefined;
  const [bucket, key] = address.items as readonly [Term, Term];
  const names = isTuple(bucket, 2) ? [...bucket.items, key] : [bucket, key];
  const members = bucket === names[0] ? UNTYPED_MEMBERS : [BUCKET_TYPE, ...UNTYPED_MEMBERS];
  const values = [...names, keyData];
  const pairs = members.map((member, index) => tuple(textBinary(member), values[index] as Term));
  return tuple(STRUCT, [tuple(textBinary(NAME), tuple(STRUCT, pairs))]);
}

/** What a function in JavaScript gave: if it is a missing object, its term; else itself. */
export function structToMissing(term: Term): Term {
  const [name, inner] = pairsOf(term)?.[0] ?? [];
  const members = name === NAME && pairsOf(term)?.length === 1 ? pairsOf(inner) : undefined;
  if (members === undefined) return term;
  const isTyped = members[0]?.[0] === BUCKET_TYPE;
  const [type, bucket, key, keyData, ...rest] = isTyped ? members : [undefined, ...members];
  const isWhole =
    [bucket, key, keyData].every((member, index) => member?.[0] === UNTYPED_MEMBERS[index]) &&
    rest.length === 0;
  if (!isWhole || bucket === undefined || key === undefined || keyData === undefined) return term;
  const place = type === undefined ? bucket[1] : tuple(type[1], bucket[1]);
  return tuple(atom(NAME), tuple(place, key[1]), keyData[1]);
}

/** Of `{struct, [{Name, Value}]}`. */
function pairsOf(term: Term | undefined): (readonly [name: string, value: Term])[] | undefined {
  if (!isTuple(term, 2) || !isAtom(term.items[0], 'struct')) return undefined;
  const [, pairs] = term.items;
  if (pairs === undefined || !isList(pairs)) return undefined;
  return pairs.map((pair) => {
    const [name, value] = (pair as Tuple).items as readonly [Buffer, Term];
    return [name.toString('latin1'), value] as const;
  });
}
