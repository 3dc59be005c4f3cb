/**
 * `vertebra admin slowlog|hotkeys`: what load does to a node, for people.
 */

import { InvalidArgumentError, type Command } from 'commander';
import type { HotKeyReport, ShownHotKeys } from '../admin/hot-key-commands.ts';
import type { ShownRequest, SlowLogReport } from '../admin/slow-log-commands.ts';
import type { Ask } from './admin-command.ts';
import { textTable } from './text-table.ts';

export function addLoadCommands(admin: Command, ask: Ask): void {
  admin
    .command('slowlog')
    .description('the newest requests that were slow, large, or met many siblings')
    .option('--limit <number>', 'so many at most; default 20', toCount)
    .action(({ limit }: { limit?: number }) => ask('slowlog', { limit }, slowLogText));
  admin
    .command('hotkeys')
    .description('the keys that clients of this node read and write most, in the last minutes')
    .option('--reveal-keys', 'show the keys too, not their fingerprints only')
    .action(({ revealKeys }: { revealKeys?: boolean }) => {
      return ask('hotkeys', { revealKeys: revealKeys === true }, hotKeysText);
    });
}

export function toCount(text: string): number {
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
  return `${heading}\n\n${textTable(slowRequestColumns, entries.map(slowRequestRow))}`;
}

export const slowRequestColumns = [
  'time',
  'what',
  'request',
  'outcome',
  'ms',
  'in',
  'out',
  'siblings',
  'about',
] as const;

export function slowRequestRow(entry: ShownRequest): readonly string[] {
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

function hotKeysText({ halfLifeSeconds, reads, writes }: HotKeyReport): string {
  return [
    `by one operation in sixteen; what is ${halfLifeSeconds} s old weighs half`,
    hotKeysOfText('reads', reads),
    hotKeysOfText('writes', writes),
  ].join('\n\n');
}

function hotKeysOfText(what: 'reads' | 'writes', { perSecond, keys }: ShownHotKeys): string {
  const heading = `${perSecond.toFixed(1)} ${what} a second by clients of this node`;
  if (keys.length === 0) return `${heading}; no key stands out`;
  const rows = keys.map(({ share, margin, type, bucket, key, keyFingerprint, ...rest }) => [
    rest.perSecond.toFixed(1),
    `${(share * 100).toFixed(1)} %`,
    `${(margin * 100).toFixed(1)} %`,
    [type, bucket, `#${keyFingerprint}`, ...(key === undefined ? [] : [key])].join(' / '),
  ]);
  return `${heading}\n\n${textTable(['a second', 'of all', 'give or take', 'key'], rows)}`;
}
