/**
 * Regular expressions from clients, over index terms.
 *
 * They are matched by re2js, whose time is linear in the term, so that none can stop the node; Perl's
 * syntax without back-references and look-around. Terms and expressions are bytes, one a character,
 * as in Riak. The automaton's size is bounded too: by the length and by the counted repetitions.
 */

import { RE2JS, RE2JSException } from 're2js';
import type { ByteString } from '../../base/bytes.ts';

const LENGTH_MAX = 1024;
/** Sum of the upper bounds of all `{n,m}`: each makes as many copies of what it repeats. */
const REPEATS_MAX = 1000;

export type RegexOutcome =
  | { readonly kind: 'regex'; readonly matches: (term: ByteString) => boolean }
  | { readonly kind: 'refused'; readonly reason: string };

/** Finds the expression anywhere in a term. */
export function compileTermRegex(expression: ByteString): RegexOutcome {
  if (expression.length > LENGTH_MAX) {
    return { kind: 'refused', reason: `longer than ${LENGTH_MAX} bytes` };
  }
  let repeats = 0;
  for (const [, least = '', most = ''] of expression.matchAll(/\{(\d*),?(\d*)\}/g)) {
    repeats += Math.max(Number(least), Number(most));
  }
  if (repeats > REPEATS_MAX) {
    return { kind: 'refused', reason: `more than ${REPEATS_MAX} counted repetitions` };
  }
  try {
    const regex = RE2JS.compile(expression);
    return { kind: 'regex', matches: (term) => regex.test(term) };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return { kind: 'refused', reason: error.message };
  }
}
