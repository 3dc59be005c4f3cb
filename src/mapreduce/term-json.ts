/**
 * Between JSON and terms, the way Riak goes.
 *
 * Into terms: a string is a binary, an object `{struct, [{name, value}]}`, null an atom. Out of them: a
 * bucket-key pair is a list, and a list of pairs an object, by Riak's accident, which is how a
 * `{error, notfound}` shows. A missing object has a form of its own (`missing-object.ts`). Binaries must be
 * UTF-8; what has no JSON form makes the whole unwritable.
 */

import { missingToStruct } from './missing-object.ts';
import { printFloat } from './term-print.ts';
import { atom, isAtom, isList, isTuple, textBinary, tuple } from './term.ts';
import type { Term, TermList, Tuple } from './term.ts';

const NULL = atom('null');
/** Begins what stands for an object. */
export const STRUCT = atom('struct');

/** Of what `JSON.parse` gave, whose nesting is bounded. */
export function jsonToTerm(value: unknown): Term {
  if (typeof value === 'string') return textBinary(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'boolean') return atom(String(value));
  if (value === null || value === undefined) return NULL;
  if (Array.isArray(value)) return value.map(jsonToTerm);
  return tuple(
    STRUCT,
    Object.entries(value).map(([name, member]) => tuple(textBinary(name), jsonToTerm(member))),
  );
}

/** The value of a member of an object, or of a list of pairs. */
export function memberOf(term: Term, name: string): Term | undefined {
  const pairs = isTuple(term, 2) && isAtom(term.items[0], 'struct') ? term.items[1] : term;
  if (pairs === undefined || !isList(pairs)) return undefined;
  const wanted = textBinary(name);
  for (const pair of pairs) {
    if (!isTuple(pair, 2)) continue;
    const [key, value] = pair.items;
    if (isAtom(key, name) || (Buffer.isBuffer(key) && key.equals(wanted))) return value;
  }
  return undefined;
}

/** A text in quotes, in ASCII. */
export function quoteText(text: string): string {
  return escapeToAscii(JSON.stringify(text));
}

/** JSON text in ASCII. */
export function escapeToAscii(json: string): string {
  return json.replaceAll(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The results of one phase, gathered as JSON. */
export class JsonResults {
  readonly #texts: string[] = [];
  #pairCount = 0;
  #isWritable = true;
  #sizeBytes = 0;

  /** Bytes gathered so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(results: TermList): void {
    for (const result of results) {
      const shown = showAddress(result);
      const pair = pairJson(shown);
      const text = pair ?? termToJson(shown);
      if (text === undefined) this.#isWritable = false;
      else {
        if (pair !== undefined) this.#pairCount += 1;
        this.#texts.push(text);
        this.#sizeBytes += text.length + 1;
      }
    }
  }

  /** Undefined where something has no JSON form, or only some of the results are pairs. */
  text(): string | undefined {
    if (!this.#isWritable) return undefined;
    if (this.#pairCount === 0) return `[${this.#texts.join(',')}]`;
    return this.#pairCount === this.#texts.length ? `{${this.#texts.join(',')}}` : undefined;
  }
}

export function termToJson(term: Term): string | undefined {
  if (typeof term === 'bigint') return term.toString();
  if (typeof term === 'number') return printFloat(term);
  if (Buffer.isBuffer(term)) {
    const text = utf8OrUndefined(term);
    return text === undefined ? undefined : quoteText(text);
  }
  if (isList(term)) return listJson(term);
  if (term.kind === 'atom') {
    const isLiteral = term.name === 'true' || term.name === 'false' || term.name === 'null';
    return isLiteral ? term.name : quoteText(term.name);
  }
  if (isTuple(term, 2) && isAtom(term.items[0], 'struct')) {
    const [, members = []] = term.items;
    return isList(members) ? objectJson(members) : undefined;
  }
  const missing = missingToStruct(term);
  return missing === undefined ? undefined : termToJson(missing);
}

/** Of pairs, which are members here even if both of their items are names. */
function objectJson(members: TermList): string | undefined {
  const texts = members.map(pairJson);
  return texts.includes(undefined) ? undefined : `{${texts.join(',')}}`;
}

function listJson(list: TermList): string | undefined {
  const results = new JsonResults();
  results.add(list);
  return results.text();
}

/** `"name":value` of a pair whose first item names something. */
function pairJson(term: Term): string | undefined {
  if (!isTuple(term, 2)) return undefined;
  const [name, value] = term.items;
  if (name === undefined || value === undefined || isAtom(name, 'struct')) return undefined;
  const nameText = isAtom(name) ? quoteText(name.name) : nameJson(name);
  const valueText = nameText === undefined ? undefined : termToJson(value);
  return valueText === undefined ? undefined : `${nameText}:${valueText}`;
}

function nameJson(name: Term): string | undefined {
  return Buffer.isBuffer(name) ? termToJson(name) : undefined;
}

/** An input that comes out as a result: a list of bucket, key, key data and type. */
function showAddress(term: Term): Term {
  if (!isTuple(term, 2)) return term;
  const [first, second] = term.items as [Term, Term];
  if (isNamePair(term)) return [first, second];
  if (!isTuple(first, 2)) return term;
  const [bucket, key] = first.items as [Term, Term];
  if (isNamePair(first)) return [bucket, key, second];
  if (!isNamePair(bucket) || !Buffer.isBuffer(key)) return term;
  const [type, name] = bucket.items as [Term, Term];
  return [name, key, isAtom(second, 'undefined') ? NULL : second, type];
}

/** Narrows nothing away: a tuple that is no pair of names is still a tuple. */
function isNamePair(term: Term): term is Tuple & { readonly items: readonly [Buffer, Buffer] } {
  return isTuple(term, 2) && term.items.every((item) => Buffer.isBuffer(item));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8OrUndefined(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
