/**
 * How long the intervals are in which a run is told, so that hours make no larger report than minutes.
 */

import { Fault } from '../../src/base/fault.ts';
import { parseDurationMs } from '../../src/config/units.ts';
import type { Workload } from '../workload/workload.ts';

const STEPS_MS = [1_000, 10_000, 60_000, 600_000, 3_600_000];
/** What plots can show. */
const INTERVALS_USUAL = 1_500;
/** What fits into memory and a page, whatever was asked for. */
const INTERVALS_MAX = 20_000;

/** `asked`: as the command line has it. Rejects with a `config` fault what would be too many. */
export function reportIntervalMs(workload: Workload, asked: string | undefined): number {
  const totalMs = durationMs(workload);
  if (asked === undefined) {
    const step = STEPS_MS.find((stepMs) => totalMs / stepMs <= INTERVALS_USUAL);
    return step ?? (STEPS_MS.at(-1) as number);
  }
  const intervalMs = parseDurationMs(asked);
  if (intervalMs === undefined || intervalMs < 1) {
    throw new Fault('config', `--interval ${asked} is no duration like 10s`);
  }
  const count = Math.ceil(totalMs / intervalMs);
  if (count <= INTERVALS_MAX) return intervalMs;
  const least = Math.ceil(totalMs / INTERVALS_MAX / 1_000);
  const why = `would be ${count} intervals, above ${INTERVALS_MAX}: take ${least}s or more`;
  throw new Fault('config', `--interval ${asked} ${why}`);
}

/** Of all that is bounded in time. */
function durationMs({ warmUp, steady, measure, fault, recover }: Workload): number {
  const steps = [...measure, ...(fault ? [fault] : []), ...(recover ? [recover] : [])];
  const measuredMs = steps.reduce((sum, step) => sum + step.durationMs, 0);
  return measuredMs + warmUp.atMostMs + steady.atMostMs;
}
