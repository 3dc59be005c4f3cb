/**
 * Regular expressions over index terms: what is refused, and in Riak's words.
 */

import { BoundedRegex } from '../object/bounded-regex.ts';
import { printString } from '../object/erlang-text.ts';
import { expressionFaultTerm } from './expression-fault.ts';
import type { Allowance } from '../base/turns.ts';
import type { ByteString } from '../base/bytes.ts';

export class TermRegex {
  readonly #regex: BoundedRegex;
  readonly #namedGroups: Readonly<Record<string, number>>;
  readonly groupCount: number;

  constructor(regex: BoundedRegex) {
    this.#regex = regex;
    this.#namedGroups = regex.namedGroups;
    this.groupCount = regex.groupCount;
  }

  get hasNamedGroups(): boolean {
    return Object.keys(this.#namedGroups).length > 0;
  }

  /** The number, from 1, of the group `(?P<name>…)`. */
  groupNamed(name: string): number | undefined {
    return this.#namedGroups[name];
  }

  /**
   * Whether the expression is found anywhere in the term; not, as in Riak, where looking would cost
   * more than the allowance.
   */
  isIn(term: ByteString, allowance: Allowance): boolean {
    return this.#regex.isIn(term, allowance);
  }

  /** What these groups captured; undefined where nothing is found or one of them took no part. */
  captures(
    term: ByteString,
    groups: readonly number[],
    allowance: Allowance,
  ): readonly ByteString[] | undefined {
    return this.#regex.captures(term, groups, allowance) as readonly ByteString[] | undefined;
  }
}

export interface RegexFault {
  readonly reason: string;
  /** The reason and its place as Riak prints them. */
  readonly erlangTerm: string;
}

/** The expression, or why it is none. */
export function compileTermRegex(
  expression: ByteString,
): { readonly regex: TermRegex } | RegexFault {
  const outcome = BoundedRegex.compile(expression);
  if (outcome instanceof BoundedRegex) return { regex: new TermRegex(outcome) };
  if ('limit' in outcome) {
    return { reason: outcome.limit, erlangTerm: `{${printString(outcome.limit)},0}` };
  }
  const { fault } = outcome;
  return { reason: fault, erlangTerm: expressionFaultTerm(fault, expression) };
}
