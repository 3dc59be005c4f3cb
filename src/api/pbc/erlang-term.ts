/**
 * Erlang terms as Erlang prints them, which is what many of Riak's error texts are.
 *
 * Long terms are not broken into lines: no client can rely on where Riak breaks them.
 */

import type { ByteString } from '../../base/bytes.ts';
import type { FieldKind } from '../../datatype/operation.ts';

/** `<<"text">>`, or `<<1,2,3>>` where a byte is not printable; `undefined` for what is missing. */
export function printBinary(bytes: ByteString | undefined): string {
  if (bytes === undefined) return 'undefined';
  if (bytes === '') return '<<>>';
  return isPrintable(bytes)
    ? `<<${quoted(bytes)}>>`
    : `<<${Array.from(bytes, (byte) => byte.charCodeAt(0)).join(',')}>>`;
}

/** The module that Riak keeps a field of this kind with. */
export const FIELD_MODULES: Readonly<Record<FieldKind, string>> = {
  counter: 'riak_dt_emcntr',
  set: 'riak_dt_orswot',
  register: 'riak_dt_lwwreg',
  flag: 'riak_dt_od_flag',
  map: 'riak_dt_map',
};

/** A word stands as an atom, anything else as a string in double quotes. */
export function printReason(reason: string): string {
  return /^[a-z][A-Za-z0-9_@]*$/.test(reason) ? reason : quoted(reason);
}

/** In double quotes, with what would end them escaped. */
export function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** ASCII only: whether more is printable depends on how a node was started. */
function isPrintable(bytes: ByteString): boolean {
  return /^[\x20-\x7e\n]*$/.test(bytes);
}
