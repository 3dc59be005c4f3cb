/**
 * Two clusters of real processes that replicate both ways, over links that a test can cut.
 */

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SiteLink } from '../../bench/sites/site-link.ts';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { ReplicationReport } from '../../src/cli/admin-replication-command.ts';
import { DevCluster, type DevNode } from '../../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../../src/cli/dev-command.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { ENTRY_POINT, freeBasePort } from '../cluster/local-cluster.ts';

const READY_TIMEOUT_MS = 240_000;
const DEADLINE_MS = 120_000;

/** One of the two. */
export interface Site {
  readonly cluster: DevCluster;
  readonly nodes: readonly DevNode[];
  readonly client: VertebraClient;
  /** What it fetches comes over this. */
  readonly link: SiteLink;
  ask(command: string, options?: object, node?: DevNode): Promise<unknown>;
  status(node?: DevNode): Promise<ReplicationReport>;
}

export interface SiteOptions {
  readonly nodeCount: number;
  readonly ringSize: number;
  readonly types: Readonly<Record<string, object>>;
}

/** Each has the queue `to_other`, and the source `other`. */
export async function startSites(
  a: SiteOptions,
  b: SiteOptions,
): Promise<{ readonly sites: readonly [Site, Site]; readonly close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-sites-'));
  const prepared = [];
  for (const [index, { nodeCount }] of [a, b].entries()) {
    const basePort = await freeBasePort(nodeCount);
    const data = join(folder, `site${index}`);
    const configPath = writeDevConfig({ nodes: nodeCount, basePort, data });
    const nodes = devNodes(configPath);
    prepared.push({
      configPath,
      nodes,
      link: await SiteLink.to(nodes.map(({ pbcPort }) => pbcPort)),
    });
    if (index === 0 || prepared[0]?.nodes[0]?.pbcPort !== nodes[0]?.pbcPort) continue;
    throw new Error('both sites drew the same ports');
  }
  const sites: Site[] = [];
  for (const [index, { ringSize, types }] of [a, b].entries()) {
    const own = prepared[index] as (typeof prepared)[number];
    const { link } = prepared[1 - index] as (typeof prepared)[number];
    appendFileSync(own.configPath, settings(ringSize, link.ports));
    sites.push(await startSite({ ...own, link, types }));
  }
  const close = async (): Promise<void> => {
    for (const { client, link } of sites) {
      client.close();
      link.close();
    }
    await Promise.all(sites.map(({ cluster }) => cluster.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  return { sites: sites as [Site, Site], close };
}

function settings(ringSize: number, ports: readonly number[]): string {
  const nodes = ports.map((port) => `'127.0.0.1:${port}'`).join(', ');
  return [
    `ring_size: ${ringSize}`,
    'replication:',
    '  queues:',
    '    - name: to_other',
    "    - { name: picked, buckets: ['siblings/picked'] }",
    '  sources:',
    `    - { name: other, queue: to_other, nodes: [${nodes}], workers: 2, full_sync: 0s }`,
    `    - { queue: picked, nodes: [${nodes}], workers: 1, full_sync: 0s }`,
    '',
  ].join('\n');
}

async function startSite({
  configPath,
  nodes,
  link,
  types,
}: {
  readonly configPath: string;
  readonly nodes: readonly DevNode[];
  readonly link: SiteLink;
  readonly types: SiteOptions['types'];
}): Promise<Site> {
  const cluster = new DevCluster({
    configPath,
    nodes,
    entryPoint: ENTRY_POINT,
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  await cluster.start();
  await cluster.ensureBucketTypes(types);
  const [first] = nodes as readonly [DevNode];
  const ask = (command: string, options: object = {}, node = first): Promise<unknown> => {
    const request = { command, arguments: { ...options } };
    return askNode(adminSocketPath(node.dataFolder), request, DEADLINE_MS);
  };
  return {
    cluster,
    nodes,
    link,
    client: new VertebraClient({
      nodes: nodes.map(({ pbcPort: port }) => ({ host: '127.0.0.1', port })),
    }),
    ask,
    status: async (node) => (await ask('replication status', {}, node)) as ReplicationReport,
  };
}

/** Until `isSo` says so; it may ask, and fail for a while. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  let last: unknown;
  while (performance.now() < endMs) {
    try {
      if (await isSo()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  throw new Error(`not so in time: ${what}`, { cause: last });
}
