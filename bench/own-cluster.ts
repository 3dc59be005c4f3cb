/**
 * The nodes that a run starts for itself, made so that its faults can be done to them.
 *
 * Usually they are processes on loopback. For a partition each gets a host of its own (a network namespace), for
 * a full disk a file system of its own, for a slow one a control group; what this machine does not allow is
 * refused before anything is started. One that is to join has a configuration of its own, as the first node
 * of a cluster has.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { Fault } from '../src/base/fault.ts';
import { DevCluster } from '../src/cli/dev-cluster.ts';
import { devNodes, writeDevConfig } from '../src/cli/dev-command.ts';
import { arrive } from './load/arrival.ts';
import { requireNode } from './load/faults.ts';
import { DiskThrottle } from './machine/disk-throttle.ts';
import { Hosts } from './machine/hosts.ts';
import { SmallDisk } from './machine/small-disk.ts';
import type { DevNode } from '../src/cli/dev-cluster.ts';
import type { FaultMeans, OnMark } from './load/faults.ts';
import type { WatchedProcess } from './load/process-usage.ts';
import type { FaultEvent } from './workload/workload.ts';

export interface OwnClusterOptions {
  readonly nodes: number;
  readonly basePort: number;
  readonly data: string;
  readonly entryPoint: string;
  /** What is to be possible. */
  readonly events: readonly FaultEvent[];
}

/** Room that a full disk still has, far below what a node keeps in reserve. */
const LEFT_BYTES = 16 * 1024 * 1024;
const MIB = 1024 * 1024;

export class OwnCluster implements FaultMeans {
  /** Those that are there from the start. */
  readonly cluster: DevCluster;
  readonly #newcomers = new Map<number, DevCluster>();
  readonly #hosts: Hosts | undefined;
  readonly #disks = new Map<number, SmallDisk>();
  readonly #throttles = new Map<number, DiskThrottle>();
  /** A run that is ended at once leaves nothing on the machine either; its nodes end by themselves. */
  readonly #onExit = (): void => this.#release();

  /** Throws a `config` fault where an event cannot be done here. Whoever made it closes it. */
  constructor(options: OwnClusterOptions) {
    const { nodes: count, events } = options;
    for (const event of events) {
      if (event.action !== 'command' && event.action !== 'cut') requireNode(event, count);
    }
    const joining = [...nodesOf(events, 'join')].sort((left, right) => left - right);
    const whole = writeDevConfig({ ...options, nodes: Math.max(count, ...joining) });
    if (nodesOf(events, 'partition').size > 0) {
      this.#hosts = mustHosts(devNodes(whole).length);
      moveNodes(whole, this.#hosts);
    }
    process.once('exit', this.#onExit);
    try {
      this.cluster = this.#cluster(options, configOf(whole, 'members.yml', [0, count]));
      for (const node of joining) {
        const configPath = configOf(whole, `node-${node}.yml`, [node - 1, node]);
        this.#newcomers.set(node, this.#cluster(options, configPath));
      }
      this.#takeDisks(options);
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Of all, those that are yet to join too. */
  get nodes(): readonly DevNode[] {
    return this.#all.flatMap(({ nodes }) => nodes);
  }

  get #all(): readonly DevCluster[] {
    return [this.cluster, ...this.#newcomers.values()];
  }

  /** The processes there are now. */
  processes(): WatchedProcess[] {
    return this.#all.flatMap(({ children }) =>
      children.flatMap(({ name, pid }) => (pid === undefined ? [] : [{ name, pid }])),
    );
  }

  async start(): Promise<void> {
    // What stands in the way of one that joins is not to be found out under the load.
    for (const newcomer of this.#newcomers.values()) await newcomer.requireRoom();
    await this.cluster.start();
  }

  newcomer(node: number): string {
    return this.#mustNewcomer(node).nodes[0]?.name ?? '';
  }

  join(node: number, signal: AbortSignal, onMark: OnMark): Promise<void> {
    const newcomer = this.#mustNewcomer(node);
    const [only] = newcomer.nodes as [DevNode];
    return arrive({ cluster: this.cluster, newcomer, node: only, signal }, onMark);
  }

  setApart(node: number, isApart: boolean): void {
    this.#hosts?.setApart(node - 1, isApart);
  }

  setFull(node: number, isFull: boolean): void {
    const disk = this.#disks.get(node);
    if (isFull) disk?.fill(LEFT_BYTES);
    else disk?.free();
  }

  setDiskRate(node: number, bytesPerSecond: number | undefined): void {
    const { name } = this.cluster.nodes[node - 1] as DevNode;
    const throttle = this.#throttles.get(node);
    // It may have been started again since.
    if (bytesPerSecond !== undefined) throttle?.add(this.cluster.mustChild(name).pid ?? 0);
    throttle?.limit(bytesPerSecond);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((cluster) => cluster.stop()));
    this.#release();
  }

  #cluster({ entryPoint }: OwnClusterOptions, configPath: string): DevCluster {
    const hosts = this.#hosts;
    const nodes = devNodes(configPath);
    if (hosts === undefined) return new DevCluster({ configPath, nodes, entryPoint });
    const prefixOf = ({ host }: DevNode): readonly string[] =>
      hosts.prefix(hosts.addresses.indexOf(host));
    return new DevCluster({ configPath, nodes, entryPoint, prefixOf });
  }

  #takeDisks({ events, data }: OwnClusterOptions): void {
    const full = nodesOf(events, 'full_disk');
    for (const node of nodesOf(events, 'slow_disk')) {
      if (full.has(node)) {
        throw new Fault(
          'config',
          `the disk of node ${node} is to fill up, so it is in memory and not slow`,
        );
      }
      const throttle = DiskThrottle.open(data, `node-${node}`);
      if (throttle === undefined) {
        const why = `it needs root, Linux's block controller, and ${data} on a disk`;
        throw new Fault('config', `slow_disk is not possible here: ${why}`);
      }
      this.#throttles.set(node, throttle);
    }
    for (const { action, node, diskSize = 0 } of events) {
      const place = this.cluster.nodes[node - 1];
      if (action !== 'full_disk' || place === undefined || this.#disks.has(node)) continue;
      const disk = SmallDisk.mount(place.dataFolder, Math.ceil(diskSize / MIB));
      if (disk === undefined) {
        throw new Fault('config', 'full_disk is not possible here: it needs the right to mount');
      }
      this.#disks.set(node, disk);
    }
  }

  #mustNewcomer(node: number): DevCluster {
    const newcomer = this.#newcomers.get(node);
    if (newcomer === undefined) throw new Fault('config', `node ${node} is not to join`);
    return newcomer;
  }

  #release(): void {
    process.off('exit', this.#onExit);
    for (const throttle of this.#throttles.values()) throttle.close();
    for (const disk of this.#disks.values()) disk.unmount();
    this.#throttles.clear();
    this.#disks.clear();
    this.#hosts?.close();
  }
}

/** Whether they take what the kernel gives to a user only in a namespace of his own. */
export function needsRights(events: readonly FaultEvent[]): boolean {
  return events.some(({ action }) => action === 'partition' || action === 'full_disk');
}

function nodesOf(events: readonly FaultEvent[], wanted: FaultEvent['action']): Set<number> {
  return new Set(events.filter(({ action }) => action === wanted).map(({ node }) => node));
}

function mustHosts(count: number): Hosts {
  const hosts = Hosts.create(count);
  if (hosts instanceof Hosts) return hosts;
  const needs = 'it needs the right to make network namespaces (root, or user namespaces)';
  throw new Fault('config', `partition is not possible here: ${needs}: ${hosts.reason}`);
}

/** Each node of a configuration on a host of its own. */
function moveNodes(configPath: string, { addresses }: Hosts): void {
  const document = parse(readFileSync(configPath, 'utf8')) as { nodes: { name: string }[] };
  for (const [index, node] of document.nodes.entries()) {
    node.name = `dev${index + 1}@${addresses[index]}`;
  }
  writeFileSync(configPath, stringify(document));
}

/** Writes a configuration of some of the nodes beside one of all; returns its path. */
function configOf(whole: string, file: string, [from, to]: readonly [number, number]): string {
  const document = parse(readFileSync(whole, 'utf8')) as { nodes: unknown[] };
  const path = join(dirname(whole), file);
  writeFileSync(path, stringify({ ...document, nodes: document.nodes.slice(from, to) }));
  return path;
}
