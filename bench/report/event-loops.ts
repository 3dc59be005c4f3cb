/**
 * How late the event loops of nodes were during a phase: the histogram that nodes keep of it.
 *
 * A node looks at its event loop 100 times a second and counts, by bounds, how late it came
 * (`event_loop_delays` of its metrics). Two readings differ by what happened in between; of a node
 * that was started again in between there is only what it has counted since.
 */

import type { PhaseResult } from './result.ts';

/** Of one node in one phase. */
export interface EventLoopDelays {
  readonly node: string;
  /** What it counted before it was started again is not there. */
  readonly isRestarted: boolean;
  /** In rising order: so many looks came at least so many milliseconds late. The first are all. */
  readonly counts: readonly (readonly [fromMs: number, count: number])[];
}

/** What a node had counted at one moment. */
export interface EventLoopReading {
  /** Tells a process from the one before it. */
  readonly startedSeconds: number;
  readonly counts: ReadonlyMap<number, number>;
}

const COUNT = /^vertebra_event_loop_delays_total\{from_ms="(\d+)"\} (\d+)$/gm;
const STARTED = /^vertebra_process_start_time_seconds (\S+)$/m;

/** Of a node's OpenMetrics text; undefined where it does not tell. */
export function parseReading(text: string): EventLoopReading | undefined {
  const counts = new Map(
    [...text.matchAll(COUNT)].map(([, fromMs, count]) => [Number(fromMs), Number(count)]),
  );
  const startedSeconds = Number(STARTED.exec(text)?.[1]);
  return counts.size === 0 ? undefined : { startedSeconds, counts };
}

export function delaysBetween(
  node: string,
  before: EventLoopReading,
  after: EventLoopReading,
): EventLoopDelays {
  const isRestarted = before.startedSeconds !== after.startedSeconds;
  const counts = [...after.counts]
    .sort(([left], [right]) => left - right)
    .map(([fromMs, count]) => {
      const known = isRestarted ? 0 : (before.counts.get(fromMs) ?? 0);
      return [fromMs, Math.max(0, count - known)] as const;
    });
  return { node, isRestarted, counts };
}

const SHOWN_MS = [10, 20, 50, 100, 500, 1_000];

export const EVENT_LOOP_HEADING: readonly string[] = [
  'phase',
  'node',
  'looks',
  'p99.9 ms',
  'longest ms',
  ...SHOWN_MS.map((ms) => `≥ ${ms} ms`),
];

/** A table's rows: one for each phase and node. */
export function eventLoopRows(phases: readonly PhaseResult[]): string[][] {
  return phases.flatMap(({ name, eventLoops = [] }) =>
    eventLoops.map((delays) => [
      name,
      delays.isRestarted ? `${delays.node} (since it was started again)` : delays.node,
      String(countFrom(delays, 0)),
      percentileText(delays, 99.9),
      longestText(delays),
      ...SHOWN_MS.map((ms) => String(countFrom(delays, ms))),
    ]),
  );
}

/** Looks that came so late or later; the bounds of nodes are among 0, 1, 2, 5, 10, 20, 50, 100, … */
export function countFrom({ counts }: EventLoopDelays, ms: number): number {
  return counts.find(([fromMs]) => fromMs >= ms)?.[1] ?? 0;
}

/** The bounds between which the longest delay lies, as text: `50 to 75`. */
export function longestText(delays: EventLoopDelays): string {
  return rangeText(delays, 1);
}

/** The bounds between which a percentile lies, as text. */
export function percentileText(delays: EventLoopDelays, percentile: number): string {
  const beyond = Math.floor(countFrom(delays, 0) * (1 - percentile / 100));
  return rangeText(delays, beyond + 1);
}

/** Between which bounds the delay lies that so many looks, itself included, reach. */
function rangeText({ counts }: EventLoopDelays, reachedBy: number): string {
  const above = counts.findIndex(([, count]) => count < reachedBy);
  if (above === 0) return '';
  if (above === -1) return `${counts.at(-1)?.[0] ?? 0} or more`;
  return `${counts[above - 1]?.[0] ?? 0} to ${counts[above]?.[0] ?? 0}`;
}
