/**
 * An index query as a URL says it, checked: which range, which terms in it, how many, from where.
 */

import { indexRefusalTerm, printCharacters } from '../../object/erlang-text.ts';
import { textToContinuation } from '../../query/index-continuation.ts';
import { normaliseField } from '../../object/index-entries.ts';
import { parseIndexLookup } from '../../query/index-lookup.ts';
import { textAnswer } from './answer.ts';
import { parseInteger } from './object-parameters.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { IndexLookup, LookupFault, LookupWish } from '../../query/index-lookup.ts';
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

/** Without progress for this long a query ends; clients that ask for no limit get this one. */
const IDLE_TIMEOUT_MAX_MS = 600_000;

export interface IndexQuery {
  /** Undefined: a URL without a term, to which nothing belongs. */
  readonly lookup: IndexLookup | undefined;
  readonly returnsTerms: boolean;
  readonly maxResults: number | undefined;
  readonly timeoutMs: number;
}

interface IndexTarget {
  readonly field: ByteString;
  /** One for equality, two for a range. */
  readonly terms: readonly ByteString[];
}

/** The query, or the answer to the fault that Riak would name. */
export function parseIndexQuery(query: Query, target: IndexTarget): IndexQuery | Answer {
  const sort = parseBoolean(query, 'pagination_sort');
  if (typeof sort === 'object') return sort;
  const returnTerms = parseBoolean(query, 'return_terms');
  if (typeof returnTerms === 'object') return returnTerms;

  const wish = wishOf(query, target);
  const lookup = wish === undefined ? undefined : parseIndexLookup(wish);
  if (lookup !== undefined && 'fault' in lookup) return faultAnswer(lookup, wish?.expression);

  const maxResults = parseMaxResults(query);
  if (typeof maxResults === 'object') return maxResults;
  const timeoutMs = parseTimeout(query);
  if (typeof timeoutMs === 'object') return timeoutMs;
  const isRange = target.terms.length === 2;
  return {
    lookup,
    returnsTerms: returnTerms && isRange && lookup?.field.startsWith('$') === false,
    maxResults,
    timeoutMs,
  };
}

const BUCKET_FIELD = '$bucket' as ByteString;

/** A bucket is meant as a whole, with or without a term, and by `$key` without one. */
function wishOf(query: Query, target: IndexTarget): LookupWish | undefined {
  const { terms } = target;
  const isOfAllKeys = terms.length === 0 && normaliseField(target.field) === '$key';
  const field = isOfAllKeys ? BUCKET_FIELD : target.field;
  if (terms.length === 0 && field !== BUCKET_FIELD) return undefined;
  const continuation = query.get('continuation');
  return {
    field,
    ends: terms,
    expression: query.get('term_regex'),
    after:
      continuation === undefined || continuation === ''
        ? undefined
        : (textToContinuation(continuation) ?? 'malformed'),
  };
}

function faultAnswer(fault: LookupFault, expression = ''): Answer {
  switch (fault.fault) {
    case 'expression':
      return textAnswer(
        400,
        `Invalid term regular expression ${printCharacters(expression)} : ${fault.term}`,
      );
    case 'expression-on-integers':
      return textAnswer(400, 'Can not use term regular expressions on integer queries');
    case 'entry':
      return textAnswer(400, `Invalid query: ${indexRefusalTerm(fault.refusal)}\n`);
    case 'continuation':
      return textAnswer(400, 'Invalid "continuation". It is none that this server made');
  }
}

function parseBoolean(query: Query, name: string): boolean | Answer {
  const text = query.get(name);
  const lower = text?.toLowerCase();
  if (lower === undefined || lower === 'false') return false;
  if (lower === 'true') return true;
  return textAnswer(400, `Invalid "${name}". ${printCharacters(text ?? '')} is not a boolean`);
}

function parseMaxResults(query: Query): number | undefined | Answer {
  const text = query.get('max_results');
  if (text === undefined) return undefined;
  const count = parseInteger(text);
  // Peers take no more; there are not as many entries anyway.
  if (count !== undefined && count > 0) return Math.min(count, Number.MAX_SAFE_INTEGER);
  const shown = count === undefined ? printCharacters(text) : `${count}`;
  return textAnswer(400, `Invalid "max_results". ${shown} is not a positive integer`);
}

function parseTimeout(query: Query): number | Answer {
  const text = query.get('timeout');
  if (text === undefined) return IDLE_TIMEOUT_MAX_MS;
  const timeoutMs = parseInteger(text);
  if (timeoutMs === undefined || timeoutMs < 0) {
    const shown = timeoutMs === undefined ? printCharacters(text) : `${timeoutMs}`;
    return textAnswer(400, `Bad timeout value ${shown}. Must be a non-negative integer\n`);
  }
  return timeoutMs === 0 ? IDLE_TIMEOUT_MAX_MS : Math.min(timeoutMs, IDLE_TIMEOUT_MAX_MS);
}
