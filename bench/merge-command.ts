/**
 * `vertebra bench merge A B …`: results of several generators that loaded one cluster at once become one report.
 */

import { resolve } from 'node:path';
import { countedPhases } from './report/result.ts';
import { mergeResults } from './report/merge-results.ts';
import { makeReportFolder, readResult } from './report/write-report.ts';
import { showResult } from './show-result.ts';
import type { NamedResult } from './report/merge-results.ts';
import type { RunResult } from './report/result.ts';

/** Ends with exit code 1 where any of them has lost what was acknowledged, or was broken off. */
export function mergeCommand(paths: readonly string[], out: string): void {
  const named = paths.map((name) => ({ name, result: readResult(name) }));
  const merged = mergeResults(named);
  makeReportFolder(resolve(out));
  for (const line of mergeNotes(named, merged)) console.log(line);
  showResult(merged, resolve(out));
}

/** What the reader of the figures should know. */
export function mergeNotes(named: readonly NamedResult[], merged: RunResult): string[] {
  const notes: string[] = [];
  const generators = named.flatMap(({ result: { generator } }) => generator ?? []);
  const of = generators[0]?.of ?? 0;
  if (generators.length === 0) {
    notes.push(
      'they were run without --generator: each wrote the keys of the others, and may miss its own',
    );
  }
  if (of > named.length) notes.push(`${named.length} of ${of} generators: the others are left out`);
  const unverified = named.filter(({ result }) => result.verdict === undefined);
  if (unverified.length > 0 && unverified.length < named.length) {
    notes.push(
      `not looked for what was written by ${unverified.map(({ name }) => name).join(', ')}`,
    );
  }
  for (const phase of countedPhases(merged)) {
    const spans = named.map(({ result: { startedAt, phases } }) => {
      const own = phases.find(({ name }) => name === phase.name) ?? phase;
      return {
        fromMs: Date.parse(startedAt) + own.startMs,
        toMs: Date.parse(startedAt) + own.endMs,
      };
    });
    const [fromMs, toMs] = [
      Math.max(...spans.map((span) => span.fromMs)),
      Math.min(...spans.map((span) => span.toMs)),
    ];
    const [together, whole] = [toMs - fromMs, phase.endMs - phase.startMs].map((ms) => {
      return (ms / 1_000).toFixed(1);
    });
    notes.push(`${phase.name}: all at once for ${together} of ${whole} s`);
  }
  return notes;
}
