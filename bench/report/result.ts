/**
 * The result of a run, as `result.json` holds it.
 *
 * Latencies are HDR histograms in their common compressed form (base64), in microseconds, for each
 * phase, series and node; `intended` counts from when an operation was due, `service` from when it
 * was sent. They can be added over runs and machines.
 */

import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import type { Histogram } from 'hdr-histogram-js';
import type { SteadyState } from '../load/steady-state.ts';
import type { Verdict } from '../load/verify.ts';
import type { EventLoopDelays } from './event-loops.ts';
import type { Machine } from './machine.ts';

export const RESULT_FORMAT = 1;

export type PhaseRole = 'load' | 'warm-up' | 'steady' | 'measure' | 'fault' | 'recover' | 'verify';

export interface SeriesResult {
  readonly series: string;
  /** A request within an operation. */
  readonly isPart: boolean;
  readonly node: string;
  readonly ok: number;
  readonly errors: number;
  readonly conflicts: number;
  /** HDR histograms, compressed, base64; microseconds. */
  readonly intended: string;
  readonly service: string;
}

export interface PhaseResult {
  readonly name: string;
  readonly role: PhaseRole;
  readonly loop: 'closed' | 'open';
  readonly clients: number;
  /** Intended operations a second, where the loop is open. */
  readonly offeredPerSecond: number | undefined;
  /** Since the start of the run. */
  readonly startMs: number;
  readonly endMs: number;
  /** Operations that were due and never started. */
  readonly unstarted: number;
  /** Only of the phase that waits for it. */
  readonly steady?: SteadyState;
  readonly generator: {
    /** Cores that the worker processes used. */
    readonly cores: number;
    /** Those of the process that gathers what they tell; older results do not say. */
    readonly gatheringCores?: number;
    readonly lagMaxMs: number;
  };
  /** Of the nodes that tell; absent in results of older versions. */
  readonly eventLoops?: readonly EventLoopDelays[];
  readonly series: readonly SeriesResult[];
}

/** One series in one interval; latencies in microseconds, from when due. */
export interface IntervalSeries {
  readonly series: string;
  readonly ok: number;
  readonly errors: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Of two digits, compressed, base64; older results have none. */
  readonly histogram?: string;
}

export interface Interval {
  readonly startMs: number;
  readonly endMs: number;
  readonly phase: string;
  readonly series: readonly IntervalSeries[];
}

/** What a process used in an interval. */
export interface ResourceSample {
  readonly atMs: number;
  /** It is of the time so long before; older results do not say. */
  readonly lengthMs?: number;
  readonly process: string;
  readonly cores: number;
  readonly residentBytes: number;
  /** Of them, without pages of files, which the kernel may take back; older results do not say. */
  readonly ownBytes?: number;
  readonly writtenBytesPerSecond: number;
}

export interface Mark {
  readonly atMs: number;
  readonly label: string;
}

/** One of several generators that loaded a cluster together. */
export interface GeneratorShare {
  /** From 1. */
  readonly number: number;
  readonly of: number;
}

/** Of a result that several were merged into. */
export interface MergedGenerator {
  readonly name: string;
  readonly startedAt: string;
  readonly machine: Machine;
  readonly processes: number;
}

export interface RunResult {
  readonly format: typeof RESULT_FORMAT;
  readonly workload: string;
  readonly about: string;
  readonly target: string;
  readonly startedAt: string;
  readonly seed: number;
  readonly scale: number;
  readonly processes: number;
  readonly machine: Machine;
  /** Where there are others. */
  readonly generator?: GeneratorShare;
  readonly generators?: readonly MergedGenerator[];
  readonly phases: readonly PhaseResult[];
  readonly intervalMs: number;
  readonly timeline: readonly Interval[];
  readonly resources: readonly ResourceSample[];
  readonly marks: readonly Mark[];
  readonly errors: readonly {
    readonly series: string;
    readonly reason: string;
    readonly count: number;
  }[];
  /** Undefined where nothing was looked for. */
  readonly verdict: Verdict | undefined;
  /** Why the run ended before its end. */
  readonly brokenOff?: string;
}

/**
 * Whether it came to its end, and nothing acknowledged was lost: a write, or a delete that came undone. What
 * could not be read at the end may be.
 */
export function isSound({ verdict, brokenOff }: Pick<RunResult, 'verdict' | 'brokenOff'>): boolean {
  const wrong = verdict === undefined ? 0 : verdict.lost + verdict.returned + (verdict.unread ?? 0);
  return wrong === 0 && brokenOff === undefined;
}

const TRACKABLE_MICROS = 120_000_000;
/** Of the count of each latency: 32 would begin anew after four billion operations. */
const COUNT_BITS = 64;

/** An empty histogram of microseconds; 3 digits are exact to 0.1 %. */
export function newHistogram(digits: 2 | 3 = 3): Histogram {
  return build({
    highestTrackableValue: TRACKABLE_MICROS,
    numberOfSignificantValueDigits: digits,
    autoResize: true,
    bitBucketSize: COUNT_BITS,
  });
}

export function encodeHistogram(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

export function decodeHistogram(text: string): Histogram {
  return decodeFromCompressedBase64(text, COUNT_BITS, false);
}

/** Merged over nodes, or over whatever else the parts differ in. */
export function mergeHistograms(parts: readonly string[]): Histogram {
  const merged = newHistogram();
  for (const part of parts) merged.add(decodeHistogram(part));
  return merged;
}

/** What is kept of an interval. */
export function summarize(
  series: string,
  histogram: Histogram,
  counts: { readonly ok: number; readonly errors: number },
): IntervalSeries {
  const isEmpty = histogram.totalCount === 0;
  const at = (percentile: number): number =>
    isEmpty ? 0 : histogram.getValueAtPercentile(percentile);
  return {
    series,
    ...counts,
    min: at(0),
    mean: isEmpty ? 0 : histogram.mean,
    p50: at(50),
    p95: at(95),
    p99: at(99),
    p999: at(99.9),
    max: isEmpty ? 0 : histogram.maxValue,
    histogram: encodeHistogram(histogram),
  };
}

const COUNTED: ReadonlySet<PhaseRole> = new Set(['measure', 'fault', 'recover']);

export function isCounted(role: PhaseRole): boolean {
  return COUNTED.has(role);
}

/** Those whose figures a reader is after. */
export function countedPhases({ phases }: Pick<RunResult, 'phases'>): PhaseResult[] {
  return phases.filter(({ role }) => COUNTED.has(role));
}

/** Operations (parts apart) of a phase a second. */
export function phaseRate(phase: PhaseResult): number {
  const ok = phase.series.reduce((sum, one) => sum + (one.isPart ? 0 : one.ok), 0);
  return (1_000 * ok) / Math.max(1, phase.endMs - phase.startMs);
}

export interface SeriesTotal {
  readonly series: string;
  readonly isPart: boolean;
  readonly ok: number;
  readonly errors: number;
  readonly conflicts: number;
  readonly intended: Histogram;
  readonly service: Histogram;
}

/** The series of a phase, each over all nodes. */
export function seriesTotals(phase: PhaseResult): SeriesTotal[] {
  const names = [...new Set(phase.series.map(({ series }) => series))];
  return names.map((series) => {
    const parts = phase.series.filter((one) => one.series === series);
    const total = (field: 'ok' | 'errors' | 'conflicts'): number =>
      parts.reduce((sum, part) => sum + part[field], 0);
    return {
      series,
      isPart: parts[0]?.isPart ?? false,
      ok: total('ok'),
      errors: total('errors'),
      conflicts: total('conflicts'),
      intended: mergeHistograms(parts.map(({ intended }) => intended)),
      service: mergeHistograms(parts.map(({ service }) => service)),
    };
  });
}

/** All operations of a phase together, `all`, before each by itself; of one there is no sum. */
export function phaseTotals(phase: PhaseResult): SeriesTotal[] {
  const totals = seriesTotals(phase);
  const whole = totals.filter(({ isPart }) => !isPart);
  if (whole.length < 2) return totals;
  const all: SeriesTotal = {
    series: 'all',
    isPart: false,
    ok: whole.reduce((sum, { ok }) => sum + ok, 0),
    errors: whole.reduce((sum, { errors }) => sum + errors, 0),
    conflicts: whole.reduce((sum, { conflicts }) => sum + conflicts, 0),
    intended: newHistogram(),
    service: newHistogram(),
  };
  for (const { intended, service } of whole) {
    all.intended.add(intended);
    all.service.add(service);
  }
  return [all, ...totals];
}

/** Milliseconds at a percentile. */
export function percentileMs(histogram: Histogram, percentile: number): number {
  return histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile) / 1_000;
}

/** What the node processes of this machine used for each operation of a phase. */
export interface UsagePerOperation {
  readonly cpuMicros: number;
  readonly writtenBytes: number;
  /** Of one node, at most. */
  readonly residentBytes: number;
  readonly ownBytes: number | undefined;
}

/** Undefined where no node was seen, or nothing was done. */
export function phaseUsage(
  { resources }: Pick<RunResult, 'resources'>,
  phase: PhaseResult,
): UsagePerOperation | undefined {
  const within = resources.filter(({ atMs }) => atMs > phase.startMs && atMs <= phase.endMs);
  const perSecond = phaseRate(phase);
  if (within.length === 0 || perSecond === 0) return undefined;
  // The mean of each process over the time in which it was looked at, added up.
  const processes = [...new Set(within.map((sample) => sample.process))].map((name) =>
    within.filter((sample) => sample.process === name),
  );
  const total = (value: (sample: ResourceSample) => number): number =>
    processes.reduce((sum, samples) => sum + meanOverTime(samples, value), 0);
  return {
    cpuMicros: (1e6 * total(({ cores }) => cores)) / perSecond,
    writtenBytes: total(({ writtenBytesPerSecond }) => writtenBytesPerSecond) / perSecond,
    residentBytes: Math.max(...within.map(({ residentBytes }) => residentBytes)),
    ownBytes: most(within.flatMap(({ ownBytes }) => ownBytes ?? [])),
  };
}

function meanOverTime(
  samples: readonly ResourceSample[],
  value: (sample: ResourceSample) => number,
): number {
  const length = ({ lengthMs = 1 }: ResourceSample): number => lengthMs;
  const whole = samples.reduce((sum, sample) => sum + length(sample), 0);
  return samples.reduce((sum, sample) => sum + length(sample) * value(sample), 0) / whole;
}

function most(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.max(...values);
}

/** Resident memory and after the comma what of it is not pages of files, in MiB. */
export function memoryText({ residentBytes, ownBytes }: UsagePerOperation): string {
  return [residentBytes, ...(ownBytes === undefined ? [] : [ownBytes])]
    .map((bytes) => (bytes / 2 ** 20).toFixed(0))
    .join(', ');
}
