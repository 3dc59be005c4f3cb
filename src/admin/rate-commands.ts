/**
 * How fast background work goes, changed by an operator.
 *
 * A change is of this process and one node: a node that is started again has the rates of its configuration.
 */

import {
  PACED_WORK,
  RATE_MAX_BYTES,
  RATE_MIN_BYTES,
  type PacedWork,
  type Rates,
  type ShownRate,
} from '../node/rates.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

const FOR_MAX_MS = 7 * 86_400_000;

type Options = Readonly<Record<string, unknown>>;

/** `rates`: of the node, from when it has started. */
export function rateCommands(rates: () => Rates): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['rate show', async () => rates().report()],
    ['rate set', async (options) => set(rates(), options)],
    ['rate reset', async (options) => reset(rates(), options)],
  ]);
}

function set(rates: Rates, { work, bytesPerSecond, forMs }: Options): readonly ShownRate[] {
  const timeMs = forMs === undefined ? undefined : toTime(forMs);
  rates.set(toWork(work), toRate(bytesPerSecond), timeMs);
  return rates.report();
}

function reset(rates: Rates, { work }: Options): readonly ShownRate[] {
  rates.reset(work === undefined ? undefined : toWork(work));
  return rates.report();
}

function toWork(work: unknown): PacedWork {
  const known = PACED_WORK.find((each) => each === work);
  if (known !== undefined) return known;
  throw new AdminRefusal(`the work is one of ${PACED_WORK.join(', ')}`);
}

function toRate(bytesPerSecond: unknown): number {
  const rate = Number(bytesPerSecond);
  if (Number.isSafeInteger(rate) && rate >= RATE_MIN_BYTES && rate <= RATE_MAX_BYTES) return rate;
  throw new AdminRefusal('the rate is from 64KiB to 10GiB a second');
}

function toTime(forMs: unknown): number {
  const timeMs = Number(forMs);
  if (Number.isSafeInteger(timeMs) && timeMs > 0 && timeMs <= FOR_MAX_MS) return timeMs;
  throw new AdminRefusal('the time is from 1ms to 7d');
}
