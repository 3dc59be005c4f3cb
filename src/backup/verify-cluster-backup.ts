/**
 * Verifies the backup of a cluster: each node's, and that it is the one that was made for it.
 *
 * Needs no node. A node without a backup is told as one whose backup is damaged.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault } from '../base/fault.ts';
import {
  CLUSTER_MANIFEST_NAME,
  findNodeBackup,
  isUnfinishedManifest,
  readClusterManifest,
} from './cluster-manifest.ts';
import type { ClusterManifest, NodeBackup } from './cluster-manifest.ts';
import { verifyBackup } from './verify-backup.ts';

interface NodeVerdict {
  readonly node: string;
  readonly bytes: number;
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

export interface ClusterVerdict {
  readonly isSound: boolean;
  readonly manifest: ClusterManifest;
  readonly nodes: readonly NodeVerdict[];
  /** Of none of the nodes. */
  readonly problems: readonly string[];
}

/** Rejects with a fault where there is no backup of a cluster to verify. */
export async function verifyClusterBackup(folder: string): Promise<ClusterVerdict> {
  const manifest = await readClusterManifest(folder);
  const expected = new Set([CLUSTER_MANIFEST_NAME, ...manifest.nodes.map(({ node }) => node)]);
  const strangers = (await readdir(folder)).filter((name) => {
    return !expected.has(name) && !isUnfinishedManifest(name);
  });
  const problems = strangers.map((name) => `${name} does not belong to it`);
  const nodes: NodeVerdict[] = [];
  for (const each of manifest.nodes) nodes.push(await verdictOf(folder, each));
  const isSound = problems.length === 0 && nodes.every((node) => node.problems.length === 0);
  return { isSound, manifest, nodes, problems };
}

async function verdictOf(folder: string, noted: NodeBackup): Promise<NodeVerdict> {
  const { node } = noted;
  if (noted.outcome === 'failed') return { node, bytes: 0, problems: ['it has no backup'] };
  try {
    const { bytes, problems } = await verifyBackup(join(folder, node));
    const found = await findNodeBackup(folder, node);
    const isNoted = found.outcome === 'done' && found.sha256 === noted.sha256;
    const another = isNoted ? [] : ['it is not the backup that was made'];
    return { node, bytes, problems: [...another, ...problems] };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { node, bytes: 0, problems: [error.message] };
  }
}
