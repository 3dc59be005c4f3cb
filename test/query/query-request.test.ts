/**
 * Query documents: what is read from them, and how each fault of one is told.
 */

import t from 'tap';
import { parseQueryRequest } from '../../src/query/query-request.ts';
import { describeRefusal } from '../../src/query/refusal.ts';

const RANGE = { index_name: 'f_bin', start_term: 'a', end_term: 'b' };
const EXPRESSIONS = {
  evaluation_expression: 'delim($term, :d, ($a))',
  filter_expression: '$a = :x',
};

function one(
  range: Record<string, unknown>,
  rest: Record<string, unknown> = {},
): ReturnType<typeof parseQueryRequest> {
  return parseQueryRequest({ query_list: [{ ...RANGE, ...range }], ...rest });
}

function two(
  expression: unknown,
  rest: Record<string, unknown> = {},
): ReturnType<typeof parseQueryRequest> {
  return parseQueryRequest({
    aggregation_expression: expression,
    query_list: [
      { ...RANGE, aggregation_tag: 1 },
      { ...RANGE, aggregation_tag: 2 },
    ],
    ...rest,
  });
}

function told(outcome: ReturnType<typeof parseQueryRequest>): string {
  return 'stage' in outcome ? describeRefusal(outcome) : 'not refused';
}

t.test('a query has the defaults of the Query API', (t) => {
  t.match(one({}), {
    accumulation: 'keys',
    attribute: undefined,
    maxResults: undefined,
    continuation: undefined,
    timeoutMs: 60_000,
    source: { kind: 'range', range: { field: 'f_bin', from: 'a', to: 'b' } },
  });
  t.match(one({ index_name: 'F_BIN' }), { source: { range: { field: 'f_bin' } } });
  t.match(one({}, { timeout: 5 }), { timeoutMs: 5_000 });
  t.match(one({}, { timeout: 1_000_000 }), { timeoutMs: 3_600_000 });
  t.match(one({ start_term: 'é', end_term: 'é~' }), { source: { range: { from: 'Ã©' } } });
  t.end();
});

t.test('an accumulation term is named with or without its $', (t) => {
  const accumulation = { accumulation_option: 'terms' };
  t.match(one({}, { ...accumulation, accumulation_term: '$age' }), { attribute: 'age' });
  t.match(one({}, { ...accumulation, accumulation_term: 'age' }), { attribute: 'age' });
  t.match(one({}, { ...accumulation, accumulation_term: '$term' }), { attribute: undefined });
  t.end();
});

t.test('expressions take substitutions of strings and integers', (t) => {
  t.match(one(EXPRESSIONS, { substitutions: { d: '|', x: 12 } }), {
    source: { range: { matcher: { matchesAll: false } } },
  });
  t.match(two('$1 UNION $2'), { source: { kind: 'combination' } });
  t.end();
});

t.test('each fault of a query is told in words', (t) => {
  const evaluated = 'Validation failure at stage query_evaluation due to';
  const aggregated = 'Validation failure at stage aggregation_expression due to';
  const cases: readonly (readonly [outcome: ReturnType<typeof parseQueryRequest>, text: string])[] =
    [
      [parseQueryRequest([]), 'The query is not a JSON object'],
      [parseQueryRequest(undefined), 'The query is not a JSON object'],
      [parseQueryRequest({}), 'Missing required keys in request: query_list'],
      [parseQueryRequest({ query_list: [] }), 'No valid query provided'],
      [parseQueryRequest({ query_list: {} }), 'No valid query provided'],
      [parseQueryRequest({ query_list: [1] }), 'A query in query_list is not a JSON object'],
      [
        parseQueryRequest({ query_list: Array.from({ length: 17 }, () => RANGE) }),
        'More than 16 queries in query_list',
      ],
      [one({}, { subs: {} }), 'Unexpected key in request: subs'],
      [one({ end_key: 'B' }), 'Unexpected key in request: end_key'],
      [
        one({ start_term: undefined, index_name: undefined }),
        'Missing required keys in request: index_name, start_term',
      ],
      [one({}, { timeout: 0 }), 'Validation failure at stage init due to Bad timeout'],
      [one({}, { timeout: '60' }), 'Validation failure at stage init due to Bad timeout'],
      [one({ index_name: 'f_int' }), `${evaluated} Invalid index name`],
      [one({ index_name: 7 }), `${evaluated} Invalid index name`],
      [one({ start_term: 0, end_term: 1 }), `${evaluated} Invalid query range`],
      [one({ start_term: 'c' }), `${evaluated} Invalid query range`],
      [one({ end_term: 'x'.repeat(65_537) }), `${evaluated} Invalid query range`],
      [
        one({ regular_expression: '[A-Z]+)' }),
        `${evaluated} Invalid regex: error parsing regexp: unexpected ): \`[A-Z]+)\``,
      ],
      [one({ regular_expression: 1 }), `${evaluated} Invalid regex: not a string`],
      [
        one({ ...EXPRESSIONS, regular_expression: 'a' }),
        `${evaluated} Invalid combination of regex/eval/filter`,
      ],
      [
        one({ filter_expression: '$a = "b"' }),
        `${evaluated} Invalid combination of regex/eval/filter`,
      ],
      [
        one(EXPRESSIONS),
        `${evaluated} Invalid eval function: no substitution for :d at character 14`,
      ],
      [
        one(EXPRESSIONS, { substitutions: { d: '|' } }),
        `${evaluated} Invalid filter function: no substitution for :x at character 6`,
      ],
      [
        one(EXPRESSIONS, { substitutions: { d: true } }),
        `${evaluated} Invalid type in substitution d`,
      ],
      [
        one(EXPRESSIONS, { substitutions: { d: 1.5 } }),
        `${evaluated} Invalid type in substitution d`,
      ],
      [one({}, { substitutions: [] }), `${evaluated} substitutions is not a JSON object`],
      [
        one({}, { accumulation_option: 'matches' }),
        'Validation failure at stage accumulation_option due to Unrecognised option <<"matches">>',
      ],
      [
        one({}, { accumulation_option: 'count', accumulation_term: '$a' }),
        'Validation failure at stage accumulation_term due to Bad term <<"$a">> with option count',
      ],
      [
        one({}, { accumulation_option: 'term_with_count', accumulation_term: 0 }),
        'Validation failure at stage accumulation_term due to Bad term number with option term_with_count',
      ],
      [
        one({}, { accumulation_option: 'terms', max_results: 0 }),
        'Validation failure at stage max_results due to Invalid max_results: not a positive integer',
      ],
      [
        one({}, { accumulation_option: 'term_with_count', max_results: 1_000 }),
        'Validation failure at stage max_results due to Invalid combination max_results 1000 ' +
          'query_type single_query accumulation_option term_with_count',
      ],
      [
        one({}, { continuation: 7 }),
        'Validation failure at stage apply_continuation due to Invalid continuation',
      ],
      [
        one({}, { aggregation_expression: '$1' }),
        `${aggregated} Attempt to aggregate single query`,
      ],
      [two(undefined), `${aggregated} Multiple queries passed without aggregation expression`],
      [
        two('$1 XOR $2'),
        `${aggregated} Invalid function: expected the end, found 'XOR' at character 4`,
      ],
      [
        two('$1 UNION S2'),
        `${aggregated} Invalid function: expected the tag of a query such as $1, found 'S2' at character 10`,
      ],
      [two('$1 UNION $3'), `${aggregated} Invalid function: no query has the tag 3`],
      [
        two('$1 UNION $2', { accumulation_option: 'terms' }),
        'Validation failure at stage accumulation_option due to Unsupported option in combination query',
      ],
      [
        two('$1 UNION $2', { query_list: [{ ...RANGE, aggregation_tag: 1 }, RANGE] }),
        `${evaluated} Untagged query in combination request`,
      ],
      [
        two('$1 UNION $1', {
          query_list: [
            { ...RANGE, aggregation_tag: 1 },
            { ...RANGE, aggregation_tag: 1 },
          ],
        }),
        `${evaluated} Incorrect tagging of queries`,
      ],
    ];
  for (const [outcome, text] of cases) t.equal(told(outcome), text);
  t.end();
});
