/**
 * `vertebra admin slowlog`: what load does to a node, for people.
 */

import { InvalidArgumentError, type Command } from 'commander';
import type { ShownRequest, SlowLogReport } from '../admin/slow-log-commands.ts';
import type { Ask } from './admin-command.ts';
import { textTable } from './text-table.ts';

export function addLoadCommands(admin: Command, ask: Ask): void {
  admin
    .command('slowlog')
    .description('the newest requests that were slow, large, or met many siblings')
    .option('--limit <number>', 'so many at most; default 20', toCount)
    .action(({ limit }: { limit?: number }) => ask('slowlog', { limit }, slowLogText));
}

function toCount(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

function slowLogText({ thresholds, noted, entries }: SlowLogReport): string {
  const { slowMs, largeBytes, siblings } = thresholds;
  const from = [
    slowMs > 0 ? `${slowMs} ms` : '',
    largeBytes > 0 ? `${largeBytes} bytes` : '',
    siblings > 0 ? `${siblings} siblings` : '',
  ].filter((threshold) => threshold !== '');
  if (from.length === 0) return 'the slow log is off (slow_log in cluster.yml)';
  const heading = `${noted} requests since the start took, had or met ${from.join(' or ')} and more`;
  if (entries.length === 0) return heading;
  const columns = ['time', 'what', 'request', 'outcome', 'ms', 'in', 'out', 'siblings', 'about'];
  return `${heading}\n\n${textTable(columns, entries.map(rowOf))}`;
}

function rowOf(entry: ShownRequest): readonly string[] {
  const { type, bucket, keyFingerprint } = entry;
  const key = keyFingerprint === undefined ? undefined : `#${keyFingerprint}`;
  return [
    entry.time,
    entry.notable.join(', '),
    `${entry.api} ${entry.operation}`,
    entry.outcome,
    entry.ms.toFixed(1),
    `${entry.requestBytes}`,
    `${entry.replyBytes}`,
    entry.siblings === 0 ? '' : `${entry.siblings}`,
    [type, bucket, key].filter((part) => part !== undefined).join(' / '),
  ];
}
