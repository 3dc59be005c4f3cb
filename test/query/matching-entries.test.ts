/**
 * Regular expressions over index terms of any length: others get their turn between terms, and what a
 * single one may cost is bounded.
 */

import t from 'tap';
import { queryIndex } from '../../src/api/pbc/handlers/index-handler.ts';
import { matchingEntries } from '../../src/query/matching-entries.ts';
import { compileTermRegex } from '../../src/query/term-regex.ts';
import { CountingClock } from '../counting-clock.ts';
import type { Session } from '../../src/api/pbc/handler.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Metrics } from '../../src/base/host.ts';
import type { IndexMatch } from '../../src/object/index-entries.ts';

const LONG = 'ab'.repeat(32 * 1024);

function entries(term: string, count: number): readonly IndexMatch[] {
  return Array.from({ length: count }, (_, index) => {
    return [term as ByteString, `k${index}` as ByteString];
  });
}

async function* batchesOf(...batches: (readonly IndexMatch[])[]) {
  yield* batches;
}

async function matching(expression: string, batch: readonly IndexMatch[]) {
  const compiled = compileTermRegex(expression as ByteString);
  if (!('regex' in compiled)) throw new Error(compiled.reason);
  const clock = new CountingClock();
  let count = 0;
  let overruns = 0;
  const metrics: Metrics = {
    count(name: string, by = 1) {
      if (name === 'expression_overruns_total') overruns += by;
    },
    gauge() {},
    observe() {},
  };
  const options = { clock, metrics, isWanted: () => true };
  for await (const some of matchingEntries(batchesOf(batch), compiled.regex, options)) {
    count += some.length;
  }
  return { count, turnCount: clock.turnCount, overruns };
}

t.test('long terms of one batch are looked at in turns, short ones together', async (t) => {
  t.same(await matching('a.b', entries(LONG, 100)), { count: 0, turnCount: 100, overruns: 0 });
  t.same(await matching('a.a', entries('abab', 100)), { count: 100, turnCount: 0, overruns: 0 });
});

t.test('a term that an expression would take too long over does not match', async (t) => {
  const dear = '(a[ab]{300}b|b[ab]{300}a|[ab]{300}$)';
  t.equal((await matching(dear, entries(LONG.slice(0, 1_000), 1))).count, 1);
  t.match(await matching(dear, entries(LONG, 3)), { count: 0, overruns: 3 });
  t.equal((await matching('b$', entries(LONG, 1))).count, 1);
});

const MESSAGE = {
  bucket: 'b' as ByteString,
  index: 'f_bin' as ByteString,
  qtype: 'range',
  range_min: 'a' as ByteString,
  range_max: 'z' as ByteString,
  term_regex: 'b$' as ByteString,
} as Parameters<typeof queryIndex>[0];

function sessionOf(node: object, clock: CountingClock, isWanted: () => boolean): Session {
  const metrics = { count() {} };
  const disabledJobs = new Set();
  const session = { node, clock, metrics, disabledJobs, isWanted, replySizeMaxBytes: 1e9 };
  return session as unknown as Session;
}

t.test('a query over Protocol Buffers gives way between long terms', async (t) => {
  const clock = new CountingClock();
  const node = {
    bucketTypeProperties: () => ({}),
    index: () => batchesOf(entries(LONG, 20)),
  };
  const session = sessionOf(node, clock, () => true);
  await queryIndex(MESSAGE, session);
  t.equal(clock.turnCount, 20);
});

t.test('a query that nobody waits for ends, though nothing matches', async (t) => {
  let readCount = 0;
  const node = {
    bucketTypeProperties: () => ({}),
    index: async function* () {
      for (; readCount < 1_000; readCount += 1) yield entries('a', 1);
    },
  };
  const session = sessionOf(node, new CountingClock(), () => readCount < 3);
  await t.rejects(queryIndex(MESSAGE, session) as Promise<unknown>, { code: 'closed' });
  t.equal(readCount, 3);
});
