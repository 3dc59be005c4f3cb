/**
 * Byte strings as Erlang prints them, for the error texts of Riak that hold one.
 */

import type { ByteString } from '../../base/bytes.ts';

/** `<<"text">>`, or `<<1,2,3>>` where not all bytes are printable. */
export function erlangBinary(bytes: ByteString): string {
  if (/^[\x20-\x7e]*$/.test(bytes)) {
    const escaped = bytes.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
    return `<<"${escaped}">>`;
  }
  return `<<${Buffer.from(bytes, 'latin1').join(',')}>>`;
}
