/**
 * Runs of a day: what the generator keeps does not grow with the hours.
 */

import t from 'tap';
import { Recorder } from '../../bench/load/recorder.ts';
import { reportIntervalMs } from '../../bench/load/report-interval.ts';
import { Measurements } from '../../bench/report/measurements.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import { withOverrides } from '../../bench/workload/scaled.ts';
import type { Batch } from '../../bench/load/recorder.ts';
import type { Workload } from '../../bench/workload/workload.ts';

const HOUR_MS = 3_600_000;
const COST = { cpuMicros: 1, lagMaxMs: 1 };

function lasting(durationMs: number): Workload {
  return withOverrides(findWorkload('get-1k'), {
    scale: 1,
    durationMs,
    clients: undefined,
    rate: undefined,
    warmUpOperations: undefined,
  });
}

/** One for all: each has room for 65,536 samples. */
const recorder = new Recorder(() => t.fail('there is room'));

function batchWith(reason: string): Batch {
  recorder.record({
    series: 0,
    node: 0,
    outcome: 'ok',
    intendedMicros: 900,
    serviceMicros: 800,
  });
  recorder.countError(0, reason);
  return recorder.takeBatch();
}

t.test('the longer a run, the longer the intervals that it is told in', (t) => {
  t.equal(reportIntervalMs(lasting(30_000), undefined), 1_000);
  t.equal(reportIntervalMs(lasting(HOUR_MS), undefined), 10_000);
  t.equal(reportIntervalMs(lasting(24 * HOUR_MS), undefined), 60_000);
  t.equal(reportIntervalMs(lasting(720 * HOUR_MS), undefined), HOUR_MS);
  t.equal(reportIntervalMs(lasting(24 * HOUR_MS), '10s'), 10_000);
  t.throws(() => reportIntervalMs(lasting(24 * HOUR_MS), '1s'), /take 5s or more/);
  t.throws(() => reportIntervalMs(lasting(1_000), '1x'), /no duration/);
  t.end();
});

t.test('a day in intervals of a minute is a small report, however many errors there are', (t) => {
  const measurements = new Measurements([{ name: 'get', isPart: false }], 60_000);
  const loads = measurements.begin(
    { name: 'load', role: 'load', loop: 'closed', clients: 1, offeredPerSecond: undefined },
    0,
  );
  measurements.add({ phase: loads, batch: batchWith('slow'), cost: COST }, 500);
  measurements.end(loads, 1_000);
  const phase = measurements.begin(
    { name: 'closed', role: 'measure', loop: 'closed', clients: 1, offeredPerSecond: undefined },
    1_000,
  );
  let count = 0;
  for (let nowMs = 16_000; nowMs < 24 * HOUR_MS; nowMs += 15_000) {
    measurements.add({ phase, batch: batchWith(`reason ${count}`), cost: COST }, nowMs);
    count += 1;
  }
  measurements.end(phase, 24 * HOUR_MS);
  t.equal(measurements.timeline.length, 1_440);
  t.ok(JSON.stringify(measurements.timeline).length < 500_000);
  t.ok(measurements.errors.length <= 502, `${measurements.errors.length} reasons`);
  const told = measurements.errors.reduce((sum, error) => sum + error.count, 0);
  t.equal(told, count + 1, 'none is left out');
  const result = measurements.phases[phase]?.result([{ name: 'get', isPart: false }], ['one']);
  t.ok(JSON.stringify(result).length < 5_000, 'one histogram, whatever it holds');
  t.end();
});
