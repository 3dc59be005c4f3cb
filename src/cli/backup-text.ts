/**
 * Backups, for people.
 */

import type { BackupProgress } from '../backup/backup-writer.ts';
import type { ClusterManifest } from '../backup/cluster-manifest.ts';
import type { BackupVerdict } from '../backup/verify-backup.ts';
import type { ClusterVerdict } from '../backup/verify-cluster-backup.ts';
import type { JobStatus } from '../repair/job.ts';
import { textTable } from './text-table.ts';

export type BackupStatus = JobStatus<BackupProgress>;

const MIB = 1024 * 1024;

export function backupStatusText(status: BackupStatus): string {
  const { state, progress, tookMs } = status;
  if (state === 'none') return 'no backup was asked for since this node started';
  const seconds = Math.ceil(tookMs / 1000);
  if (state === 'failed' || progress === undefined) return `${state}: ${backupReason(status)}`;
  const { folder, entries, bytes, sharedBytes, baseDamaged } = progress;
  const far = state === 'running' ? `${stepText(progress)}, ` : '';
  const copied = sharedBytes > 0 ? ' copied' : '';
  const shared = sharedBytes > 0 ? `, ${mibText(sharedBytes)} shared with the base` : '';
  const size = `${entries} entries, ${mibText(bytes)}${copied}${shared}`;
  const damaged =
    baseDamaged === 0 ? '' : `\nof the base ${baseDamaged} files were damaged or gone: copied`;
  return `${state}: ${folder}, ${far}${size} in ${seconds} s${damaged}`;
}

export function backupReason({ state, reason }: BackupStatus): string {
  return reason ?? state;
}

export function verdictText({ isSound, manifest, bytes, problems }: BackupVerdict): string {
  const { node, takenAt, epoch, files, base } = manifest;
  const whose = `backup of ${node} at ${takenAt}, epoch ${epoch}`;
  if (!isSound) return [`${whose}: not sound`, ...problems.map((each) => `  ${each}`)].join('\n');
  const shared =
    base === undefined
      ? ''
      : `, ${mibText(manifest.sharedBytes)} of them shared with ${base.folder}`;
  return `${whose}: sound, ${files.length} files, ${mibText(bytes)}${shared}`;
}

/** A row for each node, and below it why there is none of some. */
export function clusterBackupText({ nodes }: ClusterManifest): string {
  const rows = nodes.map((each) =>
    each.outcome === 'failed'
      ? [each.node, 'MISSING']
      : [
          each.node,
          'done',
          each.takenAt,
          `${each.epoch}`,
          `${each.entries}`,
          mibText(each.copiedBytes),
          mibText(each.sharedBytes),
        ],
  );
  const columns = ['node', 'backup', 'shows', 'epoch', 'entries', 'copied', 'shared'];
  const reasons = nodes.flatMap((each) =>
    each.outcome === 'failed' ? [`${each.node}: ${each.reason}`] : [],
  );
  return [textTable(columns, rows), ...(reasons.length > 0 ? ['', ...reasons] : [])].join('\n');
}

export function clusterVerdictText(verdict: ClusterVerdict): string {
  const { isSound, manifest, nodes, problems } = verdict;
  const whose = `backup of the cluster ${manifest.cluster} at ${manifest.startedAt}`;
  const rows = nodes.map((each) => {
    const made = manifest.nodes.find(({ node }) => node === each.node);
    const [shows, epoch] = made?.outcome === 'done' ? [made.takenAt, `${made.epoch}`] : ['-', '-'];
    const state = each.problems.length === 0 ? 'sound' : 'NOT SOUND';
    return [each.node, state, shows, epoch, mibText(each.bytes)];
  });
  const table = textTable(['node', 'backup', 'shows', 'epoch', 'size'], rows);
  const troubles = [
    ...problems,
    ...nodes.flatMap((each) => each.problems.map((problem) => `${each.node}: ${problem}`)),
  ];
  const below = troubles.length > 0 ? ['', ...troubles] : [];
  return [`${whose}: ${isSound ? 'sound' : 'not sound'}`, '', table, ...below].join('\n');
}

export const backupStatusColumns = ['backup', 'folder', 'step', 'copied', 'shared', 's'] as const;

export function backupStatusRow(status: BackupStatus): readonly string[] {
  const { state, progress, tookMs } = status;
  if (progress === undefined) return [state, status.reason ?? ''];
  const { folder, bytes, sharedBytes } = progress;
  const step = state === 'running' ? stepText(progress) : '';
  const seconds = `${Math.ceil(tookMs / 1000)}`;
  return [state, folder, step, mibText(bytes), mibText(sharedBytes), seconds];
}

function mibText(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function stepText({ step, ...progress }: BackupProgress): string {
  const [done, of] =
    step === 'base'
      ? [progress.checkedBytes, progress.sharedBytes]
      : [progress.bytes, progress.bytesExpected];
  return `${step}, about ${Math.floor((done * 100) / Math.max(1, of))} %`;
}
