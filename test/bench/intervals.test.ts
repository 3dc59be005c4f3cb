/** The course of a run: what ended in which interval, whenever its process told. */

import t from 'tap';
import { Recorder } from '../../bench/load/recorder.ts';
import { Measurements } from '../../bench/report/measurements.ts';
import type { Batch } from '../../bench/load/recorder.ts';

const SERIES = [{ name: 'read', isPart: false }];
const COST = { cpuMicros: 1_000, lagMaxMs: 3 };
const START = {
  name: 'open 60%',
  role: 'measure',
  loop: 'open',
  clients: 4,
  offeredPerSecond: 1_000,
} as const;

/** One read at each of the times, taken from the process at `takenMs` of its clock. */
function batchAt(timesMs: readonly number[], takenMs: number): Batch {
  let nowMs = timesMs[0] ?? takenMs;
  const clock = { nowMs: () => nowMs, wait: () => Promise.resolve() };
  const recorder = new Recorder(() => t.fail('there is room'), clock);
  for (const atMs of timesMs) {
    nowMs = atMs;
    recorder.record({ series: 0, node: 0, outcome: 'ok', intendedMicros: 9, serviceMicros: 9 });
  }
  nowMs = takenMs;
  return recorder.takeBatch();
}

t.test('an interval has what ended in it, whenever its process told', (t) => {
  const measurements = new Measurements(SERIES, 1_000);
  const phase = measurements.begin(START, 1_700);
  const add = (batch: Batch, nowMs: number) => {
    measurements.add({ phase, batch, cost: COST }, nowMs);
  };
  // The clocks of processes differ. What the second tells last ended before what the first has told.
  add(batchAt([100, 900, 990], 1_010), 2_710);
  add(batchAt([50_999, 51_001, 51_100], 51_150), 2_850);
  // A process that told nothing for two seconds had the processor taken away.
  add(batchAt([1_020, 2_999, 3_200], 3_300), 5_000);
  measurements.end(phase, 5_010);
  add(batchAt([], 0), 5_300);
  measurements.begin(START, 5_400);
  t.same(
    measurements.timeline.map(({ startMs, endMs, series }) => [startMs, endMs, series[0]?.ok]),
    [
      [1_700, 2_700, 4],
      [2_700, 3_700, 3],
      [3_700, 5_010, 2],
    ],
    'and a rest at the end is no interval of its own',
  );
  t.end();
});

t.test('an interval in which nothing ended is there, and empty', (t) => {
  const measurements = new Measurements(SERIES, 1_000);
  const phase = measurements.begin(START, 0);
  measurements.add({ phase, batch: batchAt([100], 250), cost: COST }, 250);
  measurements.add({ phase, batch: batchAt([], 0), cost: COST }, 2_900);
  measurements.add({ phase, batch: batchAt([50], 100), cost: COST }, 3_700);
  measurements.end(phase, 3_800);
  t.same(
    measurements.timeline.map(({ startMs, endMs, series }) => [startMs, endMs, series[0]?.ok ?? 0]),
    [
      [0, 1_000, 1],
      [1_000, 2_000, 0],
      [2_000, 3_000, 0],
      [3_000, 3_800, 1],
    ],
  );
  t.end();
});
