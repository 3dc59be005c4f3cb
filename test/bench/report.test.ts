/**
 * Reports: what the processes saw comes together, and the files say it in their forms.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HistogramLogReader } from 'hdr-histogram-js';
import t from 'tap';
import { compareRuns, doubtsOf, findRegressions } from '../../bench/compare-command.ts';
import { Recorder, samplesOf } from '../../bench/load/recorder.ts';
import { bashoFiles } from '../../bench/report/basho-csv.ts';
import { delaysBetween, eventLoopRows } from '../../bench/report/event-loops.ts';
import { longestText, parseReading } from '../../bench/report/event-loops.ts';
import { htmlReport } from '../../bench/report/html.ts';
import { lineChart } from '../../bench/report/line-chart.ts';
import { Measurements } from '../../bench/report/measurements.ts';
import { compareMeans, isSignificant } from '../../bench/report/statistics.ts';
import {
  decodeHistogram,
  encodeHistogram,
  memoryText,
  percentileMs,
} from '../../bench/report/result.ts';
import {
  isSound,
  mergeHistograms,
  newHistogram,
  phaseRate,
  phaseUsage,
} from '../../bench/report/result.ts';
import { phaseTotals, seriesTotals } from '../../bench/report/result.ts';
import { summaryTable, verdictText } from '../../bench/report/terminal.ts';
import { readResult, writeReport } from '../../bench/report/write-report.ts';
import type { Histogram } from 'hdr-histogram-js';
import type { Batch } from '../../bench/load/recorder.ts';
import type { RunResult } from '../../bench/report/result.ts';

const SERIES = [
  { name: 'read', isPart: false },
  { name: 'update', isPart: false },
  { name: 'update.get', isPart: true },
];
const COST = { cpuMicros: 1_000, lagMaxMs: 3 };
const START = {
  name: 'open 60%',
  role: 'measure',
  loop: 'open',
  clients: 4,
  offeredPerSecond: 1_000,
} as const;

/** So many reads of 1, 2, … ms, due half as long before they were sent. */
function batchOf(count: number, by = 1): Batch {
  const recorder = new Recorder(() => t.fail('there is room'));
  for (let index = 1; index <= count; index += by) {
    const serviceMicros = 1_000 * index;
    const sample = {
      series: 0,
      node: index % 2,
      serviceMicros,
      intendedMicros: 1.5 * serviceMicros,
    };
    recorder.record({ ...sample, outcome: 'ok' });
  }
  recorder.record({ series: 1, node: 0, outcome: 'error', intendedMicros: 9, serviceMicros: 9 });
  recorder.record({ series: 2, node: 0, outcome: 'ok', intendedMicros: 9, serviceMicros: 9 });
  recorder.countError(1, 'timeout');
  return recorder.takeBatch();
}

function measured(batches: readonly Batch[]): Measurements {
  const measurements = new Measurements(SERIES, 1_000);
  const phase = measurements.begin(START, 100);
  for (const [index, batch] of batches.entries()) {
    measurements.add({ phase, batch, cost: COST }, 200 + 600 * index);
  }
  measurements.end(phase, 2_100);
  return measurements;
}

function resultOf(measurements: Measurements): RunResult {
  return {
    format: 1,
    workload: 'small',
    about: 'what <b>this</b> is',
    target: 'null',
    startedAt: '2026-11-22T10:00:00.000Z',
    seed: 1,
    scale: 1,
    processes: 2,
    machine: {
      cpu: 'a cpu',
      cores: 2,
      memoryBytes: 2 ** 30,
      kernel: 'a kernel',
      fileSystem: 'ext4',
      node: 'v20',
      commit: 'abc',
      loadBefore: 0,
    },
    phases: measurements.phases.map((phase) => phase.result(SERIES, ['one', 'two'])),
    intervalMs: 1_000,
    timeline: measurements.timeline,
    resources: [
      { atMs: 500, process: 'one', cores: 0.5, residentBytes: 2 ** 27, writtenBytesPerSecond: 0 },
      { atMs: 1_500, process: 'one', cores: 0.7, residentBytes: 2 ** 27, writtenBytesPerSecond: 9 },
    ],
    marks: [{ atMs: 700, label: 'kill <one>' }],
    errors: measurements.errors,
    verdict: {
      acknowledged: 5,
      followed: 5,
      lost: 0,
      unknown: 0,
      returned: 0,
      unanswered: 0,
      keysRead: 5,
    },
  };
}

t.test('a sample keeps what it was', (t) => {
  const samples = [...samplesOf(batchOf(2))];
  t.match(samples[0], {
    series: 0,
    node: 1,
    outcome: 'ok',
    intendedMicros: 1_500,
    serviceMicros: 1_000,
  });
  t.match(samples[2], { series: 1, outcome: 'error' });
  t.end();
});

t.test('a full batch leaves early', (t) => {
  let taken = 0;
  const recorder: Recorder = new Recorder(() => {
    taken += [...samplesOf(recorder.takeBatch())].length;
  });
  const sample = {
    series: 0,
    node: 0,
    outcome: 'ok',
    intendedMicros: 1,
    serviceMicros: 1,
  } as const;
  for (let index = 0; index < 100_000; index += 1) recorder.record(sample);
  taken += [...samplesOf(recorder.takeBatch())].length;
  t.equal(taken, 100_000);
  t.end();
});

t.test('two processes come to the same histogram as one', (t) => {
  const together = resultOf(measured([batchOf(1_000)]));
  const apart = resultOf(measured([batchOf(999, 2), shifted(batchOf(999, 2))]));
  const [one] = seriesTotals(together.phases[0] as RunResult['phases'][number]);
  const [two] = seriesTotals(apart.phases[0] as RunResult['phases'][number]);
  t.equal(one?.ok, 1_000);
  t.equal(two?.ok, 1_000);
  for (const at of [0, 50, 90, 99, 99.9, 100]) {
    t.equal(percentileMs(one!.intended, at), percentileMs(two!.intended, at), `p${at}`);
    t.equal(percentileMs(one!.service, at), percentileMs(two!.service, at), `p${at}`);
  }
  t.ok(Math.abs(percentileMs(one!.service, 50) / 500 - 1) < 0.002);
  t.ok(Math.abs(percentileMs(one!.intended, 50) / 750 - 1) < 0.002);
  t.end();
});

/** Odd milliseconds become even ones. */
function shifted(batch: Batch): Batch {
  const samples = batch.samples.slice();
  for (let at = 0; at < samples.length; at += 4) {
    if ((samples[at]! & 0xff) !== 0) continue;
    samples[at + 1]! += 1_500;
    samples[at + 2]! += 1_000;
  }
  return { ...batch, samples };
}

t.test('parts of operations, errors and other phases are not counted as operations', (t) => {
  const { phases, errors } = resultOf(measured([batchOf(100)]));
  const [phase] = phases;
  t.equal(phaseRate(phase!), 50);
  t.match(errors, [{ series: 'update', reason: 'timeout', count: 1 }]);
  t.match(phase?.generator, { lagMaxMs: 3 });
  t.end();
});

t.test('all operations of a phase are a row of their own, without their parts', (t) => {
  const [phase] = resultOf(measured([batchOf(100)])).phases;
  const [all, read] = phaseTotals(phase!);
  t.match(all, { series: 'all', ok: 100, errors: 1 });
  t.equal(all?.intended.totalCount, read?.intended.totalCount);
  const one = { ...phase!, series: phase!.series.filter(({ series }) => series === 'read') };
  t.same(
    phaseTotals(one).map(({ series }) => series),
    ['read'],
  );
  t.end();
});

t.test('what nodes use is divided by the operations', (t) => {
  const result = resultOf(measured([batchOf(100)]));
  const [phase] = result.phases;
  // 0.6 cores on average for 50 operations a second.
  t.equal(Math.round(phaseUsage(result, phase!)?.cpuMicros ?? 0), 12_000);
  t.equal(phaseUsage(result, phase!)?.residentBytes, 2 ** 27);
  const own = result.resources.map((sample, at) => ({ ...sample, ownBytes: 2 ** (25 - at) }));
  const texts = [result.resources, own].map((resources) =>
    memoryText(phaseUsage({ resources }, phase!)!),
  );
  t.same(texts, ['128', '128, 32'], 'an older result does not say what was its own');
  t.equal(phaseUsage({ resources: [] }, phase!), undefined);
  t.end();
});

t.test('a short look at a process counts for as long as it was', (t) => {
  const result = resultOf(measured([batchOf(100)]));
  const sample = { process: 'one', residentBytes: 1, writtenBytesPerSecond: 0 };
  const resources = [
    { ...sample, atMs: 1_900, lengthMs: 1_800, cores: 0.5 },
    { ...sample, atMs: 2_100, lengthMs: 200, cores: 1 },
    // One process looked at oftener than the other is still one.
    { ...sample, process: 'two', atMs: 2_100, lengthMs: 2_000, cores: 0.25 },
    // Before the phase, and after it.
    { ...sample, atMs: 100, lengthMs: 100, cores: 9 },
    { ...sample, atMs: 2_101, lengthMs: 1, cores: 9 },
  ];
  const usage = phaseUsage({ resources }, result.phases[0]!);
  // 0.55 and 0.25 cores for 50 operations a second.
  t.equal(Math.round(usage?.cpuMicros ?? 0), 16_000);
  t.end();
});

t.test('a run is sound if all that was acknowledged held, deletes too', (t) => {
  const result = resultOf(measured([batchOf(1)]));
  const { verdict } = result;
  if (verdict === undefined) throw new Error('it has a verdict');
  t.ok(isSound(result));
  t.ok(isSound({ verdict: undefined }));
  for (const wrong of [{ lost: 1 }, { returned: 1 }]) {
    const unsound = { ...result, verdict: { ...verdict, ...wrong } };
    t.notOk(isSound(unsound));
    t.match(htmlReport(unsound), /<p class="bad">[01] of 5 acknowledged writes lost/);
  }
  t.notOk(isSound({ ...result, brokenOff: 'somebody' }));
  const unread = { ...result, verdict: { ...verdict, unknown: 3, unread: 2 } };
  t.notOk(isSound(unread), 'what was not looked at is not known to be there');
  t.match(
    verdictText(unread),
    /0 of 5 acknowledged writes lost, 3 unknown; 2 keys could not be read/,
  );
  t.end();
});

t.test('what was due and never started stands beside the latencies that it has none of', (t) => {
  const measurements = measured([batchOf(100)]);
  const [phase] = measurements.phases;
  if (phase === undefined) throw new Error('there is a phase');
  phase.unstarted = 4_711;
  const result = resultOf(measurements);
  t.match(summaryTable(result), /never started\n.*\n.* all .* 4711/);
  t.match(htmlReport(result), /<td>all<\/td>.*?<td>4711<\/td>/);
  t.end();
});

t.test('a report is complete, and reads back', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-report-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const result = resultOf(measured([batchOf(100), batchOf(100), batchOf(50)]));
  writeReport(result, folder);
  t.same(readResult(folder), JSON.parse(JSON.stringify(result)));

  const html = readFileSync(join(folder, 'report.html'), 'utf8');
  t.notMatch(html, /<b>this|kill <one>/, 'texts are escaped');
  t.notMatch(html, /<script|https?:\/\//, 'it needs nothing else');
  t.notMatch(html, /NaN|Infinity|undefined/);
  t.ok((html.match(/<svg/g) ?? []).length >= 8, 'charts');
  t.match(html, /0 of 5 acknowledged writes lost, 0 unknown/);
  for (const tag of ['table', 'svg', 'figure', 'tr', 'g']) {
    const opened = html.match(new RegExp(`<${tag}[ >]`, 'g'))?.length;
    t.equal(html.match(new RegExp(`</${tag}>`, 'g'))?.length, opened, tag);
  }
  t.end();
});

t.test('marks and names of a plot do not stand on each other', (t) => {
  const line = (name: string) => ({ name, points: [[0, 1] as const, [10, 2] as const] });
  const chart = lineChart({
    title: 'plot',
    lines: ['alwaysget_updatewith2i.get', 'alwaysget_updatewith2i.put', 'c'].map(line),
    marks: [4, 4.1, 9.9].map((at) => ({ at, label: 'kill dev2@127.0.0.1' })),
    xText: String,
    yText: String,
  });
  const places = [...chart.matchAll(/<text x="([\d.]+)" y="(\d+)">(.*?)<\/text>/g)].map(
    ([, x, y, text]) => ({ x: Number(x), y: Number(y), text: text ?? '' }),
  );
  t.equal(places.length, 6);
  for (const [index, one] of places.entries()) {
    t.ok(one.x + 5 * one.text.length < 960, 'within the plot');
    for (const other of places.slice(index + 1)) {
      const isApart = one.x + 5 * one.text.length < other.x || other.x < one.x;
      t.ok(one.y !== other.y || isApart, `${one.text} and ${other.text}`);
    }
  }
  t.end();
});

t.test('a line has a gap where nothing was seen, and a point by itself is a dot', (t) => {
  const points = [0, 1, 2, 8, 14, 15].map((x) => [x, 1] as const);
  const options = { title: '', lines: [{ name: '', points }], xText: String, yText: String };
  const chart = lineChart({ ...options, gap: 3 });
  t.equal(chart.match(/<polyline/g)?.length, 2);
  t.equal(chart.match(/<circle/g)?.length, 1);
  t.end();
});

t.test("basho_bench's files have its columns", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-report-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeReport(resultOf(measured([batchOf(100), batchOf(100), batchOf(50)])), folder);
  const linesOf = (name: string) => readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const summary = linesOf('summary.csv');
  t.equal(summary[0], 'elapsed, window, total, successful, failed');
  t.match(summary[1], /^1\.100000, 1\.000000, 202, 200, 2$/);
  const latencies = linesOf('read_latencies.csv');
  t.equal(latencies[0], 'elapsed, window, n, min, mean, median, 95th, 99th, 99_9th, max, errors');
  t.equal(latencies[1]?.split(', ').length, 11);
  t.equal(linesOf('errors.csv')[1], '"update: timeout","3"');
  t.ok(linesOf('update-get_latencies.csv').length > 1);
  t.end();
});

t.test("what is done before anything counts is not in basho_bench's files", (t) => {
  const measurements = new Measurements(SERIES, 1_000);
  for (const [number, role] of (['warm-up', 'steady', 'measure', 'recover'] as const).entries()) {
    const phase = measurements.begin({ ...START, name: role, role }, 1_000 * number);
    measurements.add({ phase, batch: batchOf(10), cost: COST }, 1_000 * number + 500);
    measurements.end(phase, 1_000 * number + 1_000);
  }
  const files = bashoFiles(resultOf(measurements));
  const elapsed = (name: string) =>
    (files.get(name) ?? '')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[0]);
  t.same(elapsed('summary.csv'), ['3.000000', '4.000000']);
  t.same(elapsed('read_latencies.csv'), ['3.000000', '4.000000']);
  t.end();
});

t.test('the HDR log reads back with the same counts', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-report-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const result = resultOf(measured([batchOf(100)]));
  writeReport(result, folder);
  const reader = new HistogramLogReader(readFileSync(join(folder, 'latencies.hlog'), 'utf8'));
  let total = 0;
  for (
    let next = reader.nextIntervalHistogram();
    next !== null;
    next = reader.nextIntervalHistogram()
  ) {
    total += (next as { totalCount: number }).totalCount;
  }
  const expected = result.phases.flatMap(({ series }) => series);
  t.equal(
    total,
    expected.reduce((sum, one) => sum + decodeHistogram(one.intended).totalCount, 0),
  );
  t.end();
});

t.test('a difference counts only beyond what repeated runs vary', (t) => {
  const clear = compareMeans([100, 101, 99], [120, 121, 119]);
  t.ok(Math.abs(clear.change - 0.2) < 1e-9);
  t.ok(isSignificant(clear));
  // Welch: the standard error is sqrt(2/3), four degrees of freedom, t = 2.776.
  t.ok(Math.abs((clear.margin ?? 0) - 0.02267) < 1e-4, String(clear.margin));
  t.notOk(isSignificant(compareMeans([100, 140, 60], [120, 80, 160])));
  t.equal(compareMeans([100], [120]).margin, undefined);
  t.end();
});

t.test('a regression is what is worse beyond the share and its interval', (t) => {
  const runs = (counts: readonly number[]) =>
    counts.map((count) => resultOf(measured([batchOf(count)])));
  const before = runs([200, 202]);
  t.same(findRegressions(before, runs([201, 203]), 0.1), []);
  t.same(findRegressions(before, runs([150, 152]), 0.1), ['open 60%, read: ok/s']);
  t.same(findRegressions(before, runs([150, 152]), 0.3), [], 'within the share');
  t.same(findRegressions(before, runs([20, 280]), 0.1), [], 'too uncertain');
  t.ok(findRegressions(before, runs([300, 302]), 0.1).includes('open 60%, read: p99 ms'));
  t.throws(() => findRegressions(before, runs([150]), 0.1), /make at least two/);
  t.end();
});

t.test('a run that was broken off is no side of a judgement', (t) => {
  const whole = resultOf(measured([batchOf(100)]));
  const broken = { ...whole, brokenOff: 'a worker process of the load has died' };
  t.throws(() => findRegressions([whole, whole], [whole, broken], 0.1), {
    code: 'config',
    message: /was broken off: a worker process/,
  });
  t.same(findRegressions([whole, whole], [whole, whole], 0.1), []);
  t.end();
});

t.test('runs are compared phase by phase', (t) => {
  const before = [batchOf(100), batchOf(110)].map((batch) => resultOf(measured([batch])));
  const after = [batchOf(300), batchOf(310)].map((batch) => resultOf(measured([batch])));
  const text = compareRuns(before, after);
  t.match(text, /open 60%, read: ok\/s +52\.50 +152\.50 +\+190\.5 % .*better/);
  t.match(text, /open 60%, read: p99 ms .*worse/);
  t.end();
});

t.test('what runs got wrong is compared too, and a difference of settings is told', (t) => {
  const whole = resultOf(measured([batchOf(100)]));
  const failing = withErrors(whole, 100);
  const text = compareRuns([whole, whole], [failing, withErrors(whole, 102)]);
  t.match(text, /open 60%, read: errors % +0\.00 +50\.25 .*worse/);
  t.same(findRegressions([whole, whole], [failing, failing], 0.1), ['open 60%, read: errors %']);
  t.notMatch(compareRuns([whole, whole], [whole, whole]), /read: errors/, 'where there were none');
  t.same(doubtsOf([whole], [whole]), []);
  const lossy = { ...whole, scale: 0.1, verdict: { ...whole.verdict!, lost: 2 } };
  t.same(doubtsOf([whole], [lossy]), [
    'not alike: scale 1 before, 0.1 after',
    `of the run of ${whole.startedAt}: 2 of 5 acknowledged writes lost, 0 unknown`,
  ]);
  t.end();
});

function withErrors(result: RunResult, errors: number): RunResult {
  const [phase, ...others] = result.phases;
  const series = phase!.series.map((one, index) => (index === 0 ? { ...one, errors } : one));
  return { ...result, phases: [{ ...phase!, series }, ...others] };
}

const EARLIER = `vertebra_process_start_time_seconds 100
vertebra_event_loop_delays_total{from_ms="0"} 1000
vertebra_event_loop_delays_total{from_ms="50"} 2
vertebra_event_loop_delays_total{from_ms="75"} 0
`;
const LATER = EARLIER.replace('1000', '3000').replace(' 2\n', ' 5\n');
const withOwn = (text: string, all: number, stalls: number): string =>
  `${text}vertebra_event_loop_own_delays_total{from_ms="0"} ${all}
vertebra_event_loop_own_delays_total{from_ms="50"} ${stalls}
`;

t.test('how late event loops were in a phase is the difference of two readings', (t) => {
  const before = parseReading(EARLIER)!;
  const after = parseReading(LATER)!;
  const delays = delaysBetween('one', before, after);
  t.same(delays.counts, [
    [0, 2_000],
    [50, 3],
    [75, 0],
  ]);
  t.equal(longestText(delays.counts), '50 to 75');
  const [phase] = resultOf(measured([batchOf(10)])).phases;
  const [row] = eventLoopRows([{ ...phase!, eventLoops: [delays] }]);
  // Three of 2,000 are more than a thousandth.
  t.same(row?.slice(0, 8), ['open 60%', 'one', '2000', '50 to 75', '50 to 75', '3', '3', '3']);
  t.same(row?.slice(-2), ['', ''], 'a system may not tell which of them were its own');
  const telling = delaysBetween(
    'one',
    parseReading(withOwn(EARLIER, 900, 1))!,
    parseReading(withOwn(LATER, 2_900, 2))!,
  );
  const [toldRow] = eventLoopRows([{ ...phase!, eventLoops: [telling] }]);
  t.same(toldRow?.slice(-2), ['50 or more', '1']);
  const again = parseReading(LATER.replace('seconds 100', 'seconds 160'))!;
  t.match(delaysBetween('one', before, again), { isRestarted: true, counts: [[0, 3_000]] });
  t.equal(parseReading('<html>not found</html>'), undefined);
  t.end();
});

t.test('a latency that was met more than 2^32 times is counted', (t) => {
  for (const digits of [2, 3] as const) {
    const near = (histogram: Histogram, percentile: number): boolean =>
      Math.abs(histogram.getValueAtPercentile(percentile) / 1_000 - 1) < 0.01;
    const histogram = newHistogram(digits);
    histogram.recordValueWithCount(1_000, 2 ** 32 - 1);
    histogram.recordValue(1_000);
    histogram.recordValue(5);
    t.ok(near(histogram, 50), 'it has not become none');
    t.equal(histogram.totalCount, 2 ** 32 + 1);
    const read = decodeHistogram(encodeHistogram(histogram));
    t.ok(near(read, 50), 'nor when it is read');
    const merged = mergeHistograms([encodeHistogram(read), encodeHistogram(read)]);
    t.ok(near(merged, 1), 'nor by adding');
    t.equal(merged.totalCount, 2 ** 33 + 2);
  }
  t.end();
});
