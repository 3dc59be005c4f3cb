/**
 * `vertebra admin backup`: copies of a running node, or of each with `--all`, and what they are worth.
 *
 * `create` stays until the backup is whole and ends with 1 if it does not become so: a timer's job needs
 * nothing else. `verify` reads a folder and asks no node.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import type { ClusterConfig, NodeConfig } from '../config/cluster-config.ts';
import { parseSizeBytes } from '../config/units.ts';
import type { Ask } from './admin-command.ts';
import {
  backupReason,
  backupStatusText,
  clusterBackupText,
  clusterVerdictText,
  verdictText,
  type BackupStatus,
} from './backup-text.ts';

/** Asks without printing. */
type Query = (command: string, options?: Record<string, unknown>) => Promise<unknown>;

export interface BackupCommandPorts {
  readonly ask: Ask;
  readonly query: Query;
  readonly config: () => ClusterConfig;
  readonly queryOf: (node: NodeConfig) => Query;
}

interface CreateOptions {
  readonly rate: number;
  readonly base?: string;
  readonly trustBase?: boolean;
  readonly detach?: boolean;
}

const MIB = 1024 * 1024;
const POLL_MS = 200;
const TELL_MS = 10_000;

export function addBackupCommands(admin: Command, ports: BackupCommandPorts): void {
  const { ask } = ports;
  const backup = admin.command('backup').description('copies of running nodes');
  backup
    .command('create <folder>')
    .description('copy what the node holds now to a new folder on its machine; --all: each node')
    .option('--rate <size>', 'a second at most, as 64MiB', rateOf, 64 * MIB)
    .option('--base <folder>', 'an older backup: what it has already is shared with it, not copied')
    .option('--trust-base', 'do not read what is shared; its sizes alone are looked at')
    .option('--detach', 'do not wait for it; see backup status')
    .action((folder: string, options: CreateOptions) => {
      const { all, json } = admin.opts<{ all?: boolean; json?: boolean }>();
      return all === true
        ? createAll(ports, resolve(folder), { ...options, isJson: json === true })
        : create(ports, resolve(folder), options);
    });
  backup
    .command('status')
    .description('how far the last `create` is')
    .action(() => ask('backup status', {}, backupStatusText));
  backup
    .command('cancel')
    .description('end it, and remove what there is of it')
    .action(() => ask('backup cancel', {}, backupStatusText));
  backup
    .command('verify <folder>')
    .description('read a backup, of a node or of a cluster, and compare it with its checksums')
    .action((folder: string) =>
      verify(resolve(folder), admin.opts<{ json?: boolean }>().json === true),
    );
}

async function create(
  { ask, query }: BackupCommandPorts,
  folder: string,
  options: CreateOptions,
): Promise<void> {
  if (options.detach === true) return ask('backup create', parametersOf(folder, options));
  await backUp(query, folder, options);
  return ask('backup status', {}, backupStatusText);
}

/** Exits with 1 unless each node of the file has a backup then. */
async function createAll(
  { config, queryOf }: BackupCommandPorts,
  folder: string,
  options: CreateOptions & { readonly isJson: boolean },
): Promise<void> {
  if (options.detach === true) throw new Error('--detach is for one node, not for --all');
  const { clusterName: cluster, nodes } = config();
  const base = options.base === undefined ? undefined : resolve(options.base);
  const { backUpCluster } = await import('./cluster-backup.ts');
  const manifest = await backUpCluster(
    { folder, base },
    {
      cluster,
      nodes,
      backUp: (node, { folder, base }) => {
        const { base: _, ...rest } = options;
        const own = base === undefined ? rest : { ...rest, base };
        return backUp(queryOf(node), folder, own);
      },
      tell: (line) => {
        console.error(line);
      },
    },
  );
  console.log(
    options.isJson ? JSON.stringify(manifest, undefined, 2) : clusterBackupText(manifest),
  );
  if (manifest.nodes.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
}

async function verify(folder: string, isJson: boolean): Promise<void> {
  const { CLUSTER_MANIFEST_NAME } = await import('../backup/cluster-manifest.ts');
  const isOfCluster = existsSync(join(folder, CLUSTER_MANIFEST_NAME));
  const { verdict, text } = await (isOfCluster ? clusterVerdictOf(folder) : verdictOf(folder));
  console.log(isJson ? JSON.stringify(verdict, undefined, 2) : text);
  if (!verdict.isSound) process.exitCode = 1;
}

interface Verified {
  readonly verdict: { readonly isSound: boolean };
  readonly text: string;
}

async function verdictOf(folder: string): Promise<Verified> {
  const { verifyBackup } = await import('../backup/verify-backup.ts');
  const verdict = await verifyBackup(folder);
  return { verdict, text: verdictText(verdict) };
}

async function clusterVerdictOf(folder: string): Promise<Verified> {
  const { verifyClusterBackup } = await import('../backup/verify-cluster-backup.ts');
  const verdict = await verifyClusterBackup(folder);
  return { verdict, text: clusterVerdictText(verdict) };
}

function parametersOf(
  folder: string,
  { rate, base, trustBase }: CreateOptions,
): Record<string, unknown> {
  const onBase = base !== undefined && { base: resolve(base), isBaseTrusted: trustBase === true };
  return { folder, bytesPerSecond: rate, ...onBase };
}

/** Resolves when the backup is whole. */
async function backUp(query: Query, folder: string, options: CreateOptions): Promise<void> {
  await query('backup create', parametersOf(folder, options));
  const status = await ended(query, folder);
  if (status.state !== 'done') throw new Error(`no backup was made: ${backupReason(status)}`);
}

/** Waits for the end of the backup under way, and tells on stderr how far it is. */
async function ended(query: Query, own: string): Promise<BackupStatus> {
  let toldMs = performance.now();
  for (;;) {
    const status = (await query('backup status')) as BackupStatus;
    // A node tells of the last one only.
    const folder = status.progress?.folder ?? own;
    if (folder !== own) {
      const since = `another backup, to ${folder}, has begun since`;
      throw new Error(`what became of ${own} is not known: ${since}`);
    }
    if (status.state !== 'running') return status;
    if (performance.now() - toldMs >= TELL_MS) {
      toldMs = performance.now();
      console.error(backupStatusText(status));
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
