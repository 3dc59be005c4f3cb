/**
 * Queries over an index in an array: every accumulation and combination against its plain meaning, and
 * the limits of memory and time.
 */

import fc from 'fast-check';
import t from 'tap';
import { parseQueryRequest } from '../../src/query/query-request.ts';
import { QueryHolds } from '../../src/query/query-holds.ts';
import { runQuery } from '../../src/query/run-query.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Clock, Metrics } from '../../src/base/host.ts';
import type { IndexMatch } from '../../src/object/index-entries.ts';
import type { IndexPosition, IndexSource } from '../../src/query/match-scan.ts';
import type { QueryLimits } from '../../src/query/query-holds.ts';
import type { QueryRequest } from '../../src/query/query-request.ts';
import type { QueryOutcome } from '../../src/query/run-query.ts';

const SILENT: Metrics = { count() {}, gauge() {}, observe() {} };

/** Moves by `stepMs` whenever it is read. */
class SteppingClock implements Clock {
  readonly #stepMs: number;
  #nowMs = 0;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  wallMicros(): number {
    return 0;
  }

  monotonicMs(): number {
    this.#nowMs += this.#stepMs;
    return this.#nowMs;
  }

  after(_delayMs: number, run: () => void): () => void {
    setImmediate(run);
    return () => {};
  }
}

interface Result {
  readonly kind: QueryOutcome['kind'];
  /** A count, or all items. */
  readonly contents: unknown;
  readonly last: IndexPosition | undefined;
}

interface World {
  readonly holds: QueryHolds;
  /** Runs a query and reads what comes of it to the end. */
  readonly run: (document: unknown, after?: IndexPosition) => Promise<Result>;
  /** Batches that were asked of the index. */
  readonly batchCount: () => number;
}

/** `pairs` in any order: all of them are in the index `i_bin`. */
function world(
  pairs: readonly IndexMatch[],
  { limits = {}, stepMs = 0 }: { limits?: Partial<QueryLimits>; stepMs?: number } = {},
): World {
  const sorted = [...pairs].sort((left, right) => (order(left) < order(right) ? -1 : 1));
  let batchCount = 0;
  const source: IndexSource = async function* (range) {
    const { from, to, after, limit = Infinity } = range;
    const found = sorted
      .filter(([term]) => term >= from && term <= to)
      .filter((pair) => after === undefined || order(pair) > order([after.term, after.key]))
      .slice(0, limit);
    for (let index = 0; index < found.length; index += 7) {
      batchCount += 1;
      yield found.slice(index, index + 7);
    }
  };
  const holds = new QueryHolds(
    { queriesMax: 1, heldMaxBytes: 1e6, heldInAllMaxBytes: 1e6, ...limits },
    SILENT,
  );
  const run = async (document: unknown, after?: IndexPosition): Promise<Result> => {
    const hold = holds.open();
    if (hold === undefined) throw new Error('another query is under way');
    try {
      const clock = new SteppingClock(stepMs);
      const ports = { source, hold, clock, onScanned() {} };
      const outcome = await runQuery(request(document), after, ports);
      const last = 'last' in outcome ? outcome.last : undefined;
      return { kind: outcome.kind, contents: await contentsOf(outcome), last };
    } finally {
      hold.release();
    }
  };
  return { holds, run, batchCount: () => batchCount };
}

function order([term, key]: IndexMatch): string {
  return `${term}\0${key}`;
}

function request(document: unknown): QueryRequest {
  const outcome = parseQueryRequest(document);
  if ('stage' in outcome) throw new Error(outcome.reason);
  return outcome;
}

async function contentsOf(outcome: QueryOutcome): Promise<unknown> {
  if (outcome.kind === 'count') return outcome.count;
  if (!('batches' in outcome)) return outcome.kind;
  const items: unknown[] = [];
  for await (const batch of outcome.batches) items.push(...batch);
  return items;
}

function single(
  accumulation: string,
  rest: Record<string, unknown> = {},
  range: Record<string, unknown> = {},
): unknown {
  return {
    accumulation_option: accumulation,
    query_list: [{ index_name: 'i_bin', start_term: '', end_term: '~', ...range }],
    ...rest,
  };
}

function pair(term: string, key: string): IndexMatch {
  return [term as ByteString, key as ByteString];
}

const PEOPLE = [
  pair('AFKAP|19580607', 'K1'),
  pair('EASTON|19590427', 'K2'),
  pair('PRINCE|19580607', 'K1'),
];
const BY_YEAR = {
  evaluation_expression: 'delim($term, "|", ($fn, $dob)) | index($dob, 0, 4, $yob)',
  filter_expression: '$yob IN ("1958", "1959")',
};

t.test('each accumulation makes of the matches what its name says', async (t) => {
  const { run } = world(PEOPLE);
  const results = async (accumulation: string, rest = {}): Promise<unknown> => {
    return (await run(single(accumulation, rest, BY_YEAR))).contents;
  };
  const byYear = { accumulation_term: '$yob' };
  t.same(await results('keys'), ['K1', 'K2']);
  t.same(await results('raw_keys'), ['K1', 'K2', 'K1']);
  t.same(await results('terms'), PEOPLE);
  t.same(await results('terms', byYear), [
    ['1958', 'K1'],
    ['1958', 'K1'],
    ['1959', 'K2'],
  ]);
  t.same(await results('raw_terms', byYear), [
    ['1958', 'K1'],
    ['1959', 'K2'],
    ['1958', 'K1'],
  ]);
  t.same(await results('count'), 2);
  t.same(await results('raw_count'), 3);
  t.same(await results('term_with_count', byYear), [
    ['1958', 1],
    ['1959', 1],
  ]);
  t.same(await results('term_with_rawcount', byYear), [
    ['1958', 2],
    ['1959', 1],
  ]);
  t.same(
    await results('term_with_count'),
    PEOPLE.map(([term]) => [term, 1]),
  );
  t.same(await results('raw_terms', { accumulation_term: 'none' }), []);
});

const pairs = fc.uniqueArray(
  fc.tuple(
    fc.string({ unit: fc.constantFrom('a', 'b', '|', '1'), maxLength: 4 }),
    fc.string({ unit: fc.constantFrom('1', '2', '3'), minLength: 1, maxLength: 2 }),
  ),
  { selector: ([term, key]) => `${term}\0${key}`, maxLength: 60 },
);

t.test('accumulations agree with their plain meaning', async (t) => {
  await fc.assert(
    fc.asyncProperty(pairs, fc.boolean(), async (entries, isOneTerm) => {
      const all = entries.map(([term, key]) => pair(term, key));
      const { run } = world(all);
      const range = isOneTerm
        ? { start_term: 'a', end_term: 'a' }
        : {
            evaluation_expression: 'delim($term, "|", ($group))',
            filter_expression: 'NOT contains($group, "1")',
          };
      const matches = all
        .filter(([term]) => (isOneTerm ? term === 'a' : !/^[^|]*1/.test(term)))
        .sort((left, right) => (order(left) < order(right) ? -1 : 1));
      const keys = matches.map(([, key]) => key);
      const result = async (accumulation: string, rest = {}): Promise<unknown> => {
        return (await run(single(accumulation, rest, range))).contents;
      };
      t.same(await result('keys'), [...new Set(keys)].sort());
      t.same(await result('raw_keys'), keys);
      t.same(await result('terms'), matches);
      t.same(await result('count'), new Set(keys).size);
      t.same(await result('raw_count'), keys.length);
      t.same(await result('term_with_rawcount'), counted(matches.map(([term]) => term)));
      if (isOneTerm) return;
      const groups = matches.map(([term, key]) => pair(term.split('|')[0] ?? '', key));
      const byGroup = { accumulation_term: 'group' };
      const sorted = [...groups].sort((left, right) => (order(left) < order(right) ? -1 : 1));
      t.same(await result('terms', byGroup), sorted);
      t.same(await result('term_with_rawcount', byGroup), counted(groups.map(([group]) => group)));
      const distinct = [...new Map(groups.map((one) => [order(one), one])).values()];
      t.same(await result('term_with_count', byGroup), counted(distinct.map(([group]) => group)));
    }),
    { numRuns: 100 },
  );
});

function counted(terms: readonly string[]): (readonly [string, number])[] {
  const countByTerm = new Map<string, number>();
  for (const term of terms) countByTerm.set(term, (countByTerm.get(term) ?? 0) + 1);
  return [...countByTerm].sort(([left], [right]) => (left < right ? -1 : 1));
}

t.test('combinations are those of sets', async (t) => {
  type Combined = {
    readonly text: string;
    readonly keys: (sets: readonly Set<string>[]) => Set<string>;
  };
  const { combined } = fc.letrec<{ combined: Combined }>((tie) => ({
    combined: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.nat({ max: 2 }).map((index): Combined => {
        return { text: `$${index + 1}`, keys: (sets) => new Set(sets[index]) };
      }),
      fc
        .tuple(fc.constantFrom('UNION', 'INTERSECT', 'SUBTRACT'), tie('combined'), tie('combined'))
        .map(([word, left, right]): Combined => {
          return {
            text: `(${left.text} ${word} ${right.text})`,
            keys: (sets) => {
              const one = left.keys(sets);
              const other = right.keys(sets);
              if (word === 'UNION') return new Set([...one, ...other]);
              return new Set([...one].filter((key) => other.has(key) === (word === 'INTERSECT')));
            },
          };
        }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(pairs, combined, async (entries, { text, keys }) => {
      const all = entries.map(([term, key]) => pair(term, key));
      const { run } = world(all);
      const ranges = [
        { start_term: '', end_term: 'a~' },
        { start_term: 'a|', end_term: 'b1' },
        { start_term: '1', end_term: '~', regular_expression: '[|b]' },
      ];
      const sets = ranges.map(({ start_term: from, end_term: to, regular_expression: regex }) => {
        const inRange = all.filter(([term]) => term >= from && term <= to);
        const matches = inRange.filter(([term]) => regex === undefined || /[|b]/.test(term));
        return new Set<string>(matches.map(([, key]) => key));
      });
      const document = (accumulation: string): unknown => ({
        accumulation_option: accumulation,
        aggregation_expression: text,
        query_list: ranges.map((range, index) => {
          return { aggregation_tag: index + 1, index_name: 'i_bin', ...range };
        }),
      });
      const expected = [...keys(sets)].sort();
      t.same((await run(document('keys'))).contents, expected, text);
      t.same((await run(document('raw_count'))).contents, expected.length, text);
    }),
    { numRuns: 200 },
  );
});

t.test('SUBTRACT binds before INTERSECT, and INTERSECT before UNION', async (t) => {
  const { run } = world([pair('1', 'a'), pair('1', 'b'), pair('2', 'b'), pair('3', 'b')]);
  const keys = async (expression: string): Promise<unknown> => {
    const tags = [1, 2, 3];
    const document = {
      aggregation_expression: expression,
      query_list: tags.map((tag) => {
        const term = `${tag}`;
        return { aggregation_tag: tag, index_name: 'i_bin', start_term: term, end_term: term };
      }),
    };
    return (await run(document)).contents;
  };
  t.same(await keys('$1 UNION $2 INTERSECT $3'), ['a', 'b']);
  t.same(await keys('($1 UNION $2) INTERSECT $3'), ['b']);
  t.same(await keys('$1 INTERSECT $2 SUBTRACT $3'), []);
  t.same(await keys('$1 SUBTRACT $2 SUBTRACT $3'), ['a', 'b']);
  t.same(await keys('($1 SUBTRACT $2) SUBTRACT $3'), ['a']);
});

t.test('a range that cannot matter is not read', async (t) => {
  const { run, batchCount } = world(PEOPLE);
  const document = {
    aggregation_expression: '$1 INTERSECT $2',
    query_list: [
      { aggregation_tag: 1, index_name: 'i_bin', start_term: 'X', end_term: 'Z' },
      { aggregation_tag: 2, index_name: 'i_bin', start_term: 'A', end_term: 'Z' },
    ],
  };
  t.same((await run(document)).contents, []);
  t.equal(batchCount(), 0);
});

t.test('pages come in index order, each from where the last one ended', async (t) => {
  await fc.assert(
    fc.asyncProperty(pairs, fc.integer({ min: 1, max: 9 }), async (entries, size) => {
      const all = entries.map(([term, key]) => pair(term, key));
      const { run } = world(all);
      const range = { regular_expression: '^[^1]*$' };
      const whole = (await run(single('raw_terms', {}, range))).contents;
      const read: unknown[] = [];
      let after: IndexPosition | undefined;
      do {
        const result = await run(single('terms', { max_results: size }, range), after);
        const page = result.contents as unknown[];
        if (page.length > size) throw new Error(`${page.length} of ${size}`);
        read.push(...page);
        after = result.last;
      } while (after !== undefined);
      t.same(read, whole);
    }),
    { numRuns: 100 },
  );
});

t.test('a page reads no further than it must', async (t) => {
  const many = Array.from({ length: 700 }, (_, index) => pair(`${1_000 + index}`, 'k'));
  const { run, batchCount } = world(many);
  await run(single('raw_keys', { max_results: 50 }, { regular_expression: '.' }));
  t.equal(batchCount(), 8);
});

t.test('many keys come sorted and once, in turns', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, index) => {
    return pair(`${index}`, `${(index * 7_919) % 10_007}`);
  });
  const { run } = world(many, { limits: { heldMaxBytes: 1e7, heldInAllMaxBytes: 1e7 }, stepMs: 1 });
  const keys = (await run(single('keys', { timeout: 3_600 }))).contents as string[];
  t.same(keys, [...new Set(many.map(([, key]) => key as string))].sort());
});

t.test('a query that would hold too much says so, and one that streams does not', async (t) => {
  const many = Array.from({ length: 500 }, (_, index) => pair(`${index}`, `key-${index}`));
  const { run, holds } = world(many, { limits: { heldMaxBytes: 10_000 } });
  const by = { evaluation_expression: 'index($term, 0, 1, $a)', filter_expression: '$a >= "0"' };
  const byAttribute = { accumulation_term: 'key' };
  t.equal((await run(single('keys'))).kind, 'too-large');
  t.equal((await run(single('count'))).kind, 'too-large');
  t.equal((await run(single('terms', byAttribute, by))).kind, 'too-large');
  t.equal((await run(single('term_with_count', byAttribute, by))).kind, 'too-large');
  t.equal((await run(single('term_with_rawcount', byAttribute, by))).kind, 'too-large');
  t.equal((await run(single('terms', { max_results: 400 }))).kind, 'too-large');
  t.equal((await run(single('terms', { max_results: 20 }))).kind, 'terms');
  t.equal((await run(single('raw_count'))).contents, 500);
  t.equal(holds.heldBytes, 0);
  t.equal(holds.queryCount, 0);
});

t.test('what all queries hold together is bounded, and so is their number', async (t) => {
  const limits = { queriesMax: 2, heldMaxBytes: 100_000, heldInAllMaxBytes: 100_000 };
  const holds = new QueryHolds(limits, SILENT);
  const first = holds.open();
  const second = holds.open();
  t.equal(holds.open(), undefined);
  t.equal(first?.take(60_000), undefined);
  t.equal(second?.take(60_000), 'overload');
  t.equal(first?.take(60_000), 'too-large');
  first?.release();
  first?.release();
  t.equal(second?.take(30_000), undefined);
  second?.release();
  t.equal(holds.heldBytes, 0);
  t.equal(holds.queryCount, 0);
  t.not(holds.open(), undefined);
});

t.test('intersections give back what they do not need', async (t) => {
  const many = Array.from({ length: 300 }, (_, index) => pair('a', `key-${1_000 + index}`));
  const few = [pair('b', 'key-1001'), pair('b', 'key-1002')];
  const { run } = world([...many, ...few], { limits: { heldMaxBytes: 35_000 } });
  const document = (expression: string): unknown => ({
    aggregation_expression: expression,
    query_list: ['a', 'b'].map((term, index) => {
      return { aggregation_tag: index + 1, index_name: 'i_bin', start_term: term, end_term: term };
    }),
  });
  t.same((await run(document('$2 INTERSECT $1'))).contents, ['key-1001', 'key-1002']);
  t.same((await run(document('$2 SUBTRACT $1'))).contents, []);
  // The range that is read once for both, and a part of it at a time.
  const roomier = world([...many, ...few], { limits: { heldMaxBytes: 70_000 } });
  const twice = '($1 INTERSECT $2) UNION ($1 INTERSECT $2)';
  t.same((await roomier.run(document(twice))).contents, ['key-1001', 'key-1002']);
});

t.test('a query ends when its time is up', async (t) => {
  const many = Array.from({ length: 500 }, (_, index) => pair(`${index}`, 'k'));
  const { run } = world(many, { stepMs: 100 });
  await t.rejects(run(single('raw_count', { timeout: 1 })), { code: 'timeout' });
  t.equal((await run(single('raw_count', { timeout: 60 }))).contents, 500);
});

t.test('the reader of a stream may take its time', async (t) => {
  const many = Array.from({ length: 70 }, (_, index) => pair(`${index}`, 'k'));
  let nowMs = 0;
  const clock: Clock = {
    wallMicros: () => 0,
    monotonicMs: () => nowMs,
    after: (_delayMs, run) => {
      setImmediate(run);
      return () => {};
    },
  };
  const hold = new QueryHolds(
    { queriesMax: 1, heldMaxBytes: 1, heldInAllMaxBytes: 1 },
    SILENT,
  ).open();
  if (hold === undefined) throw new Error('no hold');
  async function* source(): AsyncIterableIterator<readonly IndexMatch[]> {
    for (const one of many) yield [one];
  }
  const ports = { source, hold, clock, onScanned() {} };
  const outcome = await runQuery(request(single('raw_keys', { timeout: 1 })), undefined, ports);
  if (outcome.kind !== 'keys') throw new Error(outcome.kind);
  let count = 0;
  for await (const batch of outcome.batches) {
    count += batch.length;
    nowMs += 500;
  }
  t.equal(count, 70);
});

t.test('a query whose asker has gone goes no further', async (t) => {
  const holds = new QueryHolds(
    { queriesMax: 1, heldMaxBytes: 1e6, heldInAllMaxBytes: 1e6 },
    SILENT,
  );
  const hold = holds.open();
  if (hold === undefined) throw new Error('no hold');
  let batchCount = 0;
  async function* source(): AsyncIterableIterator<readonly IndexMatch[]> {
    for (;;) {
      batchCount += 1;
      if (batchCount === 3) hold?.release();
      yield [pair('a', 'k')];
    }
  }
  const ports = { source, hold, clock: new SteppingClock(0), onScanned() {} };
  const running = runQuery(request(single('count')), undefined, ports);
  await t.rejects(running, { code: 'closed' });
  t.equal(batchCount, 3);
});
