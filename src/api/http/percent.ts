/**
 * Percent-encoding of names.
 *
 * Bucket types, buckets, keys and index terms are byte strings, and a URL carries them as Riak reads
 * it: `%XX` is a byte, `+` a blank, and a `%` that two hex digits do not follow stands for itself. So
 * every URL decodes to something, and no byte is out of reach.
 */

import type { ByteString } from '../../base/bytes.ts';

const PERCENT = 0x25;
const PLUS = 0x2b;

/** `raw` is a piece of a URL, one character to a byte. Never fails. */
export function decodeName(raw: string): ByteString {
  for (let index = 0; index < raw.length; index += 1) {
    const code = raw.charCodeAt(index);
    if (code === PERCENT || code === PLUS) return decodeFrom(raw, index);
  }
  return raw as ByteString;
}

function decodeFrom(raw: string, start: number): ByteString {
  let name = raw.slice(0, start);
  let index = start;
  while (index < raw.length) {
    const code = raw.charCodeAt(index);
    const byte = code === PERCENT ? hexByte(raw, index + 1) : -1;
    if (byte >= 0) {
      name += String.fromCharCode(byte);
      index += 3;
    } else {
      name += code === PLUS ? ' ' : raw[index];
      index += 1;
    }
  }
  return name as ByteString;
}

/** The byte that two hex digits at `index` give, or -1. */
function hexByte(raw: string, index: number): number {
  const high = hexDigit(raw.charCodeAt(index));
  const low = hexDigit(raw.charCodeAt(index + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** NaN, which `charCodeAt` gives past the end, is no digit either. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

const UNRESERVED = /^[A-Za-z0-9.~_-]*$/;
const ENCODED = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[A-Za-z0-9.~_-]/.test(character)) return character;
  return byte === 0x20 ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

/** As Riak writes names into `Link`: unreserved characters, `+` for a blank, else `%XX`. */
export function encodeName(name: ByteString): string {
  if (UNRESERVED.test(name)) return name;
  let raw = '';
  for (let index = 0; index < name.length; index += 1)
    raw += ENCODED[name.charCodeAt(index) & 0xff];
  return raw;
}
