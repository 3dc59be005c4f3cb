/**
 * `vertebra bench compare A B`: two sets of repeated runs, with confidence intervals.
 *
 * Each side is a result, a folder of one, or a folder whose subfolders are results of the same
 * workload. With one run on a side there is no interval, and the table says so.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../src/base/fault.ts';
import { textTable } from '../src/cli/text-table.ts';
import { compareMeans, comparePoints, isSignificant } from './report/statistics.ts';
import { isSound, percentileMs, seriesTotals } from './report/result.ts';
import { verdictText } from './report/terminal.ts';
import { readResult } from './report/write-report.ts';
import type { Machine } from './report/machine.ts';
import type { Difference } from './report/statistics.ts';
import type { RunResult } from './report/result.ts';

const ERRORS = ': errors %';

/** Which way is better. */
type Direction = 'up' | 'down';

interface Figure {
  readonly name: string;
  readonly better: Direction;
  readonly value: number;
}

/** One figure of both sides. */
interface Comparison {
  readonly name: string;
  readonly better: Direction;
  readonly difference: Difference;
}

/** Ends with exit code 1 where a figure is surely worse by more than `failWorse`, a text like `10%`. */
export function compareCommand(before: string, after: string, failWorse?: string): void {
  const [left, right] = [readRuns(before), readRuns(after)];
  console.log(`before: ${left.length} runs of ${describe(left)}`);
  console.log(`after:  ${right.length} runs of ${describe(right)}`);
  const machines = new Set([...left, ...right].map(({ machine }) => machineText(machine)));
  if (machines.size > 1) console.log(`not one machine: ${[...machines].join('; ')}`);
  for (const doubt of doubtsOf(left, right)) console.log(doubt);
  console.log(`\n${compareRuns(left, right)}`);
  console.log('of twenty figures that are the same one is called better or worse by chance');
  if (failWorse === undefined) return;
  const regressions = findRegressions(left, right, parseShare(failWorse));
  for (const name of regressions) console.log(`surely worse by more than ${failWorse}: ${name}`);
  if (regressions.length > 0) process.exitCode = 1;
  else console.log(`nothing is surely worse by more than ${failWorse}`);
}

/** What speaks against comparing the runs at all. */
export function doubtsOf(before: readonly RunResult[], after: readonly RunResult[]): string[] {
  const settings: readonly (readonly [name: string, valueOf: (run: RunResult) => string])[] = [
    ['workload', ({ workload }) => workload],
    ['scale', ({ scale }) => String(scale)],
    ['worker processes', ({ processes }) => String(processes)],
    ['kind of target', ({ target }) => target.split(':')[0] ?? ''],
    ['clients', ({ phases }) => phases.map(({ clients }) => clients).join(',')],
  ];
  const differing = settings.flatMap(([name, valueOf]) => {
    const [left, right] = [before, after].map((runs) => [...new Set(runs.map(valueOf))].join(', '));
    return left === right ? [] : [`not alike: ${name} ${left} before, ${right} after`];
  });
  const unsound = [...before, ...after].filter((run) => !isSound(run));
  const told = unsound.map((run) => `of the run of ${run.startedAt}: ${verdictText(run)}`);
  return [...differing, ...told];
}

/**
 * Figures that are worse by more than the share even at the near end of their interval. Of p99.9 a
 * small run has too few operations to judge by.
 */
export function findRegressions(
  before: readonly RunResult[],
  after: readonly RunResult[],
  share: number,
): string[] {
  if (before.length < 2 || after.length < 2) {
    throw new Fault(
      'config',
      'one run has no interval to judge by: make at least two of each side',
    );
  }
  // What it did not come to would be missing, and not worse.
  const broken = [...before, ...after].find(({ brokenOff }) => brokenOff !== undefined);
  if (broken !== undefined) {
    const { startedAt, brokenOff } = broken;
    throw new Fault('config', `the run of ${startedAt} was broken off: ${brokenOff}`);
  }
  return comparisonsOf(before, after)
    .filter(({ name, better, difference: { change, margin } }) => {
      const loss = better === 'up' ? -change : change;
      return !name.includes('p99.9') && loss - (margin ?? Infinity) > share;
    })
    .map(({ name }) => name);
}

export function compareRuns(before: readonly RunResult[], after: readonly RunResult[]): string {
  const rows = comparisonsOf(before, after).map(({ name, better, difference }) => {
    const { change, margin } = difference;
    const isGain = change > 0 === (better === 'up');
    const verdict = !isSignificant(difference) ? '' : isGain ? 'better' : 'worse';
    return [
      name,
      difference.before.toFixed(2),
      difference.after.toFixed(2),
      percent(change),
      margin === undefined ? 'one run' : `± ${(100 * margin).toFixed(1)} %`,
      verdict,
    ];
  });
  return textTable(['', 'before', 'after', 'change', '95 %', ''], rows);
}

function comparisonsOf(before: readonly RunResult[], after: readonly RunResult[]): Comparison[] {
  const [left, right] = [figuresOf(before), figuresOf(after)];
  const comparisons = [...left].flatMap(([name, figures]) => {
    const others = right.get(name);
    const better = figures[0]?.better;
    if (others === undefined || better === undefined) return [];
    const values = (list: readonly Figure[]): number[] => list.map(({ value }) => value);
    const [some, more] = [values(figures), values(others)];
    if (!name.endsWith(ERRORS)) return [{ name, better, difference: compareMeans(some, more) }];
    // Nearly always none: the change is told in points of a hundred operations.
    const isClean = [...some, ...more].every((value) => value === 0);
    return isClean ? [] : [{ name, better, difference: comparePoints(some, more) }];
  });
  if (comparisons.length === 0)
    throw new Fault('config', 'the runs have no phase and operation in common');
  return comparisons;
}

function parseShare(text: string): number {
  const match = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text);
  if (match === null) throw new Fault('config', `--fail-worse ${text} is no share like 10%`);
  return Number(match[1]) / 100;
}

function machineText({ cpu, cores, kernel }: Machine): string {
  return `${cpu}, ${cores} cores, ${kernel}`;
}

function figuresOf(runs: readonly RunResult[]): Map<string, Figure[]> {
  const figures = new Map<string, Figure[]>();
  const add = (figure: Figure): void => {
    figures.set(figure.name, [...(figures.get(figure.name) ?? []), figure]);
  };
  for (const run of runs) {
    for (const phase of run.phases.filter(({ role }) => role === 'measure')) {
      for (const total of seriesTotals(phase)) {
        const name = `${phase.name}, ${total.series}`;
        const value = (1_000 * total.ok) / Math.max(1, phase.endMs - phase.startMs);
        add({ name: `${name}: ok/s`, better: 'up', value });
        const share = total.errors / Math.max(1, total.ok + total.conflicts + total.errors);
        add({ name: `${name}${ERRORS}`, better: 'down', value: 100 * share });
        for (const at of [50, 99, 99.9]) {
          const latency = percentileMs(total.intended, at);
          add({ name: `${name}: p${at} ms`, better: 'down', value: latency });
        }
      }
    }
  }
  return figures;
}

function readRuns(path: string): RunResult[] {
  if (path.endsWith('.json') || existsSync(join(path, 'result.json'))) return [readResult(path)];
  if (!existsSync(path)) throw new Fault('config', `there is no ${path}`);
  const folders = readdirSync(path).filter((name) => existsSync(join(path, name, 'result.json')));
  if (folders.length === 0) throw new Fault('config', `${path} holds no results`);
  return folders.map((name) => readResult(join(path, name)));
}

function describe(runs: readonly RunResult[]): string {
  return [...new Set(runs.map((run) => `${run.workload} at ${run.machine.commit}`))].join(', ');
}

function percent(change: number): string {
  return `${change >= 0 ? '+' : ''}${(100 * change).toFixed(1)} %`;
}
