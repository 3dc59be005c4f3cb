/**
 * A node that joins during a run: its share moves to it, under the load.
 *
 * It is started as an operator starts one, empty and alone, asks a member to be taken in, and the moment
 * when it owns its share is told. That may outlast the phase that it began in.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { ask, askMember } from './ask-member.ts';
import type { ClusterReport } from '../../src/admin/cluster-status.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';

const POLL_MS = 250;

export interface Arrival {
  /** That takes it in. */
  readonly cluster: DevCluster;
  /** It by itself; not started yet. */
  readonly newcomer: DevCluster;
  readonly node: DevNode;
  readonly signal: AbortSignal;
}

/** Resolves when it owns its share, or the signal has come; rejects where it is refused. */
export async function arrive(
  { cluster, newcomer, node, signal }: Arrival,
  onMark: (label: string) => void,
): Promise<void> {
  await newcomer.start();
  await joinAny(cluster, node);
  await askMember(cluster, { verb: 'commit', options: { isSure: true } });
  onMark(`${node.name} takes over`);
  while (!signal.aborted) {
    const { members, step } = (await askMember(cluster, { verb: 'status' })) as ClusterReport;
    const own = members.find(({ node: name }) => name === node.name);
    if (step === undefined && own !== undefined && own.partitions > 0) {
      onMark(`${node.name} has joined`);
      return;
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** At the first member that takes it in: one may just have been killed. */
async function joinAny({ nodes }: DevCluster, node: DevNode): Promise<void> {
  let last: unknown;
  for (const { host, peerPort } of nodes) {
    try {
      await ask(node, 'join', { address: `${host}:${peerPort}` });
      return;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
