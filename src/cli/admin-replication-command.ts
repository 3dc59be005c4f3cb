/**
 * `vertebra admin replication`: what other clusters fetch here, and what is fetched from them.
 */

import type { Command } from 'commander';
import type { QueueStatus } from '../node/replication-queue.ts';
import type { SourceStatus } from '../replication/sinks.ts';
import type { Ask } from './admin-command.ts';
import { amountText } from './amount-text.ts';
import { textTable } from './text-table.ts';

interface Named {
  readonly queue?: string;
  readonly source?: string;
}

export interface ReplicationReport {
  readonly queues: readonly QueueStatus[];
  readonly sources: readonly SourceStatus[];
}

export function addReplicationCommands(admin: Command, ask: Ask): void {
  const replication = admin
    .command('replication')
    .description('replication with other clusters, as this node does it');
  replication
    .command('status')
    .description('the queues that others fetch from, and the sources that this node fetches from')
    .action(() => ask('replication status', {}, replicationText));
  withName(replication.command('pause'))
    .description('give out nothing of a queue, or fetch nothing from a source, on this node')
    .action((named: Named) => ask('replication pause', { ...named }));
  withName(replication.command('resume'))
    .description('go on')
    .action((named: Named) => ask('replication resume', { ...named }));
  replication
    .command('sync')
    .description('compare everything with a source now, or with all, and fetch what differs')
    .option('--source <name>', 'with this one')
    .action((named: Named) => ask('replication sync', { ...named }));
  replication
    .command('clear-overflow')
    .description('take it that no key is missing from a queue that was full')
    .requiredOption('--queue <name>', 'of this one')
    .action((named: Named) => ask('replication clear-overflow', { ...named }));
}

function withName(command: Command): Command {
  return command
    .option('--queue <name>', 'that others fetch from')
    .option('--source <name>', 'that is fetched from');
}

export function replicationText({ queues, sources }: ReplicationReport): string {
  const parts: string[] = [];
  if (queues.length > 0) parts.push(queuesText(queues));
  for (const { name, diskTrouble } of queues) {
    if (diskTrouble === undefined) continue;
    parts.push(`${name}: its keys are in memory only: ${diskTrouble}`);
  }
  if (sources.length > 0) parts.push(sourcesText(sources));
  for (const { source, nodes, refused } of sources) {
    for (const { address, trouble, silentMs } of nodes) {
      if (trouble === undefined) continue;
      parts.push(`${source}: ${address} does not answer for ${seconds(silentMs)}: ${trouble}`);
    }
    const reasons = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
    if (reasons.length > 0) parts.push(`${source}: not taken: ${reasons.join(', ')}`);
  }
  return parts.length === 0 ? 'no replication is configured' : parts.join('\n\n');
}

function queuesText(queues: readonly QueueStatus[]): string {
  return textTable(
    ['queue', 'waiting', 'of a sync', 'out', 'on disk', 'oldest', 'consumers', 'dropped', 'state'],
    queues.map((queue) => [
      queue.name,
      `${queue.realTime}`,
      `${queue.sync}`,
      `${queue.out}`,
      amountText(queue.diskBytes),
      queue.oldestAgeMs === undefined ? '-' : seconds(queue.oldestAgeMs),
      `${queue.consumers}`,
      `${queue.dropped}`,
      stateOf(queue),
    ]),
  );
}

function stateOf({ isPaused, isOverflowed }: QueueStatus): string {
  const states = [...(isPaused ? ['paused'] : []), ...(isOverflowed ? ['overflowed'] : [])];
  return states.length === 0 ? 'open' : states.join(', ');
}

function sourcesText(sources: readonly SourceStatus[]): string {
  return textTable(
    ['source', 'queue', 'nodes', 'behind', 'taken', 'tried again', 'state', 'full-sync'],
    sources.map((source) => [
      source.source,
      source.queue,
      `${source.nodes.filter(({ trouble }) => trouble === undefined).length}/${source.nodes.length}`,
      seconds(source.lagMs),
      `${source.absorbed + source.unchanged}`,
      `${source.retried}`,
      source.isPaused ? 'paused' : 'fetching',
      fullSyncText(source),
    ]),
  );
}

function fullSyncText({ fullSync: { progress, last, isHere, intervalMs } }: SourceStatus): string {
  if (progress !== undefined) {
    const { bucketsCompared, buckets, keys } = progress;
    return `${bucketsCompared} of ${buckets} buckets, ${keys} keys asked for`;
  }
  if (last === undefined) {
    if (intervalMs === 0) return 'when asked for';
    return isHere ? 'none yet' : 'by another node';
  }
  const outcome = last.failure ?? `${last.buckets} buckets, ${last.keys} keys asked for`;
  return `${last.endedAt}, ${seconds(last.durationMs)}: ${outcome}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
