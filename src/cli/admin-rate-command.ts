/**
 * `vertebra admin rate`: how fast background work goes, while the node runs.
 */

import { InvalidArgumentError, type Command } from 'commander';
import { formatDuration, parseDurationMs, parseSizeBytes } from '../config/units.ts';
import { PACED_WORK, type ShownRate } from '../node/rates.ts';
import type { Ask } from './admin-command.ts';
import { amountText } from './amount-text.ts';
import { textTable } from './text-table.ts';

export const RATE_COLUMNS = ['work', 'now', 'configured', 'for another'];

export function addRateCommands(admin: Command, ask: Ask): void {
  const rate = admin.command('rate').description('how fast background work goes');
  rate
    .command('show')
    .description('the rates of this node, in bytes a second')
    .action(() => ask('rate show', {}, ratesText));
  rate
    .command('set <work> <rate>')
    .description(`such as 4MiB a second; the work is ${PACED_WORK.join(', ')}`)
    .option(
      '--for <duration>',
      'then as configured again, such as 2h; default until it stops',
      toTime,
    )
    .action((work: string, text: string, { for: forMs }: { for?: number }) =>
      ask('rate set', { work, bytesPerSecond: toRate(text), forMs }, ratesText),
    );
  rate
    .command('reset [work]')
    .description('as configured again')
    .action((work?: string) => ask('rate reset', { work }, ratesText));
}

function toTime(text: string): number {
  const timeMs = parseDurationMs(text);
  if (timeMs === undefined) throw new InvalidArgumentError('It must be a duration, such as 2h.');
  return timeMs;
}

function toRate(text: string): number {
  const bytesPerSecond = parseSizeBytes(text);
  if (bytesPerSecond === undefined) throw new Error('the rate must be a size, such as 4MiB');
  return bytesPerSecond;
}

function ratesText(rates: readonly ShownRate[]): string {
  return textTable(RATE_COLUMNS, rates.map(rateRow));
}

export function rateRow({ work, bytesPerSecond, configured, leftMs }: ShownRate): string[] {
  const left = leftMs === undefined ? '' : formatDuration(Math.ceil(leftMs / 1_000) * 1_000);
  return [work, `${amountText(bytesPerSecond)}/s`, `${amountText(configured)}/s`, left];
}
