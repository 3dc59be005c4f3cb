/**
 * What a query over long terms, or with long values made of short ones, costs others: their turn comes by
 * what was looked at.
 */

import t from 'tap';
import { QueryHolds } from '../../src/query/query-holds.ts';
import { parseQueryRequest } from '../../src/query/query-request.ts';
import { runQuery } from '../../src/query/run-query.ts';
import { CountingClock } from '../counting-clock.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { IndexSource, QueryPorts } from '../../src/query/match-scan.ts';

const ENTRY_COUNT = 50;

/** Of as many entries of one term: how many are counted, and how often others get their turn. */
async function counted(term: string, condition: Record<string, unknown>) {
  const clock = new CountingClock();
  const source: IndexSource = async function* () {
    yield Array.from({ length: ENTRY_COUNT }, (_, index) => {
      return [term as ByteString, `K${index}` as ByteString] as const;
    });
  };
  const limits = { queriesMax: 1, heldMaxBytes: 1e6, heldInAllMaxBytes: 1e6 };
  const hold = new QueryHolds(limits, { count() {}, gauge() {}, observe() {} }).open();
  const request = parseQueryRequest({
    accumulation_option: 'raw_count',
    query_list: [{ index_name: 'i_bin', start_term: '', end_term: '~', ...condition }],
    timeout: 3_600,
  });
  if (hold === undefined || 'stage' in request) throw new Error('the query is refused');
  let overruns = 0;
  const onScanned: QueryPorts['onScanned'] = (scanned) => {
    overruns += scanned.overruns;
  };
  const outcome = await runQuery(request, undefined, { source, hold, clock, onScanned });
  return { outcome, turnCount: clock.turnCount, overruns };
}

t.test('a query gives way by what its entries cost, not by their number', async (t) => {
  const byRegex = {
    evaluation_expression: 'regex($term, "(?P<y>y)$", ($y))',
    filter_expression: '$y = 1',
  };
  const pieces = {
    evaluation_expression:
      'join(($term,$term,$term,$term,$term,$term,$term,$term),"|",$a)' +
      ' | join(($a,$a,$a,$a,$a,$a,$a,$a),"|",$b) | slice($b, 1, $c) | slice($b, 2, $d)',
    filter_expression: '"x" IN $d',
  };
  const long = 'x'.repeat(60_000);
  t.ok((await counted(long, byRegex)).turnCount >= ENTRY_COUNT, 'long terms');
  t.ok((await counted(long, { regular_expression: 'y$' })).turnCount >= ENTRY_COUNT, 'alone');
  t.ok((await counted('x'.repeat(1_000), pieces)).turnCount >= ENTRY_COUNT, 'long values');
  t.equal((await counted('x', byRegex)).turnCount, 1, 'the end of the batch only');
});

t.test('a term longer than a value may be passes no filter, and counts without one', async (t) => {
  const filter = {
    evaluation_expression: 'index($term, 0, 1, $first)',
    filter_expression: 'begins_with($first, "x")',
  };
  const countOf = async (length: number, condition: Record<string, unknown>): Promise<unknown> => {
    return (await counted('x'.repeat(length), condition)).outcome;
  };
  t.same(await countOf(100, filter), { kind: 'count', count: ENTRY_COUNT });
  t.same(await countOf(70_000, filter), { kind: 'count', count: 0 });
  t.same(await countOf(70_000, {}), { kind: 'count', count: ENTRY_COUNT });
  t.equal((await counted('x'.repeat(70_000), filter)).overruns, ENTRY_COUNT);
});

t.test('what is too dear to judge passes no filter, whatever that asks of it', async (t) => {
  const dear = 'regex($term, "(?P<y>a[ab]{300}b|b[ab]{300}a|[ab]{300}$)", ($y))';
  const huge = `join((${'$term,'.repeat(9)}$term), "|", $y)`;
  const notJudged = [
    { evaluation_expression: dear, filter_expression: 'attribute_not_exists($y)' },
    { evaluation_expression: dear, filter_expression: 'NOT contains($y, "c")' },
    { evaluation_expression: dear, filter_expression: 'NOT ($y = "c")' },
    { evaluation_expression: huge, filter_expression: 'attribute_not_exists($y)' },
    { regular_expression: '(a[ab]{300}b|b[ab]{300}a|[ab]{300}$)' },
  ];
  for (const condition of notJudged) {
    const { outcome, overruns } = await counted('ab'.repeat(30_000), condition);
    t.same(outcome, { kind: 'count', count: 0 }, JSON.stringify(condition));
    t.equal(overruns, ENTRY_COUNT);
  }
  const { outcome, overruns } = await counted('c', {
    evaluation_expression: dear,
    filter_expression: 'attribute_not_exists($y)',
  });
  t.same({ outcome, overruns }, { outcome: { kind: 'count', count: ENTRY_COUNT }, overruns: 0 });
});
