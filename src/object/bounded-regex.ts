/**
 * Regular expressions from outside, over index terms and keys.
 *
 * The engine (RE2) takes time linear in the text whatever the expression, so none can stop the node.
 * Its syntax is Perl's without what needs backtracking: no backreferences, no look-around, no
 * possessive or atomic groups. Text is matched byte by byte, as Riak does. Length and counted
 * repetition are bounded, because they multiply into the size of the automaton; the time of one match is
 * at worst the product of that and the text's length, which is what it costs (`base/turns.ts`).
 */

import { RE2JS, RE2JSException } from 're2js';
import type { Allowance } from '../base/turns.ts';

const LENGTH_MAX = 1024;
/**
 * Of a byte for each instruction of the automaton: 20 ns as a rule, 120 where nearly every byte brings a state that
 * was never met.
 */
const STEP_UNITS = 5;
/** Sum of the bounds of all counted repetitions. */
const REPEATS_MAX = 1000;

export class BoundedRegex {
  readonly #compiled: RE2JS;
  readonly #size: number;

  private constructor(compiled: RE2JS) {
    this.#compiled = compiled;
    this.#size = compiled.programSize();
  }

  /** The expression, or why it is none: a limit of ours, or the engine's own words. */
  static compile(
    expression: string,
  ): BoundedRegex | { readonly limit: string } | { readonly fault: string } {
    if (expression.length > LENGTH_MAX) return { limit: `longer than ${LENGTH_MAX} bytes` };
    if (countRepeats(expression) > REPEATS_MAX) {
      return { limit: `more than ${REPEATS_MAX} counted repetitions` };
    }
    try {
      return new BoundedRegex(RE2JS.compile(expression));
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      return { fault: error.message };
    }
  }

  get groupCount(): number {
    return this.#compiled.groupCount();
  }

  get namedGroups(): Readonly<Record<string, number>> {
    return this.#compiled.namedGroups();
  }

  /** Whether it is found anywhere in the text; not if the allowance is too small to look. */
  isIn(text: string, allowance: Allowance): boolean {
    return this.#mayRead(text, allowance) && this.#compiled.test(text);
  }

  /** What these groups captured; undefined where nothing is found or one of them took no part. */
  captures(
    text: string,
    groups: readonly number[],
    allowance: Allowance,
  ): readonly string[] | undefined {
    if (!this.#mayRead(text, allowance)) return undefined;
    const matcher = this.#compiled.matcher(text);
    if (!matcher.find()) return undefined;
    const captured: string[] = [];
    for (const group of groups) {
      const part = matcher.group(group);
      if (part === null) return undefined;
      captured.push(part);
    }
    return captured;
  }

  #mayRead(text: string, allowance: Allowance): boolean {
    return allowance.take((text.length + 1) * this.#size * STEP_UNITS);
  }
}

function countRepeats(expression: string): number {
  let repeats = 0;
  for (const [, least = '', most = ''] of expression.matchAll(/\{(\d*),?(\d*)\}/g)) {
    repeats += Math.max(Number(least), Number(most));
  }
  return repeats;
}
