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
import { compareMeans, isSignificant } from './report/statistics.ts';
import { percentileMs, seriesTotals } from './report/result.ts';
import { readResult } from './report/write-report.ts';
import type { RunResult } from './report/result.ts';

/** Which way is better. */
type Direction = 'up' | 'down';

interface Figure {
  readonly name: string;
  readonly better: Direction;
  readonly value: number;
}

export function compareCommand(before: string, after: string): void {
  const [left, right] = [readRuns(before), readRuns(after)];
  console.log(`before: ${left.length} runs of ${describe(left)}`);
  console.log(`after:  ${right.length} runs of ${describe(right)}\n`);
  console.log(compareRuns(left, right));
}

export function compareRuns(before: readonly RunResult[], after: readonly RunResult[]): string {
  const [left, right] = [figuresOf(before), figuresOf(after)];
  const rows = [...left].flatMap(([name, figures]) => {
    const others = right.get(name);
    const better = figures[0]?.better;
    if (others === undefined || better === undefined) return [];
    const values = (list: readonly Figure[]): number[] => list.map(({ value }) => value);
    const difference = compareMeans(values(figures), values(others));
    const { change, margin } = difference;
    const isGain = change > 0 === (better === 'up');
    const verdict = !isSignificant(difference) ? '' : isGain ? 'better' : 'worse';
    return [
      [
        name,
        difference.before.toFixed(2),
        difference.after.toFixed(2),
        percent(change),
        margin === undefined ? 'one run' : `± ${(100 * margin).toFixed(1)} %`,
        verdict,
      ],
    ];
  });
  if (rows.length === 0)
    throw new Fault('config', 'the runs have no phase and operation in common');
  return textTable(['', 'before', 'after', 'change', '95 %', ''], rows);
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
