/**
 * A node that leaves its cluster during a run: what it owns moves to the others, under the load.
 *
 * Asked as an operator asks, over the admin socket of another member; the moment when the last
 * partition has moved is told. The departure may outlast the phase that it began in.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { ClusterReport } from '../../src/admin/cluster-status.ts';
import type { DevCluster, DevNode } from '../../src/cli/dev-cluster.ts';

const ASK_TIMEOUT_MS = 30_000;
const POLL_MS = 250;

export interface Departure {
  readonly cluster: DevCluster;
  readonly node: DevNode;
  readonly signal: AbortSignal;
}

/** Resolves when the node has left, or the signal has come; rejects where it is refused. */
export async function leave(departure: Departure, onMark: (label: string) => void): Promise<void> {
  const { node, signal } = departure;
  await ask(departure, 'leave', { node: node.name });
  await ask(departure, 'commit', { isSure: true });
  onMark(`${node.name} hands over`);
  while (!signal.aborted) {
    const { members } = (await ask(departure, 'status', {})) as ClusterReport;
    if (members.every(({ node: name }) => name !== node.name)) {
      onMark(`${node.name} has left`);
      return;
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Of the first other member that answers: one may just have been killed. */
async function ask(
  { cluster, node }: Departure,
  verb: string,
  options: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  let last: unknown;
  for (const { name, dataFolder } of cluster.nodes) {
    if (name === node.name) continue;
    try {
      const request = { command: `cluster ${verb}`, arguments: options };
      return await askNode(adminSocketPath(dataFolder), request, ASK_TIMEOUT_MS);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}
