/**
 * Marked JSON: what a body says, with numbers as they were written.
 *
 * Texts, names of members among them, begin with the quote that they had, and numbers are texts that
 * begin with `#`: so a number of any length keeps its digits, and no name is one that JavaScript treats
 * specially. Bodies are read, and shown again, in slices. What is taken is just what `readJson` takes, up
 * to a nesting of 64.
 */

import { readJson } from '../../base/json-input.ts';
import { SliceBudget, type Sliced } from '../../base/sliced.ts';
import { quoteText } from './json-text.ts';

export type MarkedJson =
  string | boolean | null | readonly MarkedJson[] | { readonly [name: string]: MarkedJson };

const DEPTH_MAX = 64;
/** A value takes as long as walking over so much. */
const VALUE_COST_BYTES = 64;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

/** Leaves the recursion; never leaves this file. */
class NoJson extends Error {}

/** Of a body that is UTF-8; undefined: it is no JSON. */
export function* readMarkedJson(body: Buffer): Sliced<MarkedJson | undefined> {
  const reader = new MarkedReader(body);
  try {
    const value = yield* reader.value(0);
    return reader.isAtEnd() ? value : undefined;
  } catch (error) {
    if (error instanceof NoJson) return undefined;
    throw error;
  }
}

export function isList(json: MarkedJson | undefined): json is readonly MarkedJson[] {
  return Array.isArray(json);
}

export function isObject(
  json: MarkedJson | undefined,
): json is { readonly [name: string]: MarkedJson } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** The JSON that was marked, without blanks. */
export function* unmark(json: MarkedJson): Sliced<string> {
  if (typeof json === 'string') return scalarText(json);
  const isArray = isList(json);
  if (!isArray && !isObject(json)) return String(json);
  const slice = new SliceBudget();
  const parts: string[] = [];
  for (const [name, value] of Object.entries(json)) {
    const text = typeof value === 'string' ? scalarText(value) : yield* unmark(value);
    parts.push(isArray ? text : `${scalarText(name)}:${text}`);
    if (slice.spend(VALUE_COST_BYTES + text.length)) yield;
  }
  return isArray ? `[${parts.join(',')}]` : `{${parts.join(',')}}`;
}

function scalarText(marked: string): string {
  return marked.startsWith('#') ? marked.slice(1) : quoteText(marked.slice(1));
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [LIST_START, LIST_END, OBJECT_START, OBJECT_END] = [0x5b, 0x5d, 0x7b, 0x7d];

class MarkedReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    this.#skipBlanks();
    return this.#at === this.#bytes.length;
  }

  *value(depth: number): Sliced<MarkedJson> {
    this.#skipBlanks();
    const byte = this.#bytes[this.#at];
    const isNested = byte === LIST_START || byte === OBJECT_START;
    if (isNested && depth === DEPTH_MAX) throw new NoJson();
    if (byte === LIST_START) return yield* this.#list(depth + 1);
    return byte === OBJECT_START ? yield* this.#object(depth + 1) : this.#scalar();
  }

  *#list(depth: number): Sliced<readonly MarkedJson[]> {
    const items: MarkedJson[] = [];
    const slice = new SliceBudget();
    this.#at += 1;
    if (this.#takes(LIST_END)) return items;
    for (;;) {
      const start = this.#at;
      items.push(this.#isNextNested() ? yield* this.value(depth) : this.#scalar());
      if (this.#takes(LIST_END)) return items;
      this.#mustTake(COMMA);
      if (this.#takes(LIST_END)) return items;
      if (slice.spend(VALUE_COST_BYTES + this.#at - start)) yield;
    }
  }

  *#object(depth: number): Sliced<{ readonly [name: string]: MarkedJson }> {
    const members: Record<string, MarkedJson> = {};
    const slice = new SliceBudget();
    this.#at += 1;
    if (this.#takes(OBJECT_END)) return members;
    for (;;) {
      const start = this.#at;
      this.#skipBlanks();
      const name = this.#text();
      this.#mustTake(COLON);
      members[name] = this.#isNextNested() ? yield* this.value(depth) : this.#scalar();
      if (this.#takes(OBJECT_END)) return members;
      this.#mustTake(COMMA);
      if (this.#takes(OBJECT_END)) return members;
      if (slice.spend(VALUE_COST_BYTES + this.#at - start)) yield;
    }
  }

  #isNextNested(): boolean {
    this.#skipBlanks();
    const byte = this.#bytes[this.#at];
    return byte === LIST_START || byte === OBJECT_START;
  }

  #scalar(): string | boolean | null {
    const bytes = this.#bytes;
    const byte = bytes[this.#at];
    if (byte === QUOTE) return this.#text();
    for (const [word, value] of LITERALS) {
      if (bytes.toString('latin1', this.#at, this.#at + word.length) !== word) continue;
      this.#at += word.length;
      return value;
    }
    const text = bytes.toString('latin1', this.#at, this.#numberEnd());
    NUMBER.lastIndex = 0;
    const number = NUMBER.exec(text)?.[0];
    if (number === undefined || number.length < text.length) throw new NoJson();
    this.#at += number.length;
    return `#${number}`;
  }

  /** Where the bytes end that numbers consist of. */
  #numberEnd(): number {
    let end = this.#at;
    while (isOfNumber(this.#bytes[end])) end += 1;
    return end;
  }

  /** A text, with its mark. */
  #text(): string {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (bytes[this.#at] !== QUOTE) throw new NoJson();
    let end = start;
    let isPlain = true;
    for (let byte = bytes[end]; byte !== QUOTE; byte = bytes[end]) {
      if (byte === undefined) throw new NoJson();
      if (byte === BACKSLASH) end += 1;
      if (byte === BACKSLASH || byte >= 0x80) isPlain = false;
      end += 1;
    }
    this.#at = end + 1;
    return isPlain
      ? bytes.toString('latin1', start - 1, end)
      : `"${unescaped(bytes, start - 1, end + 1)}`;
  }

  #takes(wanted: number): boolean {
    this.#skipBlanks();
    if (this.#bytes[this.#at] !== wanted) return false;
    this.#at += 1;
    return true;
  }

  #mustTake(wanted: number): void {
    if (!this.#takes(wanted)) throw new NoJson();
  }

  #skipBlanks(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }
}

/** Digits, signs, a point, an exponent. */
function isOfNumber(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || '+-.eE'.includes(String.fromCharCode(byte));
}

/** Of a text with its quotes. */
function unescaped(bytes: Buffer, start: number, end: number): string {
  try {
    return readJson(bytes.subarray(start, end)) as string;
  } catch {
    throw new NoJson();
  }
}
