/**
 * Names of users and groups.
 *
 * One namespace for both, in UTF-8. The characters that are refused are Riak's, by code point: controls,
 * blanks, and the marks that commands, URLs and credentials use. What an operator types is
 * lower-cased; what a client sends is compared as it is.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import { SECURITY_LIMITS } from './security-state.ts';

export type NameFault = 'reserved' | 'illegal' | 'too-long';

const RESERVED: ReadonlySet<string> = new Set(['all', 'on', 'to', 'from', 'any']);

/** Code points 0–44, 58–63 and 127–191. */
// oxlint-disable-next-line no-control-regex
const ILLEGAL = /[\u0000-\u002c\u003a-\u003f\u007f-\u00bf]/;

/** As operators' commands and certificates name someone. */
export function roleNameOf(text: string): ByteString {
  return utf8ToByteString(text.toLowerCase());
}

export function nameFault(name: ByteString): NameFault | undefined {
  if (name.length > SECURITY_LIMITS.nameBytes) return 'too-long';
  const text = byteStringToUtf8(name);
  if (text === '' || ILLEGAL.test(text) || utf8ToByteString(text) !== name) return 'illegal';
  return RESERVED.has(text) ? 'reserved' : undefined;
}
