/**
 * Byte strings as Erlang prints them, for the error texts of Riak that hold one.
 */

import type { ByteString } from '../../base/bytes.ts';
import type { Field } from '../../datatype/operation.ts';

/** `<<"text">>`, or `<<1,2,3>>` where not all bytes are printable. */
export function erlangBinary(bytes: ByteString): string {
  if (/^[\x20-\x7e]*$/.test(bytes)) {
    const escaped = bytes.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    return `<<"${escaped}">>`;
  }
  return `<<${Buffer.from(bytes, 'latin1').join(',')}>>`;
}

/** What a removal names in vain, as Riak's errors have it. */
export function notPresentTerm(piece: ByteString | Field): string {
  const term =
    typeof piece === 'string'
      ? erlangBinary(piece)
      : `{${erlangBinary(piece.name)},${FIELD_MODULES[piece.kind]}}`;
  return `{precondition,{not_present,${term}}}`;
}

const FIELD_MODULES = {
  counter: 'riak_dt_emcntr',
  set: 'riak_dt_orswot',
  register: 'riak_dt_lwwreg',
  flag: 'riak_dt_od_flag',
  map: 'riak_dt_map',
} as const;
