/**
 * Names of types, buckets and keys as an operator types and reads them.
 *
 * Names are any bytes, and some are no text, or would steer a terminal. `%XX` stands for one byte, both
 * ways, so that what was printed can be given back.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';

export function textToName(text: string): ByteString {
  return utf8ToByteString(text).replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  ) as ByteString;
}

/** Printable text as it is; anything else with `%XX` for each byte that is not printable ASCII. */
export function nameToText(name: ByteString): string {
  const text = byteStringToUtf8(name);
  if (!/[\p{C}\p{Z}%�]/u.test(text.replaceAll(' ', ''))) return text;
  return name.replace(
    /[^\x20-\x24\x26-\x7e]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
