/**
 * The log of a running node by an operator: its newest lines, and how much it says.
 *
 * Levels are those of this process: a node that is started again has the one of its configuration.
 */

import {
  LOG_LEVELS,
  LOG_SUBSYSTEMS,
  type LevelReport,
  type LogLevel,
  type LogLevels,
  type LogSubsystem,
} from '../base/log-levels.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

export interface ReadableLog {
  /** Each a JSON object; the last is the newest. */
  newest(count: number): readonly string[];
}

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 1_000;
const FOR_MAX_MS = 7 * 86_400_000;

type Options = Readonly<Record<string, unknown>>;

export function logCommands(levels: LogLevels, log: ReadableLog): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['log show', async () => levels.report()],
    ['log tail', async ({ limit = LIMIT_DEFAULT }) => log.newest(toLimit(limit)).map(parsed)],
    ['log set', async (options) => set(levels, options)],
    ['log reset', async (options) => reset(levels, options)],
  ]);
}

function set(levels: LogLevels, { level, subsystem, forMs }: Options): LevelReport {
  levels.set({
    level: toLevel(level),
    ...(subsystem === undefined ? {} : { subsystem: toSubsystem(subsystem) }),
    ...(forMs === undefined ? {} : { forMs: toTime(forMs) }),
  });
  return levels.report();
}

function reset(levels: LogLevels, { subsystem }: Options): LevelReport {
  levels.reset(subsystem === undefined ? undefined : toSubsystem(subsystem));
  return levels.report();
}

function parsed(line: string): unknown {
  return JSON.parse(line);
}

function toLevel(level: unknown): LogLevel {
  const known = LOG_LEVELS.find((each) => each === level);
  if (known !== undefined) return known;
  throw new AdminRefusal(`the level is one of ${LOG_LEVELS.join(', ')}`);
}

function toSubsystem(subsystem: unknown): LogSubsystem {
  const known = LOG_SUBSYSTEMS.find((each) => each === subsystem);
  if (known !== undefined) return known;
  throw new AdminRefusal(`the subsystem is one of ${LOG_SUBSYSTEMS.join(', ')}`);
}

function toTime(forMs: unknown): number {
  if (Number.isSafeInteger(forMs) && Number(forMs) > 0 && Number(forMs) <= FOR_MAX_MS) {
    return Number(forMs);
  }
  throw new AdminRefusal('the time is from 1ms to 7d');
}

function toLimit(limit: unknown): number {
  if (Number.isSafeInteger(limit) && Number(limit) > 0) return Math.min(Number(limit), LIMIT_MAX);
  throw new AdminRefusal('the limit is a number of lines');
}
