/**
 * Erlang terms as they stand in configuration files: `{key, value}.` one after the other.
 *
 * Atoms, numbers, strings, binaries of a string or of bytes, tuples, lists and comments; funs, macros
 * and maps are no part of such files and are refused. Source: the Erlang reference manual, "Data
 * types".
 */

import { Fault } from '../../src/base/fault.ts';

export type ErlangTerm =
  | { readonly kind: 'atom'; readonly name: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tuple'; readonly items: readonly ErlangTerm[] }
  | { readonly kind: 'list'; readonly items: readonly ErlangTerm[] };

const DEPTH_MAX = 64;
const TEXT_MAX_CHARACTERS = 4 * 1024 * 1024;

const SPACE = /(?:\s+|%[^\n]*)*/y;
const NUMBER = /[+-]?\d+(?:\.\d+(?:[eE][+-]?\d+)?)?/y;
const ATOM = /[a-z][\w@]*|'((?:[^'\\]|\\.)*)'/y;
/** What begins a term that is not just data, and how it is called. */
const CODE: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/fun\b/y, 'a fun'],
  [/\?/y, 'a macro'],
  [/#/y, 'a map or record'],
  [/[A-Z_]/y, 'a variable'],
];
const STRING = /"((?:[^"\\]|\\[\s\S])*)"/y;

/** The terms of a file; rejects with a `config` fault that names the line. */
export function parseErlangTerms(name: string, text: string): ErlangTerm[] {
  if (text.length > TEXT_MAX_CHARACTERS) throw new Fault('config', `${name} is too long`);
  return new Parser(name, text).all();
}

class Parser {
  readonly #name: string;
  readonly #text: string;
  #at = 0;

  constructor(name: string, text: string) {
    this.#name = name;
    this.#text = text;
  }

  all(): ErlangTerm[] {
    const terms: ErlangTerm[] = [];
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      terms.push(this.#term(0));
      this.#expect('.');
    }
    return terms;
  }

  #term(depth: number): ErlangTerm {
    if (depth > DEPTH_MAX) throw this.#fault('terms are nested too deep');
    this.#skip();
    if (this.#accept('{')) return { kind: 'tuple', items: this.#items('}', depth) };
    if (this.#accept('[')) return { kind: 'list', items: this.#items(']', depth) };
    if (this.#accept('<<')) return this.#binary(depth);
    for (const [pattern, name] of CODE) {
      if (this.#match(pattern) !== undefined) throw this.#fault(`${name} cannot be read`);
    }
    const number = this.#match(NUMBER);
    if (number !== undefined) return { kind: 'number', value: Number(number[0]) };
    const string = this.#match(STRING);
    if (string !== undefined) return { kind: 'text', text: unescaped(string[1] ?? '') };
    const atom = this.#match(ATOM);
    if (atom !== undefined) return { kind: 'atom', name: atom[1] ?? atom[0] };
    throw this.#fault('here is no term');
  }

  #items(end: string, depth: number): ErlangTerm[] {
    const items: ErlangTerm[] = [];
    this.#skip();
    if (this.#accept(end)) return items;
    do items.push(this.#term(depth + 1));
    while (this.#accept(','));
    this.#expect(end);
    return items;
  }

  #binary(depth: number): ErlangTerm {
    const text = this.#items('>>', depth).map((item) => {
      if (item.kind === 'text') return item.text;
      if (item.kind === 'number') return String.fromCharCode(item.value & 0xff);
      throw this.#fault('a binary holds strings and bytes');
    });
    return { kind: 'text', text: text.join('') };
  }

  #skip(): void {
    this.#match(SPACE);
  }

  #accept(token: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) throw this.#fault(`${token} is missing`);
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #fault(why: string): Fault {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return new Fault('config', `${this.#name}, line ${line}: ${why}`);
  }
}

/** As Erlang would write it, for messages. */
export function termText(term: ErlangTerm | undefined): string {
  switch (term?.kind) {
    case undefined:
      return '';
    case 'atom':
      return term.name;
    case 'number':
      return String(term.value);
    case 'text':
      return JSON.stringify(term.text);
    case 'tuple':
      return `{${term.items.map(termText).join(',')}}`;
    case 'list':
      return `[${term.items.map(termText).join(',')}]`;
  }
}

function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, letter: string) => {
    const known: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', s: ' ' };
    return known[letter] ?? letter;
  });
}
