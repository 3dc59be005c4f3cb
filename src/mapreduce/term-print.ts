/**
 * Terms as Erlang prints them, which is what many of Riak's error texts are.
 *
 * Long terms are cut: an error text says what was wrong, it does not give everything back. They are
 * not broken into lines either; the few texts whose line breaks clients compare break their own.
 */

import { bytesToByteString } from '../base/bytes.ts';
import { printBinary } from '../object/erlang-text.ts';
import { isList } from './term.ts';
import type { Term, TermList } from './term.ts';

/** Characters after which a printed term is cut. */
const LENGTH_MAX = 1_000;
/** Of one list, tuple or map. */
const ITEMS_MAX = 64;

export function printTerm(term: Term): string {
  const text = print(term);
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text;
}

/** As a float is told from an integer: `1.0`. */
export function printFloat(value: number): string {
  const text = String(value);
  if (/[.]/.test(text) || !Number.isFinite(value)) return text;
  return text.includes('e') ? text.replace('e', '.0e') : `${text}.0`;
}

function print(term: Term): string {
  if (typeof term === 'bigint') return term.toString();
  if (typeof term === 'number') return printFloat(term);
  if (Buffer.isBuffer(term)) return printBytes(term);
  if (isList(term)) return `[${printItems(term)}]`;
  switch (term.kind) {
    case 'atom':
      return /^[a-z][A-Za-z0-9_@]*$/.test(term.name) ? term.name : `'${term.name}'`;
    case 'tuple':
      return `{${printItems(term.items)}}`;
    case 'map':
      return `#{${printEach(term.pairs, ([key, value]) => `${print(key)} => ${print(value)}`)}}`;
    case 'object':
      return `{r_object,${printBinary(term.key.bucket)},...}`;
  }
}

function printItems(items: TermList): string {
  const shown = printEach(items, print);
  return items.length > ITEMS_MAX ? `${shown},...` : shown;
}

/** What would be cut off anyway is not printed: lists in lists would come to all that was sent. */
function printEach<T>(items: readonly T[], printOne: (item: T) => string): string {
  const shown: string[] = [];
  let length = 0;
  for (const item of items.slice(0, ITEMS_MAX)) {
    if (length > LENGTH_MAX) break;
    const text = printOne(item);
    shown.push(text);
    length += text.length;
  }
  return shown.join(',');
}

/** Cut too, before it is turned into text. */
function printBytes(bytes: Buffer): string {
  return printBinary(bytesToByteString(bytes.subarray(0, LENGTH_MAX)));
}
