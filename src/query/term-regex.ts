/**
 * Regular expressions from outside, over index terms.
 *
 * The engine (RE2) takes time linear in the term whatever the expression, so none can stop the node.
 * Its syntax is Perl's without what needs backtracking: no backreferences, no look-around, no
 * possessive or atomic groups. Terms and expressions are matched byte by byte, as Riak does. Length and
 * counted repetition are bounded, because they multiply into the size of the automaton.
 */

import { RE2JS, RE2JSException } from 're2js';
import { printString } from '../object/erlang-text.ts';
import { expressionFaultTerm } from './expression-fault.ts';
import type { ByteString } from '../base/bytes.ts';

export class TermRegex {
  readonly #compiled: RE2JS;
  readonly #namedGroups: Readonly<Record<string, number>>;
  readonly groupCount: number;

  constructor(compiled: RE2JS) {
    this.#compiled = compiled;
    this.#namedGroups = compiled.namedGroups();
    this.groupCount = compiled.groupCount();
  }

  get hasNamedGroups(): boolean {
    return Object.keys(this.#namedGroups).length > 0;
  }

  /** The number, from 1, of the group `(?P<name>…)`. */
  groupNamed(name: string): number | undefined {
    return this.#namedGroups[name];
  }

  /** Whether the expression is found anywhere in the term. */
  isIn(term: ByteString): boolean {
    return this.#compiled.test(term);
  }

  /** What these groups captured; undefined where nothing is found or one of them took no part. */
  captures(term: ByteString, groups: readonly number[]): readonly ByteString[] | undefined {
    const matcher = this.#compiled.matcher(term);
    if (!matcher.find()) return undefined;
    const captured: ByteString[] = [];
    for (const group of groups) {
      const text = matcher.group(group);
      if (text === null) return undefined;
      captured.push(text as ByteString);
    }
    return captured;
  }
}

const LENGTH_MAX = 1024;
/** Sum of the bounds of all counted repetitions. */
const REPEATS_MAX = 1000;

export interface RegexFault {
  readonly reason: string;
  /** The reason and its place as Riak prints them. */
  readonly erlangTerm: string;
}

/** The expression, or why it is none. */
export function compileTermRegex(
  expression: ByteString,
): { readonly regex: TermRegex } | RegexFault {
  if (expression.length > LENGTH_MAX) return tooLarge(`longer than ${LENGTH_MAX} bytes`);
  let repeats = 0;
  for (const [, low = '', high = ''] of expression.matchAll(/\{(\d+),?(\d*)\}/g)) {
    repeats += Math.max(Number(low), Number(high));
  }
  if (repeats > REPEATS_MAX) return tooLarge(`more than ${REPEATS_MAX} counted repetitions`);
  try {
    return { regex: new TermRegex(RE2JS.compile(expression)) };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const { message } = error;
    return { reason: message, erlangTerm: expressionFaultTerm(message, expression) };
  }
}

function tooLarge(reason: string): RegexFault {
  return { reason, erlangTerm: `{${printString(reason)},0}` };
}
