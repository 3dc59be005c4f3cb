/**
 * Results of several generators that loaded one cluster at once, as the result of one.
 *
 * Counts and histograms are added, never percentiles. Times are taken from the wall clocks of the generators'
 * machines, which must agree. A phase lasts from where the first began it to where the last ended it. The
 * operations of an interval are dealt out to the seconds of the whole that it lies in; its latencies go to the
 * one that most of it lies in.
 */

import { Fault } from '../../src/base/fault.ts';
import { addVerdicts } from '../load/verify.ts';
import { RESULT_FORMAT, decodeHistogram, encodeHistogram, isCounted } from './result.ts';
import { mergeHistograms, newHistogram, summarize } from './result.ts';
import type { Histogram } from 'hdr-histogram-js';
import type { GeneratorShare, Interval, PhaseResult, RunResult, SeriesResult } from './result.ts';

export interface NamedResult {
  /** As the operator calls it. */
  readonly name: string;
  readonly result: RunResult;
}

/** A result with its times counted from the start of the whole. */
interface Placed extends NamedResult {
  readonly shiftMs: number;
}

/** Throws a `config` fault where they are not of one load. */
export function mergeResults(named: readonly NamedResult[]): RunResult {
  const [first, ...others] = named;
  if (first === undefined || others.length === 0) {
    throw new Fault('config', 'to merge takes two results or more');
  }
  for (const other of others) requireAlike(first, other);
  requireApart(named);
  const originMs = Math.min(...named.map(({ result }) => Date.parse(result.startedAt)));
  const placed = named.map((one) => {
    return { ...one, shiftMs: Date.parse(one.result.startedAt) - originMs };
  });
  const phases = first.result.phases.map((_, index) => mergePhase(placed, index));
  const results = named.map(({ result }) => result);
  const broken = named.filter(({ result }) => result.brokenOff !== undefined);
  const verdicts = results.flatMap(({ verdict }) => verdict ?? []);
  return {
    format: RESULT_FORMAT,
    workload: first.result.workload,
    about: first.result.about,
    target: [...new Set(results.map(({ target }) => target))].join(' '),
    startedAt: new Date(originMs).toISOString(),
    seed: first.result.seed,
    scale: first.result.scale,
    processes: sumOf(results, ({ processes }) => processes),
    machine: first.result.machine,
    generators: named.map(({ name, result: { startedAt, machine, processes } }) => {
      return { name, startedAt, machine, processes };
    }),
    phases,
    intervalMs: first.result.intervalMs,
    timeline: phases.flatMap((phase) => mergeTimeline(placed, phase)),
    resources: mergeResources(placed),
    marks: placed
      .flatMap(({ result, shiftMs }) =>
        result.marks.map(({ atMs, label }) => ({ atMs: atMs + shiftMs, label })),
      )
      .sort((left, right) => left.atMs - right.atMs),
    errors: mergeErrors(results),
    // What one did not look for nobody has found.
    verdict: verdicts.length < results.length ? undefined : addVerdicts(verdicts),
    ...(broken.length > 0 && {
      brokenOff: broken.map(({ name, result }) => `${name}: ${result.brokenOff}`).join('; '),
    }),
  };
}

function requireAlike(first: NamedResult, other: NamedResult): void {
  const loops = ({ phases }: RunResult): string =>
    phases.map(({ name, loop }) => `${name} (${loop})`).join(', ');
  const settings: readonly (readonly [what: string, valueOf: (result: RunResult) => string])[] = [
    ['workload', ({ workload }) => workload],
    ['API', ({ target }) => target.split(':')[0] ?? ''],
    ['scale', ({ scale }) => String(scale)],
    ['phases', loops],
    ['interval', ({ intervalMs }) => `${intervalMs / 1_000} s`],
    ['number of generators', ({ generator }) => String(generator?.of ?? 'not said')],
    [
      'worker processes of a generator',
      ({ generator, processes }) => shareText(generator, processes),
    ],
    ['operations', ({ phases }) => operationsOf(phases).join(', ')],
  ];
  for (const [what, valueOf] of settings) {
    const [one, two] = [valueOf(first.result), valueOf(other.result)];
    if (one === two) continue;
    const text = `${first.name} and ${other.name} do not belong together: ${what} ${one}, and ${two}`;
    throw new Fault('config', text);
  }
}

/** Where they share the keys: those of a process must be of no other. */
function shareText(generator: GeneratorShare | undefined, processes: number): string {
  return generator === undefined ? 'not said' : String(processes);
}

function operationsOf(phases: readonly PhaseResult[]): string[] {
  const names = phases.flatMap(({ role, series }) =>
    isCounted(role) ? series.map((one) => one.series) : [],
  );
  return [...new Set(names)].sort();
}

/** Each is one of its own, at the same time as the others, and tells enough to be added. */
function requireApart(named: readonly NamedResult[]): void {
  const taken = new Map<string, string>();
  for (const { name, result } of named) {
    const { startedAt, generator, phases, machine } = result;
    const own = generator?.number ?? JSON.stringify([startedAt, machine, phases]);
    const other = taken.get(String(own));
    if (other !== undefined) {
      const what = generator === undefined ? 'one result' : `both of generator ${generator.number}`;
      throw new Fault('config', `${other} and ${name} are ${what}`);
    }
    taken.set(String(own), name);
    const isTold = result.timeline.every(({ series }) =>
      series.every(({ histogram }) => histogram !== undefined),
    );
    if (!isTold) {
      const text = `${name} is of an older version: it has no histograms of its intervals`;
      throw new Fault('config', text);
    }
  }
}

function mergePhase(placed: readonly Placed[], index: number): PhaseResult {
  const parts = placed.map(({ name, result, shiftMs }) => {
    const phase = result.phases[index] as PhaseResult;
    return { name, phase, startMs: phase.startMs + shiftMs, endMs: phase.endMs + shiftMs };
  });
  const phases = parts.map(({ phase }) => phase);
  const [first] = phases as [PhaseResult];
  const last = parts.reduce((one, two) => (two.startMs > one.startMs ? two : one));
  const soonest = parts.reduce((one, two) => (two.endMs < one.endMs ? two : one));
  if (isCounted(first.role) && soonest.endMs <= last.startMs) {
    const seconds = ((last.startMs - soonest.endMs) / 1_000).toFixed(1);
    const text = `${soonest.name} had ended it ${seconds} s before ${last.name} began`;
    throw new Fault('config', `${first.name} was not done at once: ${text}`);
  }
  const offered = phases.flatMap(({ offeredPerSecond }) => offeredPerSecond ?? []);
  return {
    ...first,
    clients: sumOf(phases, ({ clients }) => clients),
    offeredPerSecond: offered.length === 0 ? undefined : sumOf(offered, (value) => value),
    startMs: Math.min(...parts.map(({ startMs }) => startMs)),
    endMs: Math.max(...parts.map(({ endMs }) => endMs)),
    unstarted: sumOf(phases, ({ unstarted }) => unstarted),
    generator: {
      cores: sumOf(phases, ({ generator }) => generator.cores),
      gatheringCores: sumOf(phases, ({ generator }) => generator.gatheringCores ?? 0),
      lagMaxMs: Math.max(...phases.map(({ generator }) => generator.lagMaxMs)),
    },
    // Nodes count for everybody: who asked first is as good as the others.
    eventLoops: firstOfEach(
      phases.flatMap(({ eventLoops = [] }) => eventLoops),
      ({ node }) => node,
    ),
    series: mergeSeries(phases.flatMap(({ series }) => series)),
    ...steadyOf(phases),
  };
}

/** The one that was not reached, if there is one. */
function steadyOf(phases: readonly PhaseResult[]): Pick<PhaseResult, 'steady'> {
  const all = phases.flatMap(({ steady }) => steady ?? []);
  const steady = all.find(({ isReached }) => !isReached) ?? all[0];
  return steady === undefined ? {} : { steady };
}

function mergeSeries(all: readonly SeriesResult[]): SeriesResult[] {
  const groups = groupBy(all, ({ series, node }) => JSON.stringify([series, node]));
  return [...groups.values()].map((parts) => ({
    ...(parts[0] as SeriesResult),
    ok: sumOf(parts, ({ ok }) => ok),
    errors: sumOf(parts, ({ errors }) => errors),
    conflicts: sumOf(parts, ({ conflicts }) => conflicts),
    intended: encodeHistogram(mergeHistograms(parts.map(({ intended }) => intended))),
    service: encodeHistogram(mergeHistograms(parts.map(({ service }) => service))),
  }));
}

interface Cell {
  readonly startMs: number;
  readonly endMs: number;
  readonly bySeries: Map<string, { histogram: Histogram; ok: number; errors: number }>;
}

function mergeTimeline(
  placed: readonly Placed[],
  { name, startMs, endMs }: PhaseResult,
): Interval[] {
  const intervals = placed.flatMap(({ result, shiftMs }) =>
    result.timeline
      .filter(({ phase }) => phase === name)
      .map((one) => ({ ...one, startMs: one.startMs + shiftMs, endMs: one.endMs + shiftMs })),
  );
  if (intervals.length === 0) return [];
  const cells = cellsOf(startMs, endMs, placed[0]?.result.intervalMs ?? 1_000);
  for (const interval of intervals) deal(interval, cells);
  return cells.map((cell) => ({
    startMs: cell.startMs,
    endMs: cell.endMs,
    phase: name,
    series: [...cell.bySeries].map(([series, { histogram, ok, errors }]) =>
      summarize(series, histogram, { ok, errors }),
    ),
  }));
}

/** A short rest at the end is part of the last. */
function cellsOf(startMs: number, endMs: number, lengthMs: number): Cell[] {
  const count = Math.max(1, Math.round((endMs - startMs) / lengthMs));
  return Array.from({ length: count }, (_, index) => ({
    startMs: startMs + index * lengthMs,
    endMs: index === count - 1 ? endMs : startMs + (index + 1) * lengthMs,
    bySeries: new Map(),
  }));
}

function deal(interval: Interval, cells: readonly Cell[]): void {
  const [first] = cells;
  const lengthMs = first === undefined ? 1 : first.endMs - first.startMs;
  const from = Math.max(0, Math.floor((interval.startMs - (first?.startMs ?? 0)) / lengthMs) - 1);
  const count = Math.ceil((interval.endMs - interval.startMs) / lengthMs) + 3;
  const shared = cells
    .slice(from, from + count)
    .map((cell) => ({ cell, ms: overlapMs(interval, cell) }))
    .filter(({ ms }) => ms > 0);
  const wholeMs = sumOf(shared, ({ ms }) => ms);
  const widestMs = Math.max(...shared.map(({ ms }) => ms));
  const widest = shared.find(({ ms }) => ms === widestMs);
  for (const one of interval.series) {
    let doneMs = 0;
    for (const { cell, ms } of shared) {
      // Rounded so that what is dealt out comes to what there was.
      const share = (count: number): number =>
        Math.round((count * (doneMs + ms)) / wholeMs) - Math.round((count * doneMs) / wholeMs);
      const own = cell.bySeries.get(one.series) ?? { histogram: newHistogram(2), ok: 0, errors: 0 };
      own.ok += share(one.ok);
      own.errors += share(one.errors);
      if (cell === widest?.cell) own.histogram.add(decodeHistogram(one.histogram ?? ''));
      cell.bySeries.set(one.series, own);
      doneMs += ms;
    }
  }
}

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

function overlapMs(one: Span, two: Span): number {
  return Math.min(one.endMs, two.endMs) - Math.max(one.startMs, two.startMs);
}

/** Of a process that several have watched the samples of one. */
function mergeResources(placed: readonly Placed[]): RunResult['resources'] {
  const seen = new Map<string, Placed>();
  const samples = placed.flatMap((one) =>
    one.result.resources
      .filter(({ process }) => {
        const watcher = seen.get(process) ?? one;
        seen.set(process, watcher);
        return watcher === one;
      })
      .map((sample) => ({ ...sample, atMs: sample.atMs + one.shiftMs })),
  );
  return samples.sort((left, right) => left.atMs - right.atMs);
}

function mergeErrors(results: readonly RunResult[]): RunResult['errors'] {
  const groups = groupBy(
    results.flatMap(({ errors }) => errors),
    ({ series, reason }) => JSON.stringify([series, reason]),
  );
  return [...groups.values()]
    .map((parts) => ({
      series: parts[0]?.series ?? '',
      reason: parts[0]?.reason ?? '',
      count: sumOf(parts, ({ count }) => count),
    }))
    .sort((left, right) => right.count - left.count);
}

function firstOfEach<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...groupBy(items, keyOf).values()].flatMap(([first]) =>
    first === undefined ? [] : first,
  );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

function sumOf<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + valueOf(item), 0);
}
