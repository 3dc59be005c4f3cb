/**
 * Regular expressions from outside, over index terms.
 *
 * The engine (RE2) takes time linear in the term whatever the expression, so none can stop the node.
 * Its syntax is Perl's without what needs backtracking: no backreferences, no look-around, no
 * possessive or atomic groups. Terms and expressions are matched byte by byte, as Riak does. Length and
 * counted repetition are bounded, because they multiply into the size of the automaton.
 */

import { RE2JS } from 're2js';
import type { ByteString } from '../../base/bytes.ts';

export interface TermRegex {
  /** Whether the expression is found anywhere in the term. */
  isIn(term: ByteString): boolean;
}

const LENGTH_MAX = 1024;
/** Sum of the bounds of all counted repetitions. */
const REPEATS_MAX = 1000;

/** The expression, or why it is none. */
export function compileTermRegex(
  expression: ByteString,
): { readonly regex: TermRegex } | { readonly reason: string } {
  if (expression.length > LENGTH_MAX) return { reason: `longer than ${LENGTH_MAX} bytes` };
  let repeats = 0;
  for (const [, low = '', high = ''] of expression.matchAll(/\{(\d+),?(\d*)\}/g)) {
    repeats += Math.max(Number(low), Number(high));
  }
  if (repeats > REPEATS_MAX) return { reason: `more than ${REPEATS_MAX} counted repetitions` };
  try {
    const compiled = RE2JS.compile(expression);
    return { regex: { isIn: (term) => compiled.test(term) } };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : 'malformed' };
  }
}
