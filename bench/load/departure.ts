/**
 * A node that leaves its cluster during a run: what it owns moves to the others, under the load.
 *
 * Asked as an operator asks, over the admin socket of another member; the moment when the last
 * partition has moved is told. The departure may outlast the phase that it began in.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { askMember } from './ask-member.ts';
import type { ClusterReport } from '../../src/admin/cluster-status.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';

const POLL_MS = 250;

export interface Departure {
  readonly cluster: DevCluster;
  readonly node: DevNode;
  readonly signal: AbortSignal;
}

/** Resolves when the node has left, or the signal has come; rejects where it is refused. */
export async function leave(departure: Departure, onMark: (label: string) => void): Promise<void> {
  const { cluster, node, signal } = departure;
  const ask = (verb: string, options = {}): Promise<unknown> =>
    askMember(cluster, { verb, options, except: node });
  await ask('leave', { node: node.name });
  await ask('commit', { isSure: true });
  onMark(`${node.name} hands over`);
  while (!signal.aborted) {
    const { members } = (await ask('status')) as ClusterReport;
    if (members.every(({ node: name }) => name !== node.name)) {
      onMark(`${node.name} has left`);
      return;
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
