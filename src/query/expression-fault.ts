/**
 * Why a regular expression is none, in the words of the engine that Riak has (PCRE): a reason and a
 * place, `{"missing )",1}`.
 *
 * RE2 names the fault and the piece of the expression that it found it in; the place is looked for.
 * What PCRE would take and RE2 does not is told in RE2's words.
 */

import { printString } from '../object/erlang-text.ts';

/** `message` is RE2's, `expression` one character to a byte. */
export function expressionFaultTerm(message: string, expression: string): string {
  const [, fault = message, piece = ''] =
    /^error parsing regexp: ([^:]*)(?:: `([^]*)`)?$/.exec(message) ?? [];
  const [reason, place] = inOtherWords(fault, piece, expression);
  return `{${printString(reason)},${Math.max(place, 0)}}`;
}

function inOtherWords(
  fault: string,
  piece: string,
  expression: string,
): readonly [reason: string, place: number] {
  switch (fault) {
    case 'missing closing )':
      return ['missing )', expression.length];
    case 'missing closing ]':
      return ['missing terminating ] for character class', expression.length];
    case 'unexpected )':
      return ['unmatched parentheses', unmatchedAt(expression)];
    case 'missing argument to repetition operator':
      return ['nothing to repeat', expression.indexOf(piece)];
    case 'invalid nested repetition operator':
      // With a plus PCRE would take it.
      if (piece.endsWith('+')) return [fault, expression.indexOf(piece)];
      return ['nothing to repeat', endOf(piece, expression)];
    case 'invalid repeat count':
      return ['numbers out of order in {} quantifier', endOf(piece, expression)];
    case 'trailing backslash at end of expression':
      return ['\\ at end of pattern', expression.length];
    case 'invalid character class range':
      return ['range out of order in character class', expression.indexOf(piece) + 2];
    default:
      return [fault, expression.indexOf(piece)];
  }
}

/** Where the last character of `piece` stands. */
function endOf(piece: string, expression: string): number {
  return expression.indexOf(piece) + piece.length - 1;
}

/** The first `)` that closes nothing. */
function unmatchedAt(expression: string): number {
  let depth = 0;
  for (const { 0: token, index } of expression.matchAll(/\\[^]|\[\^?\]?[^\]]*\]|[()]/g)) {
    if (token === '(') depth += 1;
    else if (token === ')' && (depth -= 1) < 0) return index;
  }
  return expression.length;
}
