/**
 * How late the event loops of nodes were during a phase: the histogram that nodes keep of it.
 *
 * A node looks at its event loop 100 times a second and counts, by bounds, how late it came
 * (`event_loop_delays` of its metrics), and how much of that its own thread had run
 * (`event_loop_own_delays`): the rest it waited for a processor or a disk. Two readings differ by what
 * happened in between; of a node that was started again in between there is only what it has counted
 * since.
 */

import type { PhaseResult } from './result.ts';

/** Of one node in one phase. */
export interface EventLoopDelays {
  readonly node: string;
  /** What it counted before it was started again is not there. */
  readonly isRestarted: boolean;
  /** In rising order: so many looks came at least so many milliseconds late. The first are all. */
  readonly counts: DelayCounts;
  /** The same of the thread's own work; empty where the system does not tell. */
  readonly ownCounts?: DelayCounts;
}

export type DelayCounts = readonly (readonly [fromMs: number, count: number])[];

/** What a node had counted at one moment. */
export interface EventLoopReading {
  /** Tells a process from the one before it. */
  readonly startedSeconds: number;
  readonly counts: ReadonlyMap<number, number>;
  readonly ownCounts: ReadonlyMap<number, number>;
}

const COUNT = /^vertebra_event_loop_delays_total\{from_ms="(\d+)"\} (\d+)$/gm;
const OWN_COUNT = /^vertebra_event_loop_own_delays_total\{from_ms="(\d+)"\} (\d+)$/gm;
const STARTED = /^vertebra_process_start_time_seconds (\S+)$/m;

/** Of a node's OpenMetrics text; undefined where it does not tell. */
export function parseReading(text: string): EventLoopReading | undefined {
  const counts = countsIn(text, COUNT);
  const ownCounts = countsIn(text, OWN_COUNT);
  const startedSeconds = Number(STARTED.exec(text)?.[1]);
  return counts.size === 0 ? undefined : { startedSeconds, counts, ownCounts };
}

function countsIn(text: string, pattern: RegExp): Map<number, number> {
  return new Map(
    [...text.matchAll(pattern)].map(([, fromMs, count]) => [Number(fromMs), Number(count)]),
  );
}

export function delaysBetween(
  node: string,
  before: EventLoopReading,
  after: EventLoopReading,
): EventLoopDelays {
  const isRestarted = before.startedSeconds !== after.startedSeconds;
  const since = (
    earlier: ReadonlyMap<number, number>,
    later: ReadonlyMap<number, number>,
  ): DelayCounts =>
    [...later]
      .sort(([left], [right]) => left - right)
      .map(([fromMs, count]) => {
        const known = isRestarted ? 0 : (earlier.get(fromMs) ?? 0);
        return [fromMs, Math.max(0, count - known)] as const;
      });
  const counts = since(before.counts, after.counts);
  const ownCounts = since(before.ownCounts, after.ownCounts);
  return { node, isRestarted, counts, ...(tells(ownCounts) && { ownCounts }) };
}

/** A system without such counts leaves them all at 0. */
function tells(counts: DelayCounts): boolean {
  return counts.some(([, count]) => count > 0);
}

const SHOWN_MS = [10, 20, 50, 100, 500, 1_000];

/** From here on a delay is called a stall. */
export const STALL_MS = 50;

export const EVENT_LOOP_HEADING: readonly string[] = [
  'phase',
  'node',
  'looks',
  'p99.9 ms',
  'longest ms',
  ...SHOWN_MS.map((ms) => `≥ ${ms} ms`),
  'own longest ms',
  `own ≥ ${STALL_MS} ms`,
];

/** A table's rows: one for each phase and node. */
export function eventLoopRows(phases: readonly PhaseResult[]): string[][] {
  return phases.flatMap(({ name, eventLoops = [] }) =>
    eventLoops.map((delays) => [
      name,
      delays.isRestarted ? `${delays.node} (since it was started again)` : delays.node,
      String(countFrom(delays.counts, 0)),
      rangeText(delays.counts, Math.floor(countFrom(delays.counts, 0) / 1_000) + 1),
      longestText(delays.counts),
      ...SHOWN_MS.map((ms) => String(countFrom(delays.counts, ms))),
      ...ownText(delays.ownCounts),
    ]),
  );
}

function ownText(counts: DelayCounts | undefined): string[] {
  if (counts === undefined) return ['', ''];
  return [longestText(counts), String(countFrom(counts, STALL_MS))];
}

/** Looks that came so late or later; the bounds of nodes are among 0, 1, 2, 5, 10, 20, 50, 100, … */
export function countFrom(counts: DelayCounts, ms: number): number {
  return counts.find(([fromMs]) => fromMs >= ms)?.[1] ?? 0;
}

/** The bounds between which the longest delay lies, as text: `50 to 75`. */
export function longestText(counts: DelayCounts): string {
  return rangeText(counts, 1);
}

/** Between which bounds the delay lies that so many looks, itself included, reach. */
function rangeText(counts: DelayCounts, reachedBy: number): string {
  const above = counts.findIndex(([, count]) => count < reachedBy);
  if (above === 0) return '';
  if (above === -1) return `${counts.at(-1)?.[0] ?? 0} or more`;
  return `${counts[above - 1]?.[0] ?? 0} to ${counts[above]?.[0] ?? 0}`;
}
