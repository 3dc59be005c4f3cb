/**
 * The backup of a cluster: a folder with one backup of each node, and what became of each.
 *
 *   FOLDER/cluster-backup.json   this, written again after each node
 *   FOLDER/NODE/…                the backup of a node, whole by itself
 *
 * The nodes' backups show different moments; there is no moment that a cluster without a master is at.
 */

import { createHash, randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { syncFolder, writeSynced } from './backup-files.ts';
import { decodeManifest, MANIFEST_NAME, readSealed, sealed, unsealed } from './backup-manifest.ts';
import type { BackupManifest } from './backup-manifest.ts';

/** What there is of a node. */
export type NodeBackup = { readonly node: string } & (
  | ({
      readonly outcome: 'done';
      /** Of its manifest. */
      readonly sha256: string;
    } & Pick<BackupManifest, 'takenAt' | 'epoch' | 'entries' | 'copiedBytes' | 'sharedBytes'>)
  | { readonly outcome: 'failed'; readonly reason: string }
);

export interface ClusterManifest {
  readonly cluster: string;
  /** Of the last run; ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  /** The folder of the older backup of the cluster. */
  readonly base?: string;
  /** In the order of `cluster.yml`. */
  readonly nodes: readonly NodeBackup[];
}

export const CLUSTER_MANIFEST_NAME = 'cluster-backup.json';

const FORMAT = 'vertebra-cluster-backup-1';
const UNFINISHED = /^cluster-backup\.json\.[0-9a-f]{8}\.new$/;
/** As `cluster.yml` has it: no way out of the folder. */
const NODE = /^[A-Za-z0-9_.-]+@[A-Za-z0-9_.:-]+$/;

/** What one who was killed while he wrote a manifest has left: it is nothing, and does no harm. */
export function isUnfinishedManifest(name: string): boolean {
  return UNFINISHED.test(name);
}

/** Rejects with a fault where there is none. */
export async function readClusterManifest(folder: string): Promise<ClusterManifest> {
  const name = CLUSTER_MANIFEST_NAME;
  const fields = unsealed(await readSealed(folder, name), { name, format: FORMAT });
  const { cluster, startedAt, endedAt, nodes } = fields;
  const isWhole =
    [cluster, startedAt, endedAt].every((field) => typeof field === 'string') &&
    Array.isArray(nodes) &&
    nodes.every(isNodeBackup);
  if (!isWhole) throw new Fault('malformed', `${name} says what no manifest says`);
  return fields as unknown as ClusterManifest;
}

/** In the place of the one that is there; it is the old one or the new one at any moment. */
export async function writeClusterManifest(
  folder: string,
  manifest: ClusterManifest,
): Promise<void> {
  const path = join(folder, CLUSTER_MANIFEST_NAME);
  // Other machines may be writing theirs.
  const unfinished = `${path}.${randomBytes(4).toString('hex')}.new`;
  try {
    await writeSynced(unfinished, sealed(FORMAT, manifest));
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** What the manifest of the node's backup says; rejects with a fault where that is not whole. */
export async function findNodeBackup(folder: string, node: string): Promise<NodeBackup> {
  const text = await readSealed(join(folder, node), MANIFEST_NAME);
  const manifest = decodeManifest(text);
  if (manifest.node !== node) {
    throw new Fault('config', `${join(folder, node)} is a backup of ${manifest.node}`);
  }
  const { takenAt, epoch, entries, copiedBytes, sharedBytes } = manifest;
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { node, outcome: 'done', takenAt, epoch, entries, copiedBytes, sharedBytes, sha256 };
}

function isNodeBackup(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { node, outcome } = value as Partial<NodeBackup>;
  return typeof node === 'string' && NODE.test(node) && /^(done|failed)$/.test(String(outcome));
}
