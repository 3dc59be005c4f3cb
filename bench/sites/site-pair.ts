/**
 * Two clusters of real processes on this machine that replicate both ways, over links that can be cut.
 */

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { askNode } from '../../src/admin/admin-client.ts';
import { adminSocketPath } from '../../src/admin/admin-socket.ts';
import type { ReplicationReport } from '../../src/cli/admin-replication-command.ts';
import { DevCluster, type DevNode } from '../../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../../src/cli/dev-command.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { SiteLink } from './site-link.ts';

/** Of all nodes of a site. */
export interface SiteState {
  /** How far the site is behind the other. */
  readonly lagMs: number;
  /** Keys that the other has not fetched and acknowledged. */
  readonly queued: number;
  readonly diskBytes: number;
  readonly dropped: number;
}

export class Site {
  readonly name: string;
  readonly cluster: DevCluster;
  readonly nodes: readonly DevNode[];
  readonly client: VertebraClient;
  /** What it fetches comes over this. */
  readonly link: SiteLink;

  constructor(name: string, cluster: DevCluster, link: SiteLink) {
    this.name = name;
    this.cluster = cluster;
    this.nodes = cluster.nodes;
    this.link = link;
    this.client = new VertebraClient({
      nodes: this.nodes.map(({ pbcPort: port }) => ({ host: '127.0.0.1', port })),
    });
  }

  async state(): Promise<SiteState> {
    const reports = await Promise.all(this.nodes.map((node) => statusOf(node)));
    const queues = reports.flatMap((report) => report.queues);
    const sum = (valueOf: (queue: (typeof queues)[number]) => number): number =>
      queues.reduce((total, queue) => total + valueOf(queue), 0);
    return {
      lagMs: Math.max(...reports.flatMap(({ sources }) => sources.map(({ lagMs }) => lagMs))),
      queued: sum(({ realTime, sync, out }) => realTime + sync + out),
      diskBytes: sum(({ diskBytes }) => diskBytes),
      dropped: sum(({ dropped }) => dropped),
    };
  }

  get pids(): number[] {
    return this.nodes.flatMap(({ name }) => this.cluster.mustChild(name).pid ?? []);
  }

  async stop(): Promise<void> {
    this.client.close();
    this.link.close();
    await this.cluster.stop();
  }
}

export interface SitePairOptions {
  readonly folder: string;
  readonly basePort: number;
  /** Of each site. */
  readonly nodes: readonly [number, number];
  readonly entryPoint: string;
  /** Bucket types of both. */
  readonly types: Readonly<Record<string, object>>;
}

/** Ports that one site has at most. */
const PORTS = 100;

/** Ready to serve, and empty. */
export async function startSites(options: SitePairOptions): Promise<readonly [Site, Site]> {
  const { folder, basePort, entryPoint, types } = options;
  const prepared = options.nodes.map((nodes, index) => {
    const data = join(folder, index === 0 ? 'a' : 'b');
    const configPath = writeDevConfig({ nodes, basePort: basePort + index * PORTS, data });
    return { configPath, nodes: devNodes(configPath) };
  });
  const links = await Promise.all(
    prepared.map(({ nodes }) => SiteLink.to(nodes.map(({ pbcPort }) => pbcPort))),
  );
  const sites = prepared.map(({ configPath, nodes }, index) => {
    // What goes to a site comes over the link to the other.
    const link = links[1 - index] as SiteLink;
    appendFileSync(configPath, replicationSettings(link));
    const cluster = new DevCluster({ configPath, nodes, entryPoint });
    return new Site(index === 0 ? 'a' : 'b', cluster, link);
  });
  for (const { cluster } of sites) {
    await cluster.start();
    await cluster.ensureBucketTypes(types);
  }
  return sites as unknown as readonly [Site, Site];
}

function replicationSettings({ ports }: SiteLink): string {
  const nodes = ports.map((port) => `'127.0.0.1:${port}'`).join(', ');
  return [
    'replication:',
    '  queues: [{ name: to_other }]',
    `  sources: [{ name: other, queue: to_other, nodes: [${nodes}], full_sync: 0s }]`,
    '',
  ].join('\n');
}

async function statusOf({ dataFolder }: DevNode): Promise<ReplicationReport> {
  const request = { command: 'replication status', arguments: {} };
  return (await askNode(adminSocketPath(dataFolder), request, 10_000)) as ReplicationReport;
}
