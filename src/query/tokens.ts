/**
 * The words of query expressions.
 *
 *   | $name       | an attribute, or $1 in an aggregation: the range with that tag |
 *   | :name       | a substitution: stands for the string or integer given with the query |
 *   | "text"      | a string, which cannot hold a quotation mark |
 *   | 12, -3      | an integer of any size |
 *   | word        | a function or a keyword; keywords are in upper case |
 *   | ( ) , \| = <> < <= > >= | |
 *
 * Strings become the bytes of their UTF-8, which is what index terms are. A reader keeps the first
 * fault and its place, and is at the end from then on; so a parser reads in a row and asks once.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { EXPRESSION_LENGTH_MAX, NESTING_MAX } from './limits.ts';
import { canonicalInteger, isInteger } from './value.ts';
import type { ByteString } from '../base/bytes.ts';
import type { Integer, Scalar } from './value.ts';

export type Substitutions = ReadonlyMap<string, Scalar>;

/** What is wrong with an expression, and where: characters from its start. */
export interface ExpressionFault {
  readonly reason: string;
  readonly offset: number;
}

export type Parsed<T> =
  | { readonly kind: 'parsed'; readonly value: T }
  | ({ readonly kind: 'malformed' } & ExpressionFault);

type Token =
  | { readonly kind: 'attribute' | 'word' | 'symbol'; readonly text: string }
  | { readonly kind: 'literal'; readonly value: Scalar }
  | { readonly kind: 'end' };

type PlacedToken = Token & { readonly offset: number };

const WORDS = new RegExp(
  [
    '\\s+',
    '(?<attribute>\\$\\w+)',
    '(?<substitution>:[A-Za-z_]\\w*)',
    '"(?<string>[^"]*)"',
    '(?<integer>-?\\d+)',
    '(?<word>[A-Za-z_]\\w*)',
    '(?<symbol><>|<=|>=|[(),|=<>])',
  ].join('|'),
  'y',
);

export class TokenReader {
  readonly #tokens: readonly PlacedToken[];
  readonly #end: PlacedToken;
  #index = 0;
  #depth = 0;
  #fault: ExpressionFault | undefined;

  constructor(text: string, substitutions: Substitutions) {
    this.#end = { kind: 'end', offset: text.length };
    const scanned = scan(text, substitutions);
    this.#tokens = Array.isArray(scanned) ? scanned : [];
    if (!Array.isArray(scanned)) this.#fault = scanned;
  }

  /** What came of the whole text: `value` if it was sound and nothing is left. */
  finish<T>(value: T): Parsed<T> {
    if (this.#fault === undefined && this.#peek().kind !== 'end') this.fail('the end');
    return this.#fault === undefined
      ? { kind: 'parsed', value }
      : { kind: 'malformed', ...this.#fault };
  }

  /** Says what should stand at the next token. */
  fail(expected: string): void {
    this.failBecause(`expected ${expected}, found ${describe(this.#peek())}`);
  }

  failBecause(reason: string): void {
    this.#failAt(reason, this.#peek());
  }

  /** The token taken last is the one at fault. */
  failBefore(reason: string): void {
    this.#failAt(reason, this.#tokens[this.#index - 1] ?? this.#end);
  }

  #failAt(reason: string, token: PlacedToken): void {
    this.#fault ??= { reason, offset: token.offset };
    this.#index = this.#tokens.length;
  }

  /** Whether the next token is this word or symbol; then it is taken. */
  accepts(text: string): boolean {
    const token = this.#peek();
    if ((token.kind !== 'word' && token.kind !== 'symbol') || token.text !== text) return false;
    this.#index += 1;
    return true;
  }

  expect(symbol: string): void {
    if (!this.accepts(symbol)) this.fail(`'${symbol}'`);
  }

  isAtAttribute(): boolean {
    return this.#peek().kind === 'attribute';
  }

  isAtLiteral(): boolean {
    return this.#peek().kind === 'literal';
  }

  /** The name of an attribute, without `$`. */
  attribute(): string {
    const token = this.#peek();
    if (token.kind === 'attribute' && /^\$[A-Za-z_]/.test(token.text)) {
      this.#index += 1;
      return token.text.slice(1);
    }
    this.fail('an attribute such as $name');
    return '';
  }

  /** The number of `$1`. */
  tag(): number {
    const token = this.#peek();
    if (token.kind === 'attribute' && /^\$[1-9]\d{0,8}$/.test(token.text)) {
      this.#index += 1;
      return Number(token.text.slice(1));
    }
    this.fail('the tag of a query such as $1');
    return 0;
  }

  /** Undefined, and nothing taken, where the next token is no comparator. */
  comparator(): Comparator | undefined {
    const token = this.#peek();
    if (token.kind !== 'symbol' || !isComparator(token.text)) return undefined;
    this.#index += 1;
    return token.text;
  }

  literal(): Scalar {
    const token = this.#peek();
    if (token.kind === 'literal') {
      this.#index += 1;
      return token.value;
    }
    this.fail('a string or an integer');
    return 0;
  }

  string(): ByteString {
    const token = this.#peek();
    if (token.kind === 'literal' && typeof token.value === 'string') {
      this.#index += 1;
      return token.value;
    }
    this.fail('a string');
    return utf8ToByteString('');
  }

  /** A string of at least one byte: what values are split at. */
  delimiter(): ByteString {
    const token = this.#peek();
    if (token.kind === 'literal' && token.value === '') this.fail('a string that is not empty');
    return this.string();
  }

  integer(expected: string): Integer {
    const token = this.#peek();
    if (token.kind === 'literal' && isInteger(token.value)) {
      this.#index += 1;
      return token.value;
    }
    this.fail(expected);
    return 0;
  }

  /** An integer from `least` on that counts something. */
  count(least: number): number {
    const token = this.#peek();
    if (token.kind === 'literal' && typeof token.value === 'number' && token.value >= least) {
      this.#index += 1;
      return token.value;
    }
    this.fail(`an integer from ${least}`);
    return least;
  }

  /** `read()` one level deeper, as long as that is allowed. */
  nested<T>(read: () => T, instead: T): T {
    if (this.#depth === NESTING_MAX) {
      this.failBecause(`nested more than ${NESTING_MAX} levels deep`);
      return instead;
    }
    this.#depth += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }

  /** What stands between parentheses, separated by commas; at least one. */
  list<T>(read: () => T): T[] {
    const items: T[] = [];
    this.expect('(');
    do items.push(read());
    while (this.#fault === undefined && this.accepts(','));
    this.expect(')');
    return items;
  }

  #peek(): PlacedToken {
    return this.#tokens[this.#index] ?? this.#end;
  }
}

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

function isComparator(text: string): text is Comparator {
  return ['=', '<>', '<', '<=', '>', '>='].includes(text);
}

function scan(text: string, substitutions: Substitutions): PlacedToken[] | ExpressionFault {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    const reason = `longer than ${EXPRESSION_LENGTH_MAX} characters`;
    return { reason, offset: EXPRESSION_LENGTH_MAX };
  }
  const tokens: PlacedToken[] = [];
  WORDS.lastIndex = 0;
  while (WORDS.lastIndex < text.length) {
    const offset = WORDS.lastIndex;
    const groups = WORDS.exec(text)?.groups;
    if (groups === undefined) return { reason: unreadable(text, offset), offset };
    const { attribute, substitution, string, integer, word, symbol } = groups;
    if (attribute !== undefined) tokens.push({ kind: 'attribute', text: attribute, offset });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, offset });
    else if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol, offset });
    else if (string !== undefined) {
      tokens.push({ kind: 'literal', value: utf8ToByteString(string), offset });
    } else if (integer !== undefined) {
      tokens.push({ kind: 'literal', value: canonicalInteger(BigInt(integer)), offset });
    } else if (substitution !== undefined) {
      const value = substitutions.get(substitution.slice(1));
      if (value === undefined) return { reason: `no substitution for ${substitution}`, offset };
      tokens.push({ kind: 'literal', value, offset });
    }
  }
  return tokens;
}

function unreadable(text: string, offset: number): string {
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  return character === '"' ? 'a string without its end' : `unexpected '${character}'`;
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'literal':
      return typeof token.value === 'string' ? 'a string' : 'an integer';
    case 'attribute':
    case 'word':
    case 'symbol':
      return `'${token.text}'`;
  }
}
