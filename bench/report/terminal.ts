/**
 * What the terminal shows while a run goes on, and when it is over.
 *
 * On a terminal one line is drawn again and again; elsewhere each phase ends with one plain line.
 */

import { textTable } from '../../src/cli/text-table.ts';
import { EVENT_LOOP_HEADING, eventLoopRows } from './event-loops.ts';
import { countedPhases, percentileMs, phaseRate, phaseTotals } from './result.ts';
import type { Interval, PhaseResult, RunResult } from './result.ts';

const BAR_WIDTH = 24;
const REDRAW_MS = 100;

export interface Snapshot {
  readonly phase: string;
  /** 0 to 1. */
  readonly progress: number;
  /** The interval that ended last. */
  readonly interval: Interval | undefined;
  readonly errorCount: number;
}

export class TerminalView {
  readonly #isTty = process.stdout.isTTY;
  #drawnAtMs = 0;

  draw(snapshot: Snapshot): void {
    const nowMs = performance.now();
    if (!this.#isTty || nowMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = nowMs;
    const filled = Math.round(BAR_WIDTH * Math.min(1, Math.max(0, snapshot.progress)));
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const text = `${bar} ${snapshot.phase.padEnd(12)} ${intervalText(snapshot.interval)}`;
    const errors = snapshot.errorCount > 0 ? `  ${snapshot.errorCount} errors` : '';
    process.stdout.write(`\r\u001b[K${text}${errors}`);
  }

  say(line: string): void {
    if (this.#isTty) process.stdout.write('\r\u001b[K');
    console.log(line);
  }
}

/** Rate and latencies of an interval over all operations; of percentiles the worst series counts. */
function intervalText(interval: Interval | undefined): string {
  if (interval === undefined) return '';
  const seconds = Math.max(0.001, (interval.endMs - interval.startMs) / 1_000);
  const whole = interval.series.filter(({ series }) => !series.includes('.'));
  const rate = whole.reduce((sum, { ok }) => sum + ok, 0) / seconds;
  const worst = (field: 'p50' | 'p99' | 'p999'): string =>
    (Math.max(0, ...whole.map((one) => one[field])) / 1_000).toFixed(1);
  return (
    `${Math.round(rate)}/s  p50 ${worst('p50')}  p99 ${worst('p99')}  ` +
    `p99.9 ${worst('p999')} ms`
  );
}

export function phaseLine(phase: PhaseResult): string {
  const errors = phase.series.reduce((sum, one) => sum + (one.isPart ? 0 : one.errors), 0);
  const seconds = ((phase.endMs - phase.startMs) / 1_000).toFixed(1);
  const unstarted = phase.unstarted > 0 ? `, ${phase.unstarted} never started` : '';
  return (
    `${phase.name}: ${Math.round(phaseRate(phase))}/s for ${seconds} s, ${errors} errors${unstarted}; ` +
    `generator ${generatorCores(phase)} cores, late by ${phase.generator.lagMaxMs.toFixed(0)} ms at most`
  );
}

/** Of a phase of an open loop, in its first row: what was due and found no client has no latency. */
export function unstartedText({ loop, unstarted }: PhaseResult, index: number): string {
  return loop === 'open' && index === 0 ? String(unstarted) : '';
}

/** Of the worker processes, and of the one that gathers. */
export function generatorCores({ generator: { cores, gatheringCores } }: PhaseResult): string {
  return [cores, ...(gatheringCores === undefined ? [] : [gatheringCores])]
    .map((value) => value.toFixed(2))
    .join(' + ');
}

/** Whether what came after was measured at rest; empty where it was not asked for. */
export function steadyText({ steady, startMs, endMs }: PhaseResult): string {
  if (steady === undefined) return '';
  const { isReached, spread, within, windows, windowMs } = steady;
  const seconds = ((endMs - startMs) / 1_000).toFixed(0);
  const share = (value: number): string => `${(100 * value).toFixed(0)} %`;
  const last = `the rates of the last ${windows} windows of ${windowMs / 1_000} s differ by ${share(spread)}`;
  return isReached
    ? `steady after ${seconds} s: ${last}`
    : `not steady within ${seconds} s: ${last}, more than ${share(within)}; what follows is of a rate that still moves`;
}

/** Closed and open loop side by side: the time of the request, and the time since it was due. */
export function summaryTable(result: RunResult): string {
  const rows = countedPhases(result)
    .flatMap((phase) => phaseTotals(phase).map((total, index) => ({ phase, total, index })))
    .map(({ phase, total, index }) => [
      phase.name,
      total.series,
      String(Math.round((1_000 * total.ok) / Math.max(1, phase.endMs - phase.startMs))),
      ...[50, 99, 99.9].map((at) => percentileMs(total.service, at).toFixed(2)),
      ...(phase.loop === 'open'
        ? [50, 99, 99.9].map((at) => percentileMs(total.intended, at).toFixed(2))
        : ['', '', '']),
      String(total.errors),
      String(total.conflicts),
      unstartedText(phase, index),
    ]);
  const heading = ['phase', 'operation', 'ok/s', 'p50 ms', 'p99', 'p99.9'];
  const due = ['due: p50', 'p99', 'p99.9'];
  return textTable([...heading, ...due, 'errors', 'conflicts', 'never started'], rows);
}

/** How late the event loops of the nodes were; empty where none tells. */
export function eventLoopTable(result: RunResult): string {
  const rows = eventLoopRows(countedPhases(result));
  return rows.length === 0 ? '' : textTable([...EVENT_LOOP_HEADING], rows);
}

export function verdictText({
  verdict,
  brokenOff,
}: Pick<RunResult, 'verdict' | 'brokenOff'>): string {
  if (brokenOff !== undefined) return `broken off: ${brokenOff}; nothing was looked for`;
  if (verdict === undefined)
    return 'nothing was looked for: the target keeps nothing, or the verifier was off';
  const { lost, followed, acknowledged, unknown, returned, unanswered, unread = 0 } = verdict;
  const part =
    followed < acknowledged ? ` (${followed} of ${acknowledged} writes were followed)` : '';
  const back = returned === 0 ? '' : `; ${returned} deleted or superseded values came back`;
  const open =
    unanswered === 0 ? '' : `; ${unanswered} writes were neither acknowledged nor surely left out`;
  const dark = unread === 0 ? '' : `; ${unread} keys could not be read`;
  return `${lost} of ${followed} acknowledged writes lost, ${unknown} unknown${part}${back}${open}${dark}`;
}
