/**
 * basho_bench's files, column for column, so that its plots and scripts go on working: `summary.csv`,
 * one `<operation>_latencies.csv` each, `errors.csv`. Latencies are in microseconds.
 *
 * As there, latencies are of operations that ended well. They count from when an operation was due,
 * which in a closed loop is when it was sent, as basho_bench has it. What comes before anything counts is left
 * out: basho_bench has no warm-up, and its scripts add up all rows.
 */

import { countedPhases } from './result.ts';
import type { Interval, IntervalSeries, RunResult } from './result.ts';

const SUMMARY_HEADING = 'elapsed, window, total, successful, failed';
const LATENCIES_HEADING = 'elapsed, window, n, min, mean, median, 95th, 99th, 99_9th, max, errors';

/** Texts by file name. */
export function bashoFiles(result: RunResult): Map<string, string> {
  const files = new Map<string, string>();
  const counted = new Set(countedPhases(result).map(({ name }) => name));
  const timeline = result.timeline.filter(({ phase }) => counted.has(phase));
  files.set('summary.csv', lines([SUMMARY_HEADING, ...timeline.map(summaryLine)]));
  const names = new Set(timeline.flatMap(({ series }) => series.map((one) => one.series)));
  for (const name of names) {
    const rows = timeline.map((interval) => latencyLine(interval, name));
    const label = name.replace(/[^0-9A-Za-z]/g, '-');
    files.set(`${label}_latencies.csv`, lines([LATENCIES_HEADING, ...rows]));
  }
  const errors = result.errors.map(
    ({ series, reason, count }) => `"${series}: ${reason.replaceAll('"', "'")}","${count}"`,
  );
  files.set('errors.csv', lines(['"error","count"', ...errors]));
  return files;
}

function summaryLine(interval: Interval): string {
  const whole = interval.series.filter(({ series }) => !series.includes('.'));
  const ok = whole.reduce((sum, one) => sum + one.ok, 0);
  const failed = whole.reduce((sum, one) => sum + one.errors, 0);
  return [...timeColumns(interval), ok + failed, ok, failed].join(', ');
}

function latencyLine(interval: Interval, name: string): string {
  const one = interval.series.find(({ series }) => series === name);
  return [...timeColumns(interval), ...latencyColumns(one)].join(', ');
}

function timeColumns({ startMs, endMs }: Interval): string[] {
  return [(endMs / 1_000).toFixed(6), ((endMs - startMs) / 1_000).toFixed(6)];
}

function latencyColumns(one: IntervalSeries | undefined): (string | number)[] {
  if (one === undefined || one.ok === 0) return [0, 0, 0, 0, 0, 0, 0, 0, one?.errors ?? 0];
  const { ok, min, mean, p50, p95, p99, p999, max, errors } = one;
  return [ok, min, mean.toFixed(1), p50, p95, p99, p999, max, errors];
}

function lines(texts: readonly string[]): string {
  return `${texts.join('\n')}\n`;
}
