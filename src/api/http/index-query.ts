/**
 * An index query as a URL says it, checked: which range, which terms in it, how many, from where.
 */

import { normaliseField, parseIndexEntry } from '../../object/index-entries.ts';
import { compileTermRegex } from '../../query/term-regex.ts';
import { textAnswer } from './answer.ts';
import { decodeContinuation } from './continuation.ts';
import { erlangBinary } from './erlang-term.ts';
import { parseInteger } from './object-parameters.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { TermRegex } from '../../query/term-regex.ts';
import type { Answer } from './answer.ts';
import type { IndexPosition } from './continuation.ts';
import type { Query } from './query.ts';

/** Without progress for this long a query ends; clients that ask for no limit get this one. */
const IDLE_TIMEOUT_MAX_MS = 600_000;

export interface IndexQuery {
  /** In lower case. */
  readonly field: ByteString;
  /** Both ends inclusive, integers in canonical text; undefined: a URL without a term. */
  readonly range: { readonly from: ByteString; readonly to: ByteString } | undefined;
  readonly returnsTerms: boolean;
  readonly maxResults: number | undefined;
  readonly after: IndexPosition | undefined;
  readonly regex: TermRegex | undefined;
  readonly timeoutMs: number;
}

/** The query, or the answer to the first fault. */
export function parseIndexQuery(
  query: Query,
  target: { readonly field: ByteString; readonly terms: readonly ByteString[] },
): IndexQuery | Answer {
  const returnTerms = parseBoolean(query, 'return_terms');
  if (typeof returnTerms === 'object') return returnTerms;
  const sort = parseBoolean(query, 'pagination_sort');
  if (typeof sort === 'object') return sort;
  const maxResults = parseMaxResults(query);
  if (typeof maxResults === 'object') return maxResults;
  const timeoutMs = parseTimeout(query);
  if (typeof timeoutMs === 'object') return timeoutMs;

  const field = normaliseField(target.field);
  const isRange = target.terms.length === 2;
  const range = parseRange(field, target.terms);
  if (range !== undefined && 'status' in range) return range;
  const filter = parseRegex(query, field);
  if (filter !== undefined && 'status' in filter) return filter;
  const position = parsePosition(query, field);
  if (position !== undefined && 'status' in position) return position;
  return {
    field,
    range,
    returnsTerms: returnTerms && isRange && !field.startsWith('$'),
    maxResults,
    after: position,
    regex: isRange ? filter?.regex : undefined,
    timeoutMs,
  };
}

function parseBoolean(query: Query, name: string): boolean | Answer {
  const text = query.get(name);
  const lower = text?.toLowerCase();
  if (lower === undefined || lower === 'false') return false;
  return lower === 'true' || textAnswer(400, `Invalid "${name}". "${text}" is not a boolean`);
}

function parseMaxResults(query: Query): number | undefined | Answer {
  const text = query.get('max_results');
  if (text === undefined) return undefined;
  const count = parseInteger(text);
  if (count !== undefined && count > 0) return count;
  const shown = count === undefined ? `"${text}"` : `${count}`;
  return textAnswer(400, `Invalid "max_results". ${shown} is not a positive integer`);
}

function parseTimeout(query: Query): number | Answer {
  const text = query.get('timeout');
  if (text === undefined) return IDLE_TIMEOUT_MAX_MS;
  const timeoutMs = parseInteger(text);
  if (timeoutMs === undefined || timeoutMs < 0) {
    const shown = timeoutMs === undefined ? `"${text}"` : `${timeoutMs}`;
    return textAnswer(400, `Bad timeout value ${shown}. Must be a non-negative integer\n`);
  }
  return timeoutMs === 0 ? IDLE_TIMEOUT_MAX_MS : Math.min(timeoutMs, IDLE_TIMEOUT_MAX_MS);
}

function parseRange(field: ByteString, terms: readonly ByteString[]): IndexQuery['range'] | Answer {
  const ends: ByteString[] = [];
  for (const value of terms.length === 0 ? ['0' as ByteString] : terms) {
    const outcome = parseIndexEntry(field, value);
    switch (outcome.kind) {
      case 'entry':
        ends.push(outcome.entry.term);
        break;
      case 'unknown-field-type':
        return invalidQuery(`{unknown_field_type,${erlangBinary(outcome.field)}}`);
      case 'unparsable':
        return invalidQuery(
          `{field_parsing_failed,{${erlangBinary(outcome.field)},${erlangBinary(outcome.value)}}}`,
        );
    }
  }
  const [from, to = from] = ends;
  return terms.length === 0 || from === undefined || to === undefined ? undefined : { from, to };
}

function invalidQuery(term: string): Answer {
  return textAnswer(400, `Invalid query: ${term}\n`);
}

function parseRegex(
  query: Query,
  field: ByteString,
): { readonly regex: TermRegex } | undefined | Answer {
  const expression = query.get('term_regex');
  if (expression === undefined) return undefined;
  if (field.endsWith('_int')) {
    return textAnswer(400, 'Can not use term regular expressions on integer queries');
  }
  const compiled = compileTermRegex(expression);
  if ('regex' in compiled) return field.startsWith('$') ? undefined : compiled;
  return textAnswer(400, `Invalid term regular expression "${expression}" : ${compiled.reason}`);
}

function parsePosition(query: Query, field: ByteString): IndexPosition | undefined | Answer {
  const text = query.get('continuation');
  if (text === undefined || text === '') return undefined;
  const position = decodeContinuation(text);
  // One made for another index could hold a term that this one has no order for.
  const isOfField = position !== undefined && isTermOf(field, position.term);
  return isOfField
    ? position
    : textAnswer(400, 'Invalid "continuation". It is none that this server made');
}

function isTermOf(field: ByteString, term: ByteString): boolean {
  const outcome = parseIndexEntry(field, term);
  return outcome.kind === 'entry' && outcome.entry.term === term;
}
