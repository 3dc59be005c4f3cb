/**
 * Index terms as the store orders them: integers by value, all else bytewise.
 */

import type { ByteString } from '../base/bytes.ts';
import { decodeIntegerTerm, encodeIntegerTerm, fieldTypeOf } from '../object/index-entries.ts';

/** Terms as objects and queries have them, to and from the bytes that keys hold. */
export interface TermCodec {
  readonly encode: (term: ByteString) => ByteString;
  readonly decode: (ordered: ByteString) => ByteString;
}

const BYTES: TermCodec = { encode: (term) => term, decode: (ordered) => ordered };

const INTEGERS: TermCodec = {
  encode: encodeIntegerTerm,
  // A peer's record may hold a term that is no integer; it is shown, not worth stopping for.
  decode: (ordered) => decodeIntegerTerm(ordered) ?? ordered,
};

export function termCodec(field: ByteString): TermCodec {
  return fieldTypeOf(field) === 'int' ? INTEGERS : BYTES;
}
