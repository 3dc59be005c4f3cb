/**
 * A steady rate: when it is one, and with which loop it is waited for.
 */

import t from 'tap';
import { orderOf, plannedLoops } from '../../bench/load/phases.ts';
import { RateWindows } from '../../bench/load/steady-state.ts';
import { steadyText } from '../../bench/report/terminal.ts';
import { parseWorkload } from '../../bench/workload/workload.ts';
import type { PhaseResult } from '../../bench/report/result.ts';

const SPEC = { atMostMs: 10_000, windowMs: 1_000, windows: 3, within: 0.1 };

function windowsOf(rates: readonly number[]): RateWindows {
  const windows = new RateWindows(SPEC);
  for (const rate of rates) windows.add(rate);
  return windows;
}

const BASIS = { bestPerSecond: 0, generators: 1 };

t.test('a rate is steady when its last windows are near each other', (t) => {
  t.notOk(windowsOf([100, 100]).isSteady, 'too few');
  t.notOk(windowsOf([50, 100, 100]).isSteady, 'it still rises');
  t.ok(windowsOf([50, 97, 100, 104]).isSteady, 'what was before does not count');
  t.notOk(windowsOf([90, 100, 110]).isSteady);
  t.notOk(windowsOf([0, 0, 0]).isSteady, 'nothing is no rate');
  t.end();
});

t.test('the report says whether it was reached, and by how much not', (t) => {
  const phase = { startMs: 0, endMs: 10_000 } as PhaseResult;
  const textOf = (rates: readonly number[]) =>
    steadyText({ ...phase, steady: windowsOf(rates).outcome() });
  t.match(textOf([97, 100, 103]), /^steady after 10 s: .* 3 windows of 1 s differ by 6 %$/);
  t.match(textOf([50, 100, 150]), /^not steady within 10 s: .* by 100 %, more than 10 %/);
  t.equal(steadyText(phase), '');
  t.end();
});

const WORKLOAD = `
workload: small
buckets:
  one: { bucket: things }
keys:
  keys: { kind: shared, bucket: one, count: 10 }
operations:
  read: { op: get, keys: keys }
warm_up: { operations: 1000, at_most: 30s }
`;

t.test('before a loop at a rate the target gets that rate and no more', (t) => {
  const limited = `${WORKLOAD}measure: [{ loop: open, rate: 200/s, to: 900/s, clients: 7 }]\n`;
  const [warmUp, steady, measured] = plannedLoops(parseWorkload('small.yml', limited));
  t.match(orderOf(warmUp!, BASIS, 1), {
    loop: 'open',
    clients: 7,
    durationMs: 5_000,
    pieces: [{ fromPerSecond: 200, toPerSecond: 200 }],
  });
  t.match(orderOf(steady!, BASIS, 1), { loop: 'open', durationMs: 1_000 });
  t.match(orderOf(measured!, BASIS, 1), { pieces: [{ fromPerSecond: 200, toPerSecond: 900 }] });
  t.end();
});

t.test('before a closed loop it is asked as fast as it answers', (t) => {
  const text = `${WORKLOAD}measure: [{ loop: closed, clients: 9 }, { loop: open, rate: 60% }]\n`;
  const loops = plannedLoops(parseWorkload('small.yml', text));
  t.same(
    loops.map(({ role }) => role),
    ['warm-up', 'steady', 'measure', 'measure'],
  );
  t.match(orderOf(loops[0]!, BASIS, 2), { loop: 'closed', clients: 9, operationsMax: 500 });
  const without = plannedLoops(parseWorkload('small.yml', `${text}steady: { at_most: 0s }\n`));
  t.notOk(without.some(({ role }) => role === 'steady'));
  t.end();
});
