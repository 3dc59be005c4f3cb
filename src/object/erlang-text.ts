/**
 * Values as Erlang prints them, which is what many of Riak's error texts are; clients compare some.
 *
 * One character stands for one byte. Long terms are not broken into lines: no client can rely on where
 * Riak breaks them.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Field, FieldKind } from '../datatype/operation.ts';
import type { IndexRefusal } from './index-entries.ts';

/** In double quotes, with what would end them escaped. */
export function printString(text: string): string {
  let escaped = '';
  for (const character of text) escaped += ESCAPED_BY_CHARACTER.get(character) ?? character;
  return `"${escaped}"`;
}

const ESCAPED_BY_CHARACTER: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\v', '\\v'],
  ['\f', '\\f'],
  ['\r', '\\r'],
  ['\x1b', '\\e'],
]);

/** A list of characters: a string, unless it is empty or one of them is not printable. */
export function printCharacters(text: string): string {
  const characters = Array.from(text);
  return characters.length > 0 && characters.every(isPrintableInList)
    ? printString(text)
    : `[${characters.map((character) => character.charCodeAt(0)).join(',')}]`;
}

/** Of Latin-1, as Erlang judges lists. */
function isPrintableInList(character: string): boolean {
  return ESCAPED_BY_CHARACTER.has(character) || /^[\x20-\x7e\xa0-\xff]$/.test(character);
}

/** `<<"text">>`, or `<<1,2,3>>` where a byte is not printable; `undefined` for what is missing. */
export function printBinary(bytes: ByteString | undefined): string {
  if (bytes === undefined) return 'undefined';
  if (bytes === '') return '<<>>';
  return isPrintable(bytes)
    ? `<<${printString(bytes)}>>`
    : `<<${Array.from(bytes, (byte) => byte.charCodeAt(0)).join(',')}>>`;
}

/** A word stands as an atom, anything else as a string. */
export function printReason(reason: string): string {
  return /^[a-z][A-Za-z0-9_@]*$/.test(reason) ? reason : printString(reason);
}

/** What is wrong with an index entry. */
export function indexRefusalTerm(refusal: IndexRefusal): string {
  return refusal.kind === 'unknown-field-type'
    ? `{unknown_field_type,${printBinary(refusal.field)}}`
    : `{field_parsing_failed,{${printBinary(refusal.field)},${printBinary(refusal.value)}}}`;
}

/** What a removal from a data type names in vain: an element of a set, or a field of a map. */
export function notPresentTerm(piece: ByteString | Field): string {
  const term =
    typeof piece === 'string'
      ? printBinary(piece)
      : `{${printBinary(piece.name)},${FIELD_MODULES[piece.kind]}}`;
  return `{precondition,{not_present,${term}}}`;
}

/** The module that Riak keeps a field of this kind with. */
const FIELD_MODULES: Readonly<Record<FieldKind, string>> = {
  counter: 'riak_dt_emcntr',
  set: 'riak_dt_orswot',
  register: 'riak_dt_lwwreg',
  flag: 'riak_dt_od_flag',
  map: 'riak_dt_map',
};

/** ASCII only: whether more is printable depends on how a node was started. */
function isPrintable(bytes: ByteString): boolean {
  return /^[\x20-\x7e\n\r\t]*$/.test(bytes);
}
