/**
 * JSON as Riak writes it: no blanks, and nothing but ASCII.
 *
 * Quotes, backslashes and `\b \f \n \r \t` are escaped shortly; other control characters, 0x7F and all
 * beyond ASCII as `\u` and four hex digits, surrogate pairs above U+FFFF; `/` is left alone. A name is
 * bytes, and JSON is text: bytes that are not UTF-8 have no JSON form, which is the caller's to report.
 */

import { jsonDepth } from '../../base/json-depth.ts';
import { readJson } from '../../base/json-input.ts';
import type { ByteString } from '../../base/bytes.ts';

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A text in quotes. */
export function quoteText(text: string): string {
  if (isPlain(text)) return `"${text}"`;
  let quoted = '"';
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    quoted += isPlain(character) ? character : escapeCharacter(character);
  }
  return `${quoted}"`;
}

function escapeCharacter(character: string): string {
  return SHORT_ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Whether every character stands for itself. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return false;
  }
  return true;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A name in quotes, or undefined where its bytes are not UTF-8. */
export function quoteName(name: ByteString): string | undefined {
  if (isPlain(name)) return `"${name}"`;
  try {
    return quoteText(utf8.decode(Buffer.from(name, 'latin1')));
  } catch {
    return undefined;
  }
}

/** Any JSON value of JavaScript texts; members that are undefined are left out. */
export function encodeJson(value: unknown): string {
  if (typeof value === 'string') return quoteText(value);
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => `${quoteText(name)}:${encodeJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Deeper nesting is refused before anything recursive sees it. */
const DEPTH_MAX = 64;

/** The value, or undefined where `body` is no JSON, no UTF-8, or nested beyond 64. */
export function parseJson(body: Buffer): unknown {
  if (jsonDepth(body) > DEPTH_MAX) return undefined;
  try {
    return readJson(body);
  } catch {
    return undefined;
  }
}
