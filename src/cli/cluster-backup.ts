/**
 * `vertebra admin --all backup create`: the nodes of `cluster.yml`, one after the other, into one folder.
 *
 * One after the other, so that of a key's replicas no two are busy with it. What fails does not keep the
 * others, and the same command again makes what is missing. A node is reached by its socket: those on
 * other machines are missing until somebody runs the command there, on the same folder.
 */

import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../backup/backup-files.ts';
import {
  findNodeBackup,
  isUnfinishedManifest,
  readClusterManifest,
  writeClusterManifest,
} from '../backup/cluster-manifest.ts';
import type { ClusterManifest, NodeBackup } from '../backup/cluster-manifest.ts';
import { MANIFEST_NAME } from '../backup/backup-manifest.ts';
import type { NodeConfig } from '../config/cluster-config.ts';
import { isOnThisMachine } from './all-nodes.ts';

export interface ClusterBackupRequest {
  /** Absolute. */
  readonly folder: string;
  /** The folder of an older backup of the cluster. */
  readonly base: string | undefined;
}

export interface ClusterBackupPorts {
  readonly cluster: string;
  readonly nodes: readonly NodeConfig[];
  /** Resolves when the backup is whole, rejects with the reason why it is not. */
  readonly backUp: (
    node: NodeConfig,
    request: { readonly folder: string; readonly base: string | undefined },
  ) => Promise<void>;
  /** For who waits. */
  readonly tell: (line: string) => void;
}

const ELSEWHERE = 'its data folder is not on this machine: run this there, on the same folder';

/** Resolves with what there is then; rejects if nothing can be begun, or the folder takes no more. */
export async function backUpCluster(
  { folder, base }: ClusterBackupRequest,
  { cluster, nodes, backUp, tell }: ClusterBackupPorts,
): Promise<ClusterManifest> {
  const startedAt = new Date().toISOString();
  if (base !== undefined) await mustBeOf(cluster, base);
  await begin(cluster, folder);
  const backups = new Map<string, NodeBackup>();
  const note = async (): Promise<ClusterManifest> => {
    for (const { name } of nodes) {
      // Of an earlier run, or made meanwhile by one on another machine.
      const isNew = backups.get(name)?.outcome !== 'done';
      const isThere = isNew && existsSync(join(folder, name, MANIFEST_NAME));
      if (isThere) backups.set(name, await outcomeOf(folder, name));
    }
    const manifest = {
      cluster,
      startedAt,
      endedAt: new Date().toISOString(),
      ...(base !== undefined && { base }),
      nodes: nodes.map(({ name }) => backups.get(name) ?? failed(name, 'not begun')),
    };
    await writeClusterManifest(folder, manifest);
    return manifest;
  };
  // So that it is known what the folder is, should this be cut off.
  let manifest = await note();
  for (const node of nodes) {
    const { name } = node;
    if (backups.has(name)) continue;
    const nodeBase = base === undefined ? undefined : join(base, name);
    const hasBase = nodeBase !== undefined && existsSync(join(nodeBase, MANIFEST_NAME));
    const request = { folder: join(folder, name), base: hasBase ? nodeBase : undefined };
    const made = await outcomeOf(folder, name, () => backUpHere(node, () => backUp(node, request)));
    backups.set(name, made);
    manifest = await note();
    tell(`${name}: ${madeText(made, nodeBase !== undefined && !hasBase)}`);
  }
  return manifest;
}

function madeText(made: NodeBackup, lacksBase: boolean): string {
  if (made.outcome === 'failed') return made.reason;
  return lacksBase ? 'done; all is copied, because the base has no backup of it' : 'done';
}

async function outcomeOf(
  folder: string,
  node: string,
  make: () => Promise<void> = () => Promise.resolve(),
): Promise<NodeBackup> {
  try {
    await make();
    return await findNodeBackup(folder, node);
  } catch (error) {
    return failed(node, error instanceof Error ? error.message : String(error));
  }
}

function backUpHere(node: NodeConfig, backUp: () => Promise<void>): Promise<void> {
  return isOnThisMachine(node) ? backUp() : Promise.reject(new Error(ELSEWHERE));
}

function failed(node: string, reason: string): NodeBackup {
  return { node, outcome: 'failed', reason };
}

async function mustBeOf(cluster: string, folder: string): Promise<void> {
  const found = (await readClusterManifest(folder)).cluster;
  if (found !== cluster) throw new Error(`${folder} is a backup of ${found}, not of ${cluster}`);
}

/** A new folder, an empty one, or one that another run has begun, here or on another machine. */
async function begin(cluster: string, folder: string): Promise<void> {
  if (await isMade(folder)) return;
  if ((await readdir(folder)).every(isUnfinishedManifest)) return;
  try {
    await mustBeOf(cluster, folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${folder} is there already, and takes no backup: ${reason}`, { cause: error });
  }
}

/** False: it is there already. */
async function isMade(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}
