/**
 * Where the samples of all worker processes come together: histograms for each phase, series and
 * node, and the course of the run in intervals.
 *
 * Adding is all that is ever done, so the number of processes makes no difference. Of an interval
 * only a summary is kept once it is over, so a long run stays small.
 */

import { BATCH_INTERVAL_MS } from '../load/messages.ts';
import { samplesOf } from '../load/recorder.ts';
import { encodeHistogram, isCounted, newHistogram, summarize } from './result.ts';
import type { Histogram } from 'hdr-histogram-js';
import type { OwnCost } from '../load/messages.ts';
import type { Batch, Sample } from '../load/recorder.ts';
import type { SteadyState } from '../load/steady-state.ts';
import type { Series } from '../load/series.ts';
import type { EventLoopDelays } from './event-loops.ts';
import type { Interval, PhaseResult, PhaseRole, SeriesResult } from './result.ts';

interface Tally {
  readonly intended: Histogram;
  readonly service: Histogram;
  ok: number;
  errors: number;
  conflicts: number;
}

interface SeriesInInterval {
  histogram: Histogram;
  ok: number;
  errors: number;
}

interface OpenInterval {
  readonly startMs: number;
  readonly bySeries: Map<number, SeriesInInterval>;
}

/** Intervals of the phase that is under way and may still get samples, in order. */
interface OpenIntervals {
  readonly phase: Phase;
  readonly intervals: OpenInterval[];
}

/** What a process tells is a batch old, and the processor may have kept it waiting. */
const LATE_MS = 2 * BATCH_INTERVAL_MS;

const UNTOLD: ReadonlySet<PhaseRole> = new Set(['load', 'verify']);
/** Of each series; texts of errors come from servers. */
const REASONS_MAX = 500;

export interface PhaseStart {
  readonly name: string;
  readonly role: PhaseRole;
  readonly loop: 'closed' | 'open';
  readonly clients: number;
  readonly offeredPerSecond: number | undefined;
}

export class Phase {
  readonly start: PhaseStart;
  readonly startMs: number;
  endMs = 0;
  unstarted = 0;
  cpuMicros = 0;
  lagMaxMs = 0;
  gatheringMicros = 0;
  eventLoops: readonly EventLoopDelays[] = [];
  steady: SteadyState | undefined;
  readonly #tallies = new Map<number, Tally>();

  constructor(start: PhaseStart, startMs: number) {
    this.start = start;
    this.startMs = startMs;
  }

  add({ series, node, outcome, intendedMicros, serviceMicros }: Sample): void {
    const key = series * 4_096 + node;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      tally = { intended: newHistogram(), service: newHistogram(), ok: 0, errors: 0, conflicts: 0 };
      this.#tallies.set(key, tally);
    }
    if (outcome === 'error') {
      tally.errors += 1;
      return;
    }
    if (outcome === 'conflict') tally.conflicts += 1;
    else tally.ok += 1;
    tally.intended.recordValue(intendedMicros);
    tally.service.recordValue(serviceMicros);
  }

  /** Operations that ended well so far. */
  okCount(series: readonly Series[]): number {
    let sum = 0;
    for (const [key, { ok }] of this.#tallies) {
      if (series[Math.floor(key / 4_096)]?.isPart === false) sum += ok;
    }
    return sum;
  }

  result(series: readonly Series[], nodes: readonly string[]): PhaseResult {
    const seconds = Math.max(0.001, (this.endMs - this.startMs) / 1_000);
    return {
      ...this.start,
      startMs: this.startMs,
      endMs: this.endMs,
      unstarted: this.unstarted,
      generator: {
        cores: this.cpuMicros / 1e6 / seconds,
        gatheringCores: this.gatheringMicros / 1e6 / seconds,
        lagMaxMs: this.lagMaxMs,
      },
      eventLoops: this.eventLoops,
      ...(this.steady === undefined ? {} : { steady: this.steady }),
      series: [...this.#tallies]
        .sort(([left], [right]) => left - right)
        .map(([key, tally]) => seriesResult(key, tally, { series, nodes })),
    };
  }
}

export class Measurements {
  readonly phases: Phase[] = [];
  readonly timeline: Interval[] = [];
  readonly #series: readonly Series[];
  readonly #intervalMs: number;
  readonly #errors = new Map<string, { series: string; reason: string; count: number }>();
  #open: OpenIntervals | undefined;

  constructor(series: readonly Series[], intervalMs: number) {
    this.#series = series;
    this.#intervalMs = intervalMs;
  }

  begin(start: PhaseStart, nowMs: number): number {
    this.phases.push(new Phase(start, nowMs));
    return this.phases.length - 1;
  }

  end(phase: number, nowMs: number): Phase {
    const ended = this.phases[phase] as Phase;
    ended.endMs = nowMs;
    if (this.#open?.phase === ended) this.#closeAll(this.#open.intervals, ended);
    return ended;
  }

  /** Ends what is under way. False: nothing that counts has been measured. */
  breakOff(nowMs: number): boolean {
    for (const [number, { endMs }] of this.phases.entries()) {
      if (endMs === 0) this.end(number, nowMs);
    }
    return this.phases.some((phase) => {
      return isCounted(phase.start.role) && phase.okCount(this.#series) > 0;
    });
  }

  add(
    report: { readonly phase: number; readonly batch: Batch; readonly cost: OwnCost },
    nowMs: number,
  ): void {
    const phase = this.phases[report.phase];
    if (phase === undefined) return;
    phase.cpuMicros += report.cost.cpuMicros;
    phase.lagMaxMs = Math.max(phase.lagMaxMs, report.cost.lagMaxMs);
    // Neither loads nor verifying have operations; of what has ended only costs are still told.
    const isTold = phase.endMs === 0 && !UNTOLD.has(phase.start.role);
    const intervals = isTold ? this.#openUntil(nowMs, phase) : undefined;
    for (const sample of samplesOf(report.batch)) {
      phase.add(sample);
      if (intervals === undefined) continue;
      const interval = this.#intervalAt(intervals, nowMs - sample.ageMicros / 1_000);
      if (interval !== undefined) addToInterval(interval, sample);
    }
    if (intervals !== undefined) this.#closePast(intervals, phase, nowMs);
    for (const [series, reason, count] of report.batch.errors)
      this.#countError(series, reason, count);
  }

  /** The last that has ended, if it is of this phase. */
  lastInterval(phase: string): Interval | undefined {
    const last = this.timeline.at(-1);
    return last?.phase === phase ? last : undefined;
  }

  get errors(): { series: string; reason: string; count: number }[] {
    return [...this.#errors.values()].sort((left, right) => right.count - left.count);
  }

  #countError(series: number, reason: string, count: number): void {
    const name = this.#series[series]?.name ?? '';
    const hasRoom = this.#errors.size < REASONS_MAX || this.#errors.has(`${name} ${reason}`);
    const told = hasRoom ? reason : 'other reasons';
    const known = this.#errors.get(`${name} ${told}`);
    if (known !== undefined) known.count += count;
    else this.#errors.set(`${name} ${told}`, { series: name, reason: told, count });
  }

  /** Intervals begin with their phase; one in which nothing ended is there too. */
  #openUntil(nowMs: number, phase: Phase): OpenInterval[] {
    if (this.#open?.phase !== phase) this.#open = { phase, intervals: [] };
    const { intervals } = this.#open;
    const lastToldMs = this.timeline.at(-1)?.endMs ?? 0;
    let nextMs = Math.max(phase.startMs, lastToldMs);
    const last = intervals.at(-1);
    if (last !== undefined) nextMs = last.startMs + this.#intervalMs;
    for (; nextMs <= nowMs; nextMs += this.#intervalMs) {
      intervals.push({ startMs: nextMs, bySeries: new Map() });
    }
    return intervals;
  }

  /** What comes too late is counted in the oldest that is open. */
  #intervalAt(intervals: readonly OpenInterval[], atMs: number): OpenInterval | undefined {
    const firstMs = intervals[0]?.startMs ?? 0;
    const index = Math.max(0, Math.floor((atMs - firstMs) / this.#intervalMs));
    return intervals[Math.min(index, intervals.length - 1)];
  }

  /** The one before the last waits for half an interval: a short rest at the end becomes part of it. */
  #closePast(intervals: OpenInterval[], { start }: Phase, nowMs: number): void {
    const lateMs = Math.max(LATE_MS, this.#intervalMs / 2);
    for (let first = intervals[0]; first !== undefined; first = intervals[0]) {
      const endMs = first.startMs + this.#intervalMs;
      if (endMs + lateMs > nowMs) return;
      intervals.shift();
      this.#close(first, start.name, endMs);
    }
  }

  #closeAll(intervals: OpenInterval[], { start, endMs }: Phase): void {
    this.#open = undefined;
    const last = intervals.at(-1);
    const before = intervals.at(-2);
    if (last !== undefined && before !== undefined) {
      const isShort = endMs - last.startMs < this.#intervalMs / 2;
      if (isShort) {
        intervals.pop();
        merge(before.bySeries, last.bySeries);
      }
    }
    for (const [index, interval] of intervals.entries()) {
      const isLast = index === intervals.length - 1;
      this.#close(interval, start.name, isLast ? endMs : interval.startMs + this.#intervalMs);
    }
  }

  #close({ startMs, bySeries }: OpenInterval, phase: string, endMs: number): void {
    const series = [...bySeries].map(([number, { histogram, ok, errors }]) =>
      summarize(this.#series[number]?.name ?? '', histogram, { ok, errors }),
    );
    if (endMs > startMs) this.timeline.push({ startMs, endMs, phase, series });
  }
}

function merge(
  into: Map<number, SeriesInInterval>,
  from: ReadonlyMap<number, SeriesInInterval>,
): void {
  for (const [series, one] of from) {
    const known = into.get(series);
    if (known === undefined) into.set(series, one);
    else {
      known.histogram.add(one.histogram);
      known.ok += one.ok;
      known.errors += one.errors;
    }
  }
}

function addToInterval({ bySeries }: OpenInterval, sample: Sample): void {
  let own = bySeries.get(sample.series);
  if (own === undefined) {
    own = { histogram: newHistogram(2), ok: 0, errors: 0 };
    bySeries.set(sample.series, own);
  }
  if (sample.outcome === 'error') own.errors += 1;
  else {
    own.ok += 1;
    own.histogram.recordValue(sample.intendedMicros);
  }
}

function seriesResult(
  key: number,
  tally: Tally,
  names: { readonly series: readonly Series[]; readonly nodes: readonly string[] },
): SeriesResult {
  const series = names.series[Math.floor(key / 4_096)];
  return {
    series: series?.name ?? '',
    isPart: series?.isPart ?? false,
    node: names.nodes[key % 4_096] ?? '',
    ok: tally.ok,
    errors: tally.errors,
    conflicts: tally.conflicts,
    intended: encodeHistogram(tally.intended),
    service: encodeHistogram(tally.service),
  };
}
