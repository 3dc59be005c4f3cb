/**
 * A query as a client posts it, checked and compiled.
 *
 * The document's names, defaults and stages of refusal are those of OpenRiak's Query API. What it asks
 * for beyond the limits of `limits.ts` is refused before anything is read.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { normaliseField } from '../object/index-entries.ts';
import { parseAccumulation } from './accumulation.ts';
import { parseCombination, tagsOf } from './combination.ts';
import { entryMatcher } from './entry-matcher.ts';
import { parseEvaluation } from './evaluation.ts';
import { parseFilter } from './filter.ts';
import {
  RANGES_MAX,
  SUBSTITUTIONS_MAX,
  TIMEOUT_DEFAULT_SECONDS,
  TIMEOUT_MAX_SECONDS,
  VALUE_SIZE_MAX,
} from './limits.ts';
import { refusal } from './refusal.ts';
import { compileTermRegex } from './term-regex.ts';
import { canonicalInteger } from './value.ts';
import type { ByteString } from '../base/bytes.ts';
import type { AccumulationRequest } from './accumulation.ts';
import type { Combination } from './combination.ts';
import type { EntryCondition, EntryMatcher } from './entry-matcher.ts';
import type { QueryRefusal } from './refusal.ts';
import type { ExpressionFault, Substitutions } from './tokens.ts';
import type { Scalar } from './value.ts';

export interface QueryRange {
  /** `…_bin`, in lower case. */
  readonly field: ByteString;
  /** Both ends inclusive. */
  readonly from: ByteString;
  readonly to: ByteString;
  readonly matcher: EntryMatcher;
}

export interface QueryRequest extends AccumulationRequest {
  readonly source:
    | { readonly kind: 'range'; readonly range: QueryRange }
    | {
        readonly kind: 'combination';
        readonly combination: Combination;
        /** One for each tag of the combination. */
        readonly rangeByTag: ReadonlyMap<number, QueryRange>;
      };
  /** Opaque here; single ranges only. */
  readonly continuation: string | undefined;
  readonly timeoutMs: number;
}

type Members = Readonly<Record<string, unknown>>;

const REQUEST_MEMBERS = new Set([
  'aggregation_expression',
  'accumulation_option',
  'accumulation_term',
  'substitutions',
  'timeout',
  'query_list',
  'max_results',
  'continuation',
]);
const RANGE_MEMBERS = new Set([
  'aggregation_tag',
  'index_name',
  'start_term',
  'end_term',
  'regular_expression',
  'evaluation_expression',
  'filter_expression',
]);
const NEEDED_RANGE_MEMBERS = ['index_name', 'start_term', 'end_term'];

export function parseQueryRequest(document: unknown): QueryRequest | QueryRefusal {
  if (!isObject(document)) return refusal('request', 'The query is not a JSON object');
  const misnamed = findMisnamed(document, REQUEST_MEMBERS, ['query_list']);
  if (misnamed !== undefined) return misnamed;
  const timeoutMs = parseTimeout(document['timeout']);
  if (typeof timeoutMs !== 'number') return timeoutMs;
  const list = document['query_list'];
  if (!Array.isArray(list) || list.length === 0) {
    return refusal('request', 'No valid query provided');
  }
  if (list.length > RANGES_MAX) {
    return refusal('request', `More than ${RANGES_MAX} queries in query_list`);
  }
  const isCombined = list.length > 1;
  const accumulation = parseAccumulation(document, isCombined);
  if ('stage' in accumulation) return accumulation;
  const substitutions = parseSubstitutions(document['substitutions']);
  if ('stage' in substitutions) return substitutions;

  const { attribute } = accumulation;
  const source = isCombined
    ? parseCombined(list, document['aggregation_expression'], substitutions)
    : parseSingle(document, { member: list[0], substitutions, attribute });
  if ('stage' in source) return source;
  const { continuation } = document;
  if (continuation !== undefined && (isCombined || typeof continuation !== 'string')) {
    return refusal('apply_continuation', 'Invalid continuation');
  }
  return { ...accumulation, source, continuation, timeoutMs };
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function findMisnamed(
  members: Members,
  known: ReadonlySet<string>,
  needed: readonly string[],
): QueryRefusal | undefined {
  const missing = needed.filter((name) => members[name] === undefined);
  if (missing.length > 0) {
    return refusal('request', `Missing required keys in request: ${missing.join(', ')}`);
  }
  const unknown = Object.keys(members).find((name) => !known.has(name));
  return unknown === undefined
    ? undefined
    : refusal('request', `Unexpected key in request: ${shown(unknown)}`);
}

/** What a client wrote, as much as fits a sentence. */
function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function parseTimeout(seconds: unknown = TIMEOUT_DEFAULT_SECONDS): number | QueryRefusal {
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 1) {
    return refusal('init', 'Bad timeout');
  }
  return Math.min(seconds, TIMEOUT_MAX_SECONDS) * 1_000;
}

function parseSubstitutions(members: unknown = {}): Substitutions | QueryRefusal {
  if (!isObject(members)) return refusal('query_evaluation', 'substitutions is not a JSON object');
  const pairs = Object.entries(members);
  if (pairs.length > SUBSTITUTIONS_MAX) {
    return refusal('query_evaluation', `More than ${SUBSTITUTIONS_MAX} substitutions`);
  }
  const values = new Map<string, Scalar>();
  for (const [name, value] of pairs) {
    if (typeof value === 'string') values.set(name, utf8ToByteString(value));
    else if (typeof value === 'number' && Number.isSafeInteger(value)) {
      values.set(name, canonicalInteger(BigInt(value)));
    } else return refusal('query_evaluation', `Invalid type in substitution ${shown(name)}`);
  }
  return values;
}

function parseSingle(
  document: Members,
  query: {
    readonly member: unknown;
    readonly substitutions: Substitutions;
    readonly attribute: string | undefined;
  },
): QueryRequest['source'] | QueryRefusal {
  if (document['aggregation_expression'] !== undefined) {
    return refusal('aggregation_expression', 'Attempt to aggregate single query');
  }
  const range = parseRange(query.member, query.substitutions, query.attribute);
  return 'stage' in range ? range : { kind: 'range', range };
}

function parseCombined(
  list: readonly unknown[],
  expression: unknown,
  substitutions: Substitutions,
): QueryRequest['source'] | QueryRefusal {
  const stage = 'aggregation_expression';
  if (expression === undefined) {
    return refusal(stage, 'Multiple queries passed without aggregation expression');
  }
  if (typeof expression !== 'string') return refusal(stage, 'Invalid function: not a string');
  const parsed = parseCombination(expression);
  if (parsed.kind === 'malformed') return refusal(stage, `Invalid function: ${placed(parsed)}`);
  const rangeByTag = new Map<number, QueryRange>();
  for (const member of list) {
    const range = parseRange(member, substitutions, undefined);
    if ('stage' in range) return range;
    const tag = (member as Members)['aggregation_tag'];
    if (typeof tag !== 'number' || !Number.isInteger(tag) || tag < 0) {
      return refusal('query_evaluation', 'Untagged query in combination request');
    }
    if (rangeByTag.has(tag)) return refusal('query_evaluation', 'Incorrect tagging of queries');
    rangeByTag.set(tag, range);
  }
  const unknownTag = tagsOf(parsed.value).find((tag) => !rangeByTag.has(tag));
  if (unknownTag !== undefined) {
    return refusal(stage, `Invalid function: no query has the tag ${unknownTag}`);
  }
  return { kind: 'combination', combination: parsed.value, rangeByTag };
}

function parseRange(
  member: unknown,
  substitutions: Substitutions,
  attribute: string | undefined,
): QueryRange | QueryRefusal {
  if (!isObject(member)) return refusal('request', 'A query in query_list is not a JSON object');
  const misnamed = findMisnamed(member, RANGE_MEMBERS, NEEDED_RANGE_MEMBERS);
  if (misnamed !== undefined) return misnamed;
  const { index_name: name, start_term: start, end_term: end } = member;
  if (typeof name !== 'string' || !name.toLowerCase().endsWith('_bin')) {
    return refusal('query_evaluation', 'Invalid index name');
  }
  if (typeof start !== 'string' || typeof end !== 'string') {
    return refusal('query_evaluation', 'Invalid query range');
  }
  const from = utf8ToByteString(start);
  const to = utf8ToByteString(end);
  if (from > to || Math.max(from.length, to.length) > VALUE_SIZE_MAX) {
    return refusal('query_evaluation', 'Invalid query range');
  }
  const condition = parseCondition(member, substitutions);
  if ('stage' in condition) return condition;
  const field = normaliseField(utf8ToByteString(name));
  return { field, from, to, matcher: entryMatcher(condition, attribute) };
}

function parseCondition(
  member: Members,
  substitutions: Substitutions,
): EntryCondition | QueryRefusal {
  const stage = 'query_evaluation';
  const {
    regular_expression: expression,
    evaluation_expression: evaluation,
    filter_expression: filter,
  } = member;
  if (evaluation === undefined && filter === undefined) {
    if (expression === undefined) return { kind: 'every' };
    if (typeof expression !== 'string') return refusal(stage, 'Invalid regex: not a string');
    const compiled = compileTermRegex(utf8ToByteString(expression));
    return 'reason' in compiled
      ? refusal(stage, `Invalid regex: ${compiled.reason}`)
      : { kind: 'regex', regex: compiled.regex };
  }
  if (expression !== undefined || evaluation === undefined || filter === undefined) {
    return refusal(stage, 'Invalid combination of regex/eval/filter');
  }
  if (typeof evaluation !== 'string') return refusal(stage, 'Invalid eval function: not a string');
  if (typeof filter !== 'string') return refusal(stage, 'Invalid filter function: not a string');
  const stages = parseEvaluation(evaluation, substitutions);
  if (stages.kind === 'malformed') {
    return refusal(stage, `Invalid eval function: ${placed(stages)}`);
  }
  const condition = parseFilter(filter, substitutions);
  if (condition.kind === 'malformed') {
    return refusal(stage, `Invalid filter function: ${placed(condition)}`);
  }
  return { kind: 'filter', stages: stages.value, filter: condition.value };
}

/** Positions are counted from 1, as editors do. */
function placed({ reason, offset }: ExpressionFault): string {
  return `${reason} at character ${offset + 1}`;
}
