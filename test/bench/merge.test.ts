/**
 * Several generators of one cluster: their shares of a load, and their results as one.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { awaitBegin, parseBegin, parseGenerator } from '../../bench/load/generators.ts';
import { orderOf, plannedLoops, startOf } from '../../bench/load/phases.ts';
import { Recorder } from '../../bench/load/recorder.ts';
import { mergeCommand, mergeNotes } from '../../bench/merge-command.ts';
import { overridden, processesFor } from '../../bench/run-command.ts';
import { Measurements } from '../../bench/report/measurements.ts';
import { mergeResults } from '../../bench/report/merge-results.ts';
import { htmlReport } from '../../bench/report/html.ts';
import { percentileMs, phaseRate, seriesTotals } from '../../bench/report/result.ts';
import { readResult, writeReport } from '../../bench/report/write-report.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import { parseWorkload } from '../../bench/workload/workload.ts';
import type { GeneratorShare, PhaseResult, RunResult } from '../../bench/report/result.ts';

const SERIES = [
  { name: 'read', isPart: false },
  { name: 'write', isPart: false },
];
const START = { name: 'closed', role: 'measure', loop: 'closed', clients: 4 } as const;
const ORIGIN_MS = Date.parse('2026-11-24T12:00:00.000Z');
const MACHINE = {
  cpu: 'a cpu',
  cores: 2,
  memoryBytes: 2 ** 30,
  kernel: 'a kernel',
  fileSystem: 'ext4',
  node: 'v20',
  commit: 'abc',
  loadBefore: 0,
};

/** Of four seconds: `perSecond` reads of `micros` in each, and one write that fails. */
function resultOf(
  generator: GeneratorShare | undefined,
  { atMs, perSecond, micros }: { atMs: number; perSecond: number; micros: number },
): RunResult {
  const measurements = new Measurements(SERIES, 1_000);
  const phase = measurements.begin({ ...START, offeredPerSecond: undefined }, 100);
  for (let second = 0; second < 4; second += 1) {
    const recorder = new Recorder(() => t.fail('there is room'));
    for (let index = 0; index < perSecond; index += 1) {
      const [intendedMicros, serviceMicros] = [micros, micros];
      recorder.record({ series: 0, node: index % 2, outcome: 'ok', intendedMicros, serviceMicros });
    }
    if (second === 0) {
      recorder.record({
        series: 1,
        node: 0,
        outcome: 'error',
        intendedMicros: 9,
        serviceMicros: 9,
      });
      recorder.countError(1, 'timeout');
    }
    const cost = { cpuMicros: 1_000, lagMaxMs: second };
    measurements.add({ phase, batch: recorder.takeBatch(), cost }, 600 + 1_000 * second);
  }
  measurements.end(phase, 4_100);
  return {
    format: 1,
    workload: 'small',
    about: 'small things',
    target: 'pb://a:1,b:1',
    startedAt: new Date(ORIGIN_MS + atMs).toISOString(),
    seed: 1,
    scale: 1,
    processes: 2,
    machine: MACHINE,
    ...(generator && { generator }),
    phases: measurements.phases.map((one) => one.result(SERIES, ['a:1', 'b:1'])),
    intervalMs: 1_000,
    timeline: measurements.timeline,
    resources: [
      { atMs: 500, process: 'a', cores: 0.5, residentBytes: 1, writtenBytesPerSecond: 0 },
    ],
    marks: [{ atMs: 700, label: `kill of ${generator?.number}` }],
    errors: measurements.errors,
    verdict: {
      acknowledged: 5,
      followed: 4,
      lost: generator?.number === 2 ? 1 : 0,
      unknown: 1,
      returned: 0,
      unanswered: 2,
      keysRead: 5,
      unread: 0,
    },
  };
}

const FIRST = resultOf({ number: 1, of: 2 }, { atMs: 0, perSecond: 100, micros: 1_000 });
const SECOND = resultOf({ number: 2, of: 2 }, { atMs: 500, perSecond: 300, micros: 9_000 });
const BOTH = [
  { name: 'one', result: FIRST },
  { name: 'two', result: SECOND },
];

t.test('counts and histograms of a phase are added, and not averaged', (t) => {
  const merged = mergeResults(BOTH);
  const [phase] = merged.phases as [PhaseResult];
  t.match(phase, { startMs: 100, endMs: 4_600, clients: 8, unstarted: 0 });
  t.equal(phaseRate(phase), 1_600 / 4.5);
  const [reads, writes] = seriesTotals(phase);
  t.match(reads, { series: 'read', ok: 1_600, errors: 0 });
  t.match(writes, { series: 'write', ok: 0, errors: 2 });
  // A quarter of all took 1 ms, the rest 9 ms: no mean of percentiles has both.
  for (const [at, ms] of [
    [25, 1],
    [26, 9],
    [99, 9],
  ] as const) {
    t.ok(Math.abs(percentileMs(reads!.service, at) / ms - 1) < 0.002, `p${at}`);
  }
  t.equal(phase.series.length, 3, 'each series of each node once');
  t.match(phase.generator, { lagMaxMs: 3 });
  const cores = FIRST.phases[0]!.generator.cores + SECOND.phases[0]!.generator.cores;
  t.equal(phase.generator.cores, cores);
  t.same(merged.errors, [{ series: 'write', reason: 'timeout', count: 2 }]);
  t.match(merged.verdict, { acknowledged: 10, followed: 8, lost: 1, unknown: 2, unanswered: 4 });
  t.match(merged, { processes: 4, startedAt: FIRST.startedAt, target: 'pb://a:1,b:1' });
  t.same(
    merged.marks.map(({ atMs, label }) => [atMs, label]),
    [
      [700, 'kill of 1'],
      [1_200, 'kill of 2'],
    ],
  );
  t.equal(merged.resources.length, 1, 'a process that both have watched is one');
  t.end();
});

t.test('rates are added second by second of the wall clock', (t) => {
  const { timeline, phases } = mergeResults(BOTH);
  t.equal(timeline[0]?.startMs, phases[0]?.startMs);
  t.equal(timeline.at(-1)?.endMs, phases[0]?.endMs);
  const reads = timeline.map(
    ({ series }) => series.find(({ series: name }) => name === 'read')?.ok,
  );
  // The second began half a second after the first, and went on for as long.
  t.same(reads.slice(0, 4), [250, 400, 400, 400]);
  const all = reads.reduce<number>((sum, ok) => sum + (ok ?? 0), 0);
  t.equal(all, 1_600, 'none is lost or counted twice');
  for (const { series } of timeline.slice(1, 3)) {
    const [read] = series;
    t.ok(Math.abs((read?.p50 ?? 0) / 9_000 - 1) < 0.02, 'of all that ended then');
    t.ok(Math.abs((read?.min ?? 0) / 1_000 - 1) < 0.02);
  }
  t.end();
});

t.test('what does not belong together is not merged', (t) => {
  const refuse = (other: RunResult, message: RegExp): void => {
    const named = [
      { name: 'one', result: FIRST },
      { name: 'two', result: other },
    ];
    t.throws(() => mergeResults(named), { code: 'config', message }, String(message));
  };
  refuse(
    { ...SECOND, workload: 'large' },
    /one and two do not belong .* workload small, and large$/,
  );
  refuse({ ...SECOND, target: 'http://a:2' }, /do not belong together: API pb, and http$/);
  refuse({ ...SECOND, scale: 2 }, /scale 1, and 2$/);
  refuse({ ...SECOND, intervalMs: 10_000 }, /interval 1 s, and 10 s$/);
  refuse({ ...SECOND, generator: { number: 2, of: 3 } }, /number of generators 2, and 3$/);
  refuse({ ...SECOND, processes: 3 }, /worker processes of a generator 2, and 3$/);
  refuse({ ...SECOND, generator: { number: 1, of: 2 } }, /one and two are both of generator 1$/);
  refuse({ ...SECOND, phases: [] }, /phases closed \(closed\), and $/);
  const later = resultOf({ number: 2, of: 2 }, { atMs: 9_000, perSecond: 1, micros: 1 });
  refuse(later, /closed was not done at once: one had ended it 5\.0 s before two began$/);
  const timeline = SECOND.timeline.map((interval) => ({
    ...interval,
    series: interval.series.map(({ histogram: _histogram, ...one }) => one),
  }));
  refuse({ ...SECOND, timeline }, /two is of an older version/);
  const alone = resultOf(undefined, { atMs: 0, perSecond: 1, micros: 1 });
  const twice = [1, 2].map((name) => ({ name: `${name}`, result: alone }));
  t.throws(() => mergeResults(twice), { code: 'config', message: /1 and 2 are one result/ });
  t.throws(() => mergeResults(BOTH.slice(1)), { code: 'config', message: /two results or more/ });
  t.end();
});

t.test('a merge is a report, and says what its reader should know', (t) => {
  const folder = t.testdir();
  const paths = ['one', 'two'].map((name) => join(folder, name));
  writeReport(FIRST, paths[0] as string);
  writeReport(SECOND, paths[1] as string);
  const exitCode = process.exitCode;
  mergeCommand(paths, join(folder, 'out'));
  t.equal(process.exitCode, 1, 'a write was lost');
  process.exitCode = exitCode;
  const merged = readResult(join(folder, 'out'));
  t.match(merged.phases[0], { clients: 8 });
  t.match(htmlReport(merged), new RegExp(`${paths[1]}</p><table>`), 'each machine');
  rmSync(folder, { recursive: true });
  t.same(mergeNotes(BOTH, mergeResults(BOTH)), ['closed: all at once for 3.5 of 4.5 s']);
  const third = { ...FIRST, generator: { number: 3, of: 3 }, verdict: undefined };
  const two = { ...SECOND, generator: { number: 2, of: 3 } };
  const some = [
    { name: 'a', result: third },
    { name: 'b', result: two },
  ];
  const notes = mergeNotes(some, mergeResults(some));
  t.match(notes, [/^2 of 3 generators/, /^not looked for what was written by a$/, /^closed/]);
  t.equal(mergeResults(some).verdict, undefined);
  const apart = [FIRST, SECOND].map(({ generator: _generator, ...result }, name) => {
    return { name: `${name}`, result };
  });
  t.match(mergeNotes(apart, mergeResults(apart)), [/^they were run without --generator/, /./]);
  const brokenOff = 'the run was interrupted';
  const broken = [BOTH[0]!, { name: 'two', result: { ...SECOND, brokenOff } }];
  t.equal(mergeResults(broken).brokenOff, `two: ${brokenOff}`);
  t.end();
});

t.test('a generator takes its share of clients and rates', async (t) => {
  t.same(parseGenerator('2/3'), { number: 2, of: 3 });
  for (const text of ['0/2', '3/2', '2', '1/9999', 'a/b']) {
    t.throws(() => parseGenerator(text), { code: 'config', message: /of the form 2\/3/ }, text);
  }
  const workload = parseWorkload(
    'shares.yml',
    `
workload: shares
clients: 8
buckets: { b: { bucket: b } }
keys: { k: { kind: shared, bucket: b, count: 1 } }
operations: { get: { op: get, keys: k } }
warm_up: { operations: 0 }
steady: { at_most: 0s }
measure:
  - { loop: closed, duration: 1s }
  - { loop: open, rate: 900/s, duration: 1s }
  - { loop: open, rate: 50%, duration: 1s }
`,
  );
  const [, open, share] = plannedLoops(workload);
  const basis = { bestPerSecond: 1_000, generators: 3 };
  t.match(startOf(open!, basis), { name: 'open 900/s', offeredPerSecond: 300 });
  t.match(orderOf(open!, basis, 2), { pieces: [{ fromPerSecond: 150, toPerSecond: 150 }] });
  t.match(startOf(share!, basis), { offeredPerSecond: 500 }, 'half of its own best');
  t.equal(processesFor(workload, 8, 2), 4, 'each process of each has a client');
  t.throws(() => processesFor(workload, 1, 9), { message: /8 clients are too few for 9/ });
  const options = {
    basePort: 24_000,
    scale: 1,
    seed: 1,
    timeout: '10s',
    load: true,
    verify: true,
    verifyKeys: 1,
    patience: '30s',
    repeat: 1,
    generator: '1/2',
  };
  t.ok(overridden(findWorkload('get-1k'), options));
  const started = { ...options, start: 3 };
  const message = /--generator is for a cluster that others load too/;
  t.throws(() => overridden(findWorkload('get-1k'), started), { code: 'config', message });
});

t.test('loops begin when those of the others do', async (t) => {
  const text = '2026-11-24T12:00:00Z';
  t.equal(parseBegin(text, ORIGIN_MS - 1), ORIGIN_MS);
  t.throws(() => parseBegin(text, ORIGIN_MS + 1), { message: /is over$/ });
  t.throws(() => parseBegin(text, ORIGIN_MS - 86_400_001), { message: /more than a day ahead$/ });
  for (const wrong of ['12:00', '2026-11-24', '2026-13-24T12:00:00Z', '2026-11-24T12:00:00']) {
    t.throws(() => parseBegin(wrong, ORIGIN_MS), { message: /is no time like/ }, wrong);
  }
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  const { signal } = new AbortController();
  const atMs = Date.now() + 20;
  await awaitBegin(atMs, { signal, say });
  t.ok(Date.now() >= atMs - 1);
  t.same(said, []);
  await awaitBegin(Date.now() - 60_000, { signal, say });
  t.match(said, [/^the load was over 60\.\d s after --begin/]);
  const stopped = awaitBegin(Date.now() + 3_600_000, { signal: AbortSignal.abort(), say });
  await t.rejects(stopped, { code: 'closed' });
});
