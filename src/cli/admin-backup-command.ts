/**
 * `vertebra admin backup`: copies of a running node, and what they are worth.
 *
 * `create` stays until the backup is whole and ends with 1 if it does not become so: a timer's job needs
 * nothing else. `verify` reads a folder and asks no node.
 */

import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { BackupProgress } from '../backup/backup-writer.ts';
import type { BackupVerdict } from '../backup/verify-backup.ts';
import { parseSizeBytes } from '../config/units.ts';
import type { JobStatus } from '../repair/job.ts';
import type { Ask } from './admin-command.ts';

/** Asks without printing. */
type Query = (command: string, options?: Record<string, unknown>) => Promise<unknown>;

type BackupStatus = JobStatus<BackupProgress>;

interface CreateOptions {
  readonly rate: number;
  readonly detach?: boolean;
}

const MIB = 1024 * 1024;
const POLL_MS = 200;
const TELL_MS = 10_000;

export function addBackupCommands(
  admin: Command,
  { ask, query }: { readonly ask: Ask; readonly query: Query },
): void {
  const backup = admin.command('backup').description('copies of a running node');
  backup
    .command('create <folder>')
    .description('copy what the node holds now to a new folder on its machine')
    .option('--rate <size>', 'a second at most, as 64MiB', rateOf, 64 * MIB)
    .option('--detach', 'do not wait for it; see backup status')
    .action(async (folder: string, { rate, detach }: CreateOptions) => {
      const parameters = { folder: resolve(folder), bytesPerSecond: rate };
      if (detach === true) return ask('backup create', parameters);
      await query('backup create', parameters);
      const status = await ended(query);
      if (status.state !== 'done') throw new Error(`no backup was made: ${reasonOf(status)}`);
      return ask('backup status', {}, statusText);
    });
  backup
    .command('status')
    .description('how far the last `create` is')
    .action(() => ask('backup status', {}, statusText));
  backup
    .command('cancel')
    .description('end it, and remove what there is of it')
    .action(() => ask('backup cancel', {}, statusText));
  backup
    .command('verify <folder>')
    .description('read a backup whole and compare it with its checksums; asks no node')
    .action(async (folder: string) => {
      const { verifyBackup } = await import('../backup/verify-backup.ts');
      const verdict = await verifyBackup(resolve(folder));
      const isJson = admin.opts<{ json?: boolean }>().json === true;
      console.log(isJson ? JSON.stringify(verdict, undefined, 2) : verdictText(verdict));
      if (!verdict.isSound) process.exitCode = 1;
    });
}

/** Waits for the end of the backup under way, and tells on stderr how far it is. */
async function ended(query: Query): Promise<BackupStatus> {
  let toldMs = performance.now();
  for (;;) {
    const status = (await query('backup status')) as BackupStatus;
    if (status.state !== 'running') return status;
    if (performance.now() - toldMs >= TELL_MS) {
      toldMs = performance.now();
      console.error(statusText(status));
    }
    await new Promise((next) => setTimeout(next, POLL_MS));
  }
}

function rateOf(text: string): number {
  const bytesPerSecond = parseSizeBytes(text);
  if (bytesPerSecond === undefined || bytesPerSecond === 0) {
    throw new InvalidArgumentError('It must be a size, such as 64MiB.');
  }
  return bytesPerSecond;
}

function reasonOf({ state, reason }: BackupStatus): string {
  return reason ?? state;
}

function statusText(status: BackupStatus): string {
  const { state, progress, tookMs } = status;
  if (state === 'none') return 'no backup was asked for since this node started';
  const seconds = Math.ceil(tookMs / 1000);
  if (state === 'failed' || progress === undefined) return `${state}: ${reasonOf(status)}`;
  const { folder, step, entries, bytes, bytesExpected } = progress;
  const percent = Math.floor((bytes * 100) / Math.max(1, bytesExpected));
  const far = state === 'running' ? `${step}, about ${percent} %, ` : '';
  const size = `${entries} entries, ${(bytes / MIB).toFixed(1)} MiB`;
  return `${state}: ${folder}, ${far}${size} in ${seconds} s`;
}

function verdictText({ isSound, manifest, bytes, problems }: BackupVerdict): string {
  const { node, takenAt, epoch, files } = manifest;
  const whose = `backup of ${node} at ${takenAt}, epoch ${epoch}`;
  if (isSound) return `${whose}: sound, ${files.length} files, ${(bytes / MIB).toFixed(1)} MiB`;
  return [`${whose}: not sound`, ...problems.map((problem) => `  ${problem}`)].join('\n');
}
