/**
 * Distributions by seed: shares and means, with room for chance.
 */

import t from 'tap';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { eightyTwenty, makeChooser } from '../../bench/workload/choosers.ts';
import { makeTerms } from '../../bench/workload/index-terms.ts';
import { OwnedKeys, QueueKeys, SharedKeys, clientKeyName } from '../../bench/workload/key-sets.ts';
import { phash2 } from '../../bench/workload/phash2.ts';
import { ValueSource, valueSize } from '../../bench/workload/values.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import type { ValueSpec } from '../../bench/workload/workload.ts';

const DRAWS = 40_000;
const OPTIONS = { theta: 0.99, hot_share: 0.001, hot_use: 0.5 };

function shareBelow(limit: number, draw: () => number): number {
  let count = 0;
  for (let index = 0; index < DRAWS; index += 1) if (draw() < limit) count += 1;
  return count / DRAWS;
}

t.test("the spine's hot set is that of the driver's code: 91, 55 and 19 per cent", (t) => {
  const random = new SeededRandom(1);
  const draw = () => eightyTwenty(random, 100_000) - 1;
  for (const [share, use] of [
    [0.2, 0.91],
    [0.05, 0.55],
    [0.01, 0.19],
  ] as const) {
    const seen = shareBelow(share * 100_000, draw);
    t.ok(Math.abs(seen - use) < 0.02, `${share} of the keys get ${seen}`);
  }
  t.end();
});

t.test('the hot set stays within its keys, however few there are', (t) => {
  const random = new SeededRandom(2);
  for (let count = 1; count <= 50; count += 1) {
    for (let draw = 0; draw < 200; draw += 1) {
      const key = eightyTwenty(random, count);
      if (key < 1 || key > count) t.fail(`${key} of ${count}`);
    }
  }
  t.end();
});

t.test('popular keys stay popular while the set grows, as in YCSB', (t) => {
  const random = new SeededRandom(4);
  const choose = makeChooser('zipfian', OPTIONS);
  const uses = new Map<number, number>();
  let count = 10_000;
  for (let draw = 0; draw < DRAWS; draw += 1) {
    if (draw % 20 === 0) count += 1;
    const key = choose(random, count);
    if (key < 0 || key >= count) t.fail(`${key} of ${count}`);
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  const most = [...uses.values()].sort((left, right) => right - left);
  const shareOf = (keys: number): number =>
    most.slice(0, keys).reduce((sum, use) => sum + use, 0) / DRAWS;
  // Of 10,000 ranks the first has 10 % and the first hundred 53 %.
  t.ok(shareOf(1) > 0.07, `the first has ${shareOf(1)}`);
  t.ok(shareOf(100) > 0.45, `the first hundred have ${shareOf(100)}`);
  t.end();
});

t.test('every chooser stays within its keys', (t) => {
  const names = [
    'uniform',
    'zipfian',
    'latest',
    'hot_spot',
    'eighty_twenty',
    'pareto',
    'sequential',
  ];
  for (const name of names) {
    const choose = makeChooser(name as 'uniform', OPTIONS);
    const random = new SeededRandom(3);
    for (const count of [1, 2, 3, 1_000]) {
      for (let draw = 0; draw < 2_000; draw += 1) {
        const key = choose(random, count);
        if (!(key >= 0 && key < count)) t.fail(`${name}: ${key} of ${count}`);
      }
    }
  }
  t.end();
});

t.test('zipfian keys are as popular as their rank says', (t) => {
  const choose = makeChooser('latest', OPTIONS);
  const random = new SeededRandom(4);
  const counts = new Map<number, number>();
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const rank = 999 - choose(random, 1_000);
    counts.set(rank, (counts.get(rank) ?? 0) + 1);
  }
  const zeta = Array.from({ length: 1_000 }, (_, index) => (index + 1) ** -0.99).reduce(
    (a, b) => a + b,
  );
  for (const rank of [0, 1]) {
    const expected = (DRAWS * (rank + 1) ** -0.99) / zeta;
    const seen = counts.get(rank) ?? 0;
    t.ok(Math.abs(seen / expected - 1) < 0.1, `rank ${rank}: ${seen} for ${expected.toFixed(0)}`);
  }
  t.end();
});

t.test('a thousandth of the keys gets half of the operations where it is hot', (t) => {
  const choose = makeChooser('hot_spot', OPTIONS);
  const random = new SeededRandom(5);
  const seen = shareBelow(10, () => choose(random, 10_000));
  t.ok(Math.abs(seen - 0.5) < 0.02, String(seen));
  t.end();
});

t.test('records of the spine have the mean sizes of the profiles', (t) => {
  const means = { general: 22_800, nhs: 14_400, clinicals: 110_000, passive: 28_000 } as const;
  for (const [name, mean] of Object.entries(means)) {
    const spec = findWorkload(name).values['record'] as ValueSpec;
    const random = new SeededRandom(6);
    let sum = 0;
    for (let draw = 0; draw < DRAWS; draw += 1) sum += valueSize(random, spec);
    t.ok(Math.abs(sum / DRAWS / mean - 1) < 0.03, `${name}: ${(sum / DRAWS).toFixed(0)}`);
  }
  t.end();
});

t.test('the same seed makes the same values', (t) => {
  const spec = findWorkload('general').values['record'] as ValueSpec;
  const make = () => new ValueSource(7).make(new SeededRandom(8), spec);
  t.ok(make().equals(make()));
  t.end();
});

t.test("phash2 gives Erlang's numbers", (t) => {
  // As Erlang's own test suite has them, cut to 27 bits.
  t.equal(phash2(0), 3_175_731_469 % 2 ** 27);
  t.equal(phash2(1), 539_485_162 % 2 ** 27);
  t.end();
});

t.test('a client that owns too few keys reads none of them, and grows', (t) => {
  const keys = new OwnedKeys(3, { most: 100, least: 5, order: 'key_order' });
  const random = new SeededRandom(9);
  for (keys.count = 0; keys.count <= 5; keys.count += 1) t.equal(keys.existing(random), undefined);
  t.type(keys.existing(random), 'number');
  let grown = 0;
  keys.count = 80;
  for (let draw = 0; draw < 10_000; draw += 1) if (keys.toUpdate(random) === undefined) grown += 1;
  t.ok(Math.abs(grown / 10_000 - 0.2) < 0.02, `${grown} of 10,000 grow the set`);
  t.end();
});

t.test('a queue gives back what it was given, the oldest first', (t) => {
  const queue = new QueueKeys(0, 'key_order');
  const random = new SeededRandom(10);
  t.equal(queue.takeOldest(), undefined);
  const given = Array.from({ length: 4 }, () => {
    const number = queue.next();
    queue.confirm();
    return number;
  });
  for (let draw = 0; draw < 100; draw += 1) {
    const { number, isCertain } = queue.existing(random);
    if (isCertain !== given.includes(number)) t.fail(`${number} is certain or not`);
  }
  t.equal(queue.takeOldest(), given[1]);
  t.equal(clientKeyName(given[0] as number).length, 18);
  t.end();
});

t.test('processes write different keys of a shared set and read the same', (t) => {
  const workload = findWorkload('ycsb-a');
  const spec = workload.keys['users'];
  if (spec?.kind !== 'shared') return t.fail('ycsb has a shared set');
  const random = new SeededRandom(11);
  for (const index of [0, 1, 2]) {
    const keys = new SharedKeys(spec, { index, count: 3 });
    for (let draw = 0; draw < 1_000; draw += 1) {
      const number = keys.own(random);
      if (number % 3 !== index || number >= spec.count) t.fail(`${number} is not of ${index}`);
    }
    t.equal(keys.numberOfOwn(keys.nameOf(3 + index)), 3 + index);
    t.equal(keys.numberOfOwn(keys.nameOf(4 + index)), undefined);
  }
  t.end();
});

t.test('a record of the spine has up to six postcode terms, on average three and a half', (t) => {
  const random = new SeededRandom(12);
  let postcodes = 0;
  for (let draw = 0; draw < 10_000; draw += 1) {
    const terms = makeTerms('spine_record', random, { postcodes: 6, nowMs: 0 });
    postcodes += terms.filter(({ field }) => field === 'postcode_bin').length;
    if (draw === 0) {
      t.match(terms.at(-2)?.term, /^(19|20)\d{6}\|.{6}$/);
      t.equal(terms.at(-1)?.term, '1970-01-01T00:00:00');
      t.match(terms[0]?.term, /^[A-Z]{1,2}\d{1,2}\|.{6}$/);
    }
  }
  t.ok(Math.abs(postcodes / 10_000 - 3.5) < 0.1);
  t.end();
});
