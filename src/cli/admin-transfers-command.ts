/**
 * `vertebra admin transfers`: what a node moves, how fast, and what it waits for.
 */

import type { Command } from 'commander';
import type { TransferReport } from '../node/operations.ts';
import type { Standstill } from '../repair/standstill.ts';
import type { ActiveTransfer, TransferTotals } from '../repair/transfer-progress.ts';
import type { Ask } from './admin-command.ts';
import { textTable } from './text-table.ts';

const MIB = 1024 * 1024;

/** A node of the release before does not say what stands still. */
export type ToldTransfers = Omit<TransferReport, 'stalled'> &
  Partial<Pick<TransferReport, 'stalled'>>;

export function addTransfersCommand(admin: Command, ask: Ask): void {
  admin
    .command('transfers')
    .description('replicas on their way to and from this node, and the step of the ring')
    .action(() => ask('transfers', {}, transfersText));
}

function transfersText(report: ToldTransfers): string {
  const { active, totals, lastFailure, nowMs, isFilled, stalled = [] } = report;
  const lines = [stepText(report), ...stalled.map(stalledText)];
  if (!isFilled)
    lines.push('this node is being refilled, or its indexes mended, after damage to its disk');
  for (const total of totals) lines.push(totalsText(total));
  if (active.length > 0) lines.push(rateText(report), '', activeText(active, nowMs));
  if (lastFailure !== undefined) {
    const { kind, partition, peer, code, atMs } = lastFailure;
    lines.push(
      '',
      `last failure: ${kind} of partition ${partition} with ${peer}: ${code}, ` +
        `${seconds(nowMs - atMs)} ago`,
    );
  }
  return lines.join('\n');
}

function stepText({ step }: ToldTransfers): string {
  if (step === undefined) return 'no step of the ring is open';
  if (step.phase === 'turning') return 'the ring is turning: all are filled, reads follow';
  return `the ring is being filled; not full yet: ${step.unfilled.join(', ')}`;
}

function stalledText({ work, forMs }: Standstill): string {
  return `STANDS STILL: ${work}, no nearer to its end for ${seconds(forMs)}`;
}

function totalsText({ kind, trees, treesDone, keys, bytes, remainingMs }: TransferTotals): string {
  const left = remainingMs === undefined ? '' : `, about ${seconds(remainingMs)} left`;
  return `${kind}: ${treesDone} of ${trees} partitions, ${keys} keys, ${mib(bytes)}${left}`;
}

function rateText({ keysPerSecond, bytesPerSecond }: ToldTransfers): string {
  return `now: ${Math.round(keysPerSecond)} keys/s, ${mib(bytesPerSecond)}/s`;
}

function activeText(active: readonly ActiveTransfer[], nowMs: number): string {
  return textTable(
    ['kind', 'partition', 'n_val', 'with', 'keys', 'size', 'for'],
    active.map(({ kind, partition, nVal, peers, keys, bytes, startedMs }) => [
      kind,
      `${partition}`,
      `${nVal}`,
      peers.join(' '),
      `${keys}`,
      mib(bytes),
      seconds(nowMs - startedMs),
    ]),
  );
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
