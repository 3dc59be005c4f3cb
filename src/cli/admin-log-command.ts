/**
 * `vertebra admin log`: what a running node says, and how much of it.
 */

import { InvalidArgumentError, type Command } from 'commander';
import type { LevelReport, ShownLevel } from '../base/log-levels.ts';
import { terminalJson } from '../base/terminal-json.ts';
import { formatDuration, parseDurationMs } from '../config/units.ts';
import type { Ask } from './admin-command.ts';
import { toCount } from './admin-load-command.ts';

interface SetChoices {
  readonly subsystem?: string;
  readonly for?: number;
}

export function addLogCommands(admin: Command, ask: Ask): void {
  const log = admin.command('log').description('what a running node says, and how much of it');
  log
    .command('show')
    .description('the level of the log, and of subsystems that have their own')
    .action(() => ask('log show', {}, levelsText));
  log
    .command('set <level>')
    .description('write what is of this level and above: debug, info, warn, error or silent')
    .option('--subsystem <name>', 'of this subsystem only: the first word of its events')
    .option(
      '--for <duration>',
      'then as configured again, such as 10m; default until it stops',
      toTime,
    )
    .action((level: string, { subsystem, for: forMs }: SetChoices) =>
      ask('log set', { level, subsystem, forMs }, levelsText),
    );
  log
    .command('reset')
    .description('as configured again')
    .option('--subsystem <name>', 'this subsystem only')
    .action(({ subsystem }: SetChoices) => ask('log reset', { subsystem }, levelsText));
  log
    .command('tail')
    .description('the newest lines that the node has written, wherever they went')
    .option('--limit <number>', 'so many; default 20, at most 1000', toCount)
    .action(({ limit }: { limit?: number }) => ask('log tail', { limit }, linesText));
}

function toTime(text: string): number {
  const timeMs = parseDurationMs(text);
  if (timeMs === undefined) throw new InvalidArgumentError('It must be a duration, such as 10m.');
  return timeMs;
}

/** A line for all, and one for each subsystem that has its own. */
export function levelsText({ configured, subsystems, ...all }: LevelReport): string {
  const isConfigured = all.level === configured && all.leftMs === undefined;
  const own = subsystems.map((each) => `  ${each.subsystem}: ${levelText(each, configured)}`);
  return [
    isConfigured ? `${all.level}, as configured` : levelText(all, configured),
    ...(own.length > 0 ? ['but', ...own] : []),
  ].join('\n');
}

function levelText({ level, leftMs }: ShownLevel, configured: string): string {
  if (leftMs === undefined) return `${level} until the node stops (configured: ${configured})`;
  const seconds = Math.ceil(leftMs / 1_000);
  return `${level} for another ${formatDuration(seconds * 1_000)} (configured: ${configured})`;
}

function linesText(lines: readonly unknown[]): string {
  return lines.map((line) => terminalJson(line)).join('\n');
}
