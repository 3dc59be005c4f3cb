/**
 * A chaos run: five real nodes under load, one fault after the other, and the verdict.
 *
 * The verdict is of two counts. Lost: acknowledged writes that are not found through some node. Equal:
 * primary replicas that hold what the others of their key hold, as each node's own copies say.
 */

import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { Hosts } from '../../../bench/machine/hosts.ts';
import { SmallDisk } from '../../../bench/machine/small-disk.ts';
import { VertebraClient } from '../../../src/client/client.ts';
import { devNodes, writeDevConfig } from '../../../src/cli/dev-command.ts';
import type { LocatedKey } from '../../../src/admin/key-commands.ts';
import { LoopDisk } from '../../storage/loop-disk.ts';
import { runCommand } from '../command-line.ts';
import { freeBasePort } from '../local-cluster.ts';

import { NodeProcess } from './node-process.ts';
import { makeRunFolder, removeDeadRuns } from './run-folder.ts';
import { keyNamed, Recorder, valueNamed } from './recorder.ts';

export const NODE_COUNT = 5;
const SMALL_DISK_MIB = 192;
/** Who has a file system that can turn read-only. */
const ON_LOOP_DISK = NODE_COUNT - 2;
const LOOP_DISK_MIB = 192;
const DEADLINE_MS = 240_000;
const LOOKS_AT_ONCE = 32;

export interface ChaosVerdict {
  readonly acknowledged: number;
  readonly failed: number;
  readonly lost: readonly string[];
  readonly replicaCount: number;
  readonly equalReplicas: number;
}

export class ChaosRun {
  readonly processes: readonly NodeProcess[];
  readonly recorder: Recorder;
  /** Why links cannot be cut here; undefined: they can. */
  readonly noHosts: string | undefined;
  readonly #folder: string;
  readonly #hosts: Hosts | undefined;
  readonly #disk: SmallDisk | undefined;
  readonly #loopDisk: LoopDisk | undefined;
  readonly #clients: readonly VertebraClient[];

  private constructor(parts: {
    readonly folder: string;
    readonly processes: readonly NodeProcess[];
    readonly hosts: Hosts | { readonly reason: string };
    readonly disk: SmallDisk | undefined;
    readonly loopDisk: LoopDisk | undefined;
  }) {
    this.#folder = parts.folder;
    this.processes = parts.processes;
    this.#hosts = parts.hosts instanceof Hosts ? parts.hosts : undefined;
    this.noHosts = parts.hosts instanceof Hosts ? undefined : parts.hosts.reason;
    this.#disk = parts.disk;
    this.#loopDisk = parts.loopDisk;
    const addresses = parts.processes.map(({ node }) => ({ host: node.host, port: node.pbcPort }));
    this.#clients = [addresses, ...addresses.map((one) => [one])].map(
      (nodes) => new VertebraClient({ nodes }),
    );
    this.recorder = new Recorder(this.#clients[0] as VertebraClient);
  }

  static async start(): Promise<ChaosRun> {
    removeDeadRuns(tmpdir());
    const folder = makeRunFolder(tmpdir());
    const hosts = Hosts.create(NODE_COUNT);
    const basePort = await freeBasePort(NODE_COUNT);
    const configPath = writeDevConfig({ nodes: NODE_COUNT, basePort, data: folder });
    if (hosts instanceof Hosts) moveNodes(configPath, hosts.addresses);
    const nodes = devNodes(configPath);
    const last = nodes.at(-1);
    const disk = last && SmallDisk.mount(last.dataFolder, SMALL_DISK_MIB);
    const loopDisk = LoopDisk.mount(join(folder, 'loop'), { sizeMib: LOOP_DISK_MIB });
    const onLoopDisk = nodes[ON_LOOP_DISK];
    if (loopDisk && onLoopDisk) symlinkSync(loopDisk.folder, onLoopDisk.dataFolder);
    mkdirSync(join(folder, 'logs'));
    const processes = nodes.map((node, index) => {
      const prefix = hosts instanceof Hosts ? hosts.prefix(index) : [];
      const logPath = join(folder, 'logs', `${index + 1}.log`);
      return new NodeProcess({ configPath, node, prefix, logPath });
    });
    try {
      await Promise.all(processes.map((process) => process.start()));
      return new ChaosRun({ folder, processes, hosts, disk, loopDisk });
    } catch (error) {
      await Promise.all(processes.map((process) => process.kill()));
      if (hosts instanceof Hosts) hosts.close();
      disk?.unmount();
      loopDisk?.unmount();
      throw error;
    }
  }

  get hasSmallDisk(): boolean {
    return this.#disk !== undefined;
  }

  get hasLoopDisk(): boolean {
    return this.#loopDisk !== undefined;
  }

  /** Until so many more writes have been acknowledged. */
  async more(count: number): Promise<void> {
    const enough = this.recorder.acknowledged.length + count;
    await until(`${count} more writes`, () => this.recorder.acknowledged.length >= enough);
  }

  /** How soon after a node is killed a second passes without an error. */
  async killAndRestart(index: number, writes: number): Promise<number> {
    const process = this.#process(index);
    const killedMs = performance.now();
    await process.kill();
    await this.more(writes);
    await until('a second without an error', () => {
      return performance.now() - killedMs - this.recorder.errorFreeAfterMs(killedMs) >= 1_000;
    });
    const errorFreeMs = this.recorder.errorFreeAfterMs(killedMs);
    await process.start();
    return errorFreeMs;
  }

  async pauseProcess(index: number, writes: number): Promise<void> {
    const process = this.#process(index);
    process.signal('SIGSTOP');
    await this.more(writes);
    process.signal('SIGCONT');
  }

  /** False: this machine gives no links that can be cut. */
  async cutLink(index: number, writes: number): Promise<boolean> {
    if (this.#hosts === undefined) return false;
    this.#hosts.setLink(index, false);
    await this.more(writes);
    this.#hosts.setLink(index, true);
    return true;
  }

  /** Fills the disk of the last node until it refuses data; false: it has none of its own. */
  async fillDisk(writes: number): Promise<boolean> {
    if (this.#disk === undefined) return false;
    const full = this.#process(NODE_COUNT - 1);
    this.#disk.fill(16 * 1024 * 1024);
    await until('the node says that its disk is full', async () => !(await isReady(full)));
    await this.more(writes);
    this.#disk.free();
    await until('the node takes data again', () => isReady(full));
    return true;
  }

  /**
   * The kernel turns one node's file system read-only, and an operator mends it and starts the node
   * again. What it says meanwhile of itself, and of a key that was acknowledged; undefined: no node
   * has such a file system here.
   */
  async turnReadOnly(writes: number): Promise<{ reason: string; found: string } | undefined> {
    if (this.#loopDisk === undefined) return undefined;
    const process = this.#process(ON_LOOP_DISK);
    this.#loopDisk.turnReadOnly();
    await until('the node says that it takes no writes', async () => !(await isReady(process)));
    const reason = (await statusOf(process))?.reason ?? '';
    await this.more(writes);
    const key = keyNamed(this.recorder.acknowledged.at(-1) ?? '');
    const { kind: found } = await (this.#clients[1 + ON_LOOP_DISK] as VertebraClient).get(key);
    await process.kill();
    this.#loopDisk.repair();
    await process.start();
    return { reason, found };
  }

  /**
   * Bytes of a stopped node's tables and value log change; it is mended as its words say, and what
   * cannot be read is looked for. Everything must have healed before. How many files were harmed.
   */
  async damageFiles(index: number, writes: number): Promise<number> {
    const process = this.#process(index);
    await process.stop();
    const count = process.damageStore();
    await this.more(writes);
    const { code, stderr } = await runCommand('repair-store', process.node.dataFolder);
    if (code !== 0) throw new Error(`the store is not mended: ${stderr}`);
    await process.start();
    await this.untilNothingOwed();
    await process.ask('repair scrub');
    await until('every copy is checked', async () => {
      const { scrub } = (await process.ask('repair status')) as { scrub: { isRunning: boolean } };
      return !scrub.isRunning;
    });
    return count;
  }

  /** A new node with the old name and an empty disk. Everything must have healed before. */
  async replaceDisk(index: number, writes: number): Promise<void> {
    const process = this.#process(index);
    await process.kill();
    process.loseDisk();
    await this.more(writes);
    await process.start();
  }

  /** The exit codes of clean stops, one node after the other. */
  async rollingRestart(indexes: readonly number[]): Promise<(number | null)[]> {
    const codes: (number | null)[] = [];
    for (const index of indexes) {
      const process = this.#process(index);
      codes.push(await process.stop());
      await process.start();
      await this.untilAllUp();
    }
    return codes;
  }

  async untilAllUp(): Promise<void> {
    await until('every node sees every other', async () => {
      const all = await Promise.all(this.processes.map(statusOf));
      return all.every((status) => status?.members.every(({ isUp }) => isUp) === true);
    });
  }

  /** Everyone has been given what was kept for it. */
  async untilNothingOwed(): Promise<void> {
    await this.untilAllUp();
    await until('no node owes anything', async () => {
      const hints = await Promise.all(this.processes.map((process) => process.ask('hints')));
      return hints.every((each) => (each as { total: number }).total === 0);
    });
  }

  /** Nothing owed, and one repair of every node passed. */
  async heal(): Promise<void> {
    await this.untilNothingOwed();
    for (const process of this.processes) await process.ask('repair run');
    await until('every node is repaired', async () => {
      const all = await Promise.all(this.processes.map((process) => process.ask('repair status')));
      return all.every((each) => (each as { job: { state: string } }).job.state === 'done');
    });
  }

  async verdict(): Promise<ChaosVerdict> {
    await this.recorder.stop();
    await this.heal();
    const keys = this.recorder.acknowledged;
    const lost = new Set<string>();
    for (const client of this.#clients.slice(1)) {
      await eachOf(keys, async (key) => {
        const found = await client.get(keyNamed(key));
        const value = found.kind === 'found' ? found.siblings[0]?.value.toString() : undefined;
        if (value !== valueNamed(key)) lost.add(key);
      });
    }
    let [replicaCount, equalReplicas] = [0, 0];
    await eachOf(keys, async (key) => {
      const request = { type: 'default', bucket: 'chaos', key };
      const { copies } = (await this.#process(0).ask('key locate', request)) as LocatedKey;
      const hashes = copies
        .filter(({ role }) => role === 'primary')
        .map(({ causalHash, state }) => (state === 'whole' ? causalHash : undefined));
      replicaCount += hashes.length;
      const [first] = hashes.filter((hash) => hash !== undefined);
      equalReplicas += hashes.filter((hash) => hash !== undefined && hash === first).length;
    });
    const { length: failed } = this.recorder.failures;
    return { acknowledged: keys.length, failed, lost: [...lost], replicaCount, equalReplicas };
  }

  async close(): Promise<void> {
    await this.recorder.stop();
    for (const client of this.#clients) client.close();
    for (const process of this.processes) process.signal('SIGCONT');
    await Promise.all(this.processes.map((process) => process.kill()));
    this.#hosts?.close();
    this.#disk?.unmount();
    this.#loopDisk?.unmount();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #process(index: number): NodeProcess {
    const process = this.processes[index];
    if (process === undefined) throw new Error(`there is no node ${index}`);
    return process;
  }
}

export function verdictText(verdict: ChaosVerdict): string {
  const { lost, acknowledged, failed, replicaCount, equalReplicas } = verdict;
  return (
    `${lost.length} of ${acknowledged} acknowledged writes lost, ` +
    `${equalReplicas} of ${replicaCount} replicas equal (${failed} writes failed)`
  );
}

/** Gives the nodes of a configuration these addresses, and a small disk its small reserve. */
function moveNodes(configPath: string, addresses: readonly string[]): void {
  const document = parse(readFileSync(configPath, 'utf8')) as { nodes: { name: string }[] };
  for (const [index, node] of document.nodes.entries()) {
    node.name = `chaos${index + 1}@${addresses[index]}`;
  }
  writeFileSync(configPath, stringify(document));
}

interface Status {
  readonly isReady: boolean;
  readonly reason: string;
  readonly members: readonly { readonly isUp: boolean }[];
}

async function statusOf(process: NodeProcess): Promise<Status | undefined> {
  try {
    return (await process.ask('status')) as Status;
  } catch {
    return undefined;
  }
}

async function isReady(process: NodeProcess): Promise<boolean> {
  return (await statusOf(process))?.isReady === true;
}

async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += LOOKS_AT_ONCE) {
    await Promise.all(items.slice(from, from + LOOKS_AT_ONCE).map(run));
  }
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
