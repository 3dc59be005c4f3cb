/**
 * The cluster in a box: real nodes on virtual time, network and disks.
 */

import { isFault } from '../../src/base/fault.ts';
import type { Host } from '../../src/base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import { decodeRecord } from '../../src/object/record.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { initialState } from '../../src/membership/initial-state.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import type { Newcomer } from '../../src/membership/staging.ts';
import type { RepairOptions } from '../../src/node/repair-rounds.ts';
import type { ReplicationOptions } from '../../src/node/replication-queue.ts';
import { VertebraNode } from '../../src/node/node.ts';
import { partitionOf } from '../../src/ring/partition.ts';
import { encodeObjectKey, partitionRange } from '../../src/storage/keys.ts';
import { SimulatedDisk, type DiskImage, type DiskOptions } from './disk.ts';
import { SimulatedNetwork, type NetworkOptions, type Reach } from './network.ts';
import { NodeClock, SeededRandom, World } from './world.ts';

export interface ClusterOptions {
  readonly nodeCount: number;
  readonly ringSize: number;
  readonly defaultProperties: PartialProperties;
  readonly disk: DiskOptions;
  readonly network: NetworkOptions;
  readonly repair: RepairOptions;
  /** Default: none. */
  readonly replication?: ReplicationOptions;
}

/** What else runs in the process of a node, from when it serves on. */
export interface Beside {
  stop(): Promise<void>;
  /** The process is gone. */
  gone(): void;
}

export interface ServingProcess {
  readonly machine: SimulatedNode;
  readonly node: VertebraNode;
  readonly host: Host & { readonly clock: NodeClock };
}

const TERABYTE = 2 ** 40;
const RESTART_DELAY_MS = 500;
/** How wrong the machines' wall clocks are from the beginning: not at all, minutes, days. */
const WALL_OFFSETS_MS = [0, 0, 120_000, -600_000, 259_200_000, -259_200_000];

export class SimulatedCluster {
  readonly world: World;
  readonly network: SimulatedNetwork;
  /** The machines in play; those of nodes that were taken in since come last. */
  readonly nodes: SimulatedNode[];
  /** Those of nodes that have left. */
  readonly departed: SimulatedNode[] = [];
  readonly initialState: ClusterState;
  readonly repair: RepairOptions;
  readonly replication: ReplicationOptions | undefined;
  /** Told of each state that a node acts on; for judges. */
  onState: (node: NodeId, state: ClusterState) => void = () => undefined;
  /** Starts what runs beside a node that has come to serve. */
  runBeside: (process: ServingProcess) => Beside | undefined = () => undefined;

  readonly #options: ClusterOptions;
  #machineCount = 0;

  constructor(world: World, options: ClusterOptions) {
    this.world = world;
    this.#options = options;
    this.repair = options.repair;
    this.replication = options.replication;
    this.network = new SimulatedNetwork(world, { ...options.network });
    const members = Array.from({ length: options.nodeCount }, () => this.#newMember());
    this.initialState = this.#stateOf(members);
    this.nodes = members.map((member) => this.#newMachine(member, this.initialState));
  }

  /** A machine that is a cluster of its own, not in play yet. */
  newLoner(): SimulatedNode {
    const member = this.#newMember();
    return this.#newMachine(member, this.#stateOf([member]));
  }

  #stateOf(members: readonly Newcomer[]): ClusterState {
    const { ringSize, defaultProperties } = this.#options;
    const cluster = { clusterName: 'simulation', ringSize, members, defaultProperties };
    return initialState(cluster).state;
  }

  #newMember(): Newcomer {
    const index = this.#machineCount;
    this.#machineCount += 1;
    return {
      id: `dev${index + 1}@127.0.0.1` as NodeId,
      host: '127.0.0.1',
      peerPort: 10_000 + index,
      httpPort: 20_000 + index,
      pbcPort: 30_000 + index,
      location: '',
    };
  }

  #newMachine({ id, pbcPort }: Newcomer, firstState: ClusterState): SimulatedNode {
    return new SimulatedNode(this, { id, pbcPort, firstState }, this.#options.disk);
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.start()));
  }

  mustNode(id: string): SimulatedNode {
    const node = [...this.nodes, ...this.departed].find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`${id} is not a node`);
    return node;
  }

  /** What lies on each node's disk for a key. */
  async copies(key: ObjectKey): Promise<Map<string, StoredObject | undefined>> {
    const copies = new Map<string, StoredObject | undefined>();
    for (const node of this.nodes) copies.set(node.id, node.copyOnDisk(key));
    return copies;
  }
}

/** A machine: a disk that outlives its processes, and the process that runs now. */
export class SimulatedNode {
  readonly id: NodeId;
  /** Where clients reach it. */
  readonly pbcPort: number;
  readonly disk: SimulatedDisk;
  clock: NodeClock;
  node: VertebraNode | undefined;
  hasDamage = false;
  /** Its disk was replaced by an emptier one. */
  hasForgotten = false;
  /** Its disk was replaced by an older copy of it, and nobody was told. */
  wasSetBack = false;
  /** It has been sure of what it promised; since then only a lost disk takes that away. */
  hasVoted = false;
  /** Times a new disk under a wrong clock was counted on from a lost one. */
  riseCount = 0;
  /** Times its disk was found to be an older copy. */
  foundOldCount = 0;
  /** A planted bug: all its starts draw one mark. */
  repeatsMarks = false;
  /** When the process last began, went or was paused: what it owed before may stay unanswered. */
  interruptedMs = 0;
  /** Log events of the running process, for a failing seed's report. */
  readonly log: string[] = [];
  readonly #cluster: SimulatedCluster;
  readonly #firstState: ClusterState;
  readonly #random: SeededRandom;
  #reach: Reach | undefined;
  /** Told when the process is gone. */
  #goes: () => void = () => undefined;
  #beside: Beside | undefined;
  /** A process has begun and opens its disk. */
  #isOpening = false;
  #isStopping = false;
  #isRestored = false;
  #isScrap = false;

  constructor(
    cluster: SimulatedCluster,
    made: { readonly id: NodeId; readonly pbcPort: number; readonly firstState: ClusterState },
    disk: DiskOptions,
  ) {
    this.#cluster = cluster;
    this.id = made.id;
    this.pbcPort = made.pbcPort;
    this.#firstState = made.firstState;
    this.disk = new SimulatedDisk(cluster.world, disk);
    this.#random = cluster.world.random.fork();
    this.clock = new NodeClock(cluster.world, this.#random.pick(WALL_OFFSETS_MS));
  }

  get isUp(): boolean {
    return this.node !== undefined && !this.#isStopping;
  }

  async start(): Promise<void> {
    if (this.node !== undefined || this.#isOpening || this.#isScrap) return;
    const clock = new NodeClock(this.#cluster.world, this.clock.wallOffsetMs);
    this.clock = clock;
    this.interruptedMs = this.#cluster.world.nowMs;
    const host = this.#host();
    const gone = new Promise<undefined>((resolve) => {
      this.#goes = () => resolve(undefined);
    });
    this.#isOpening = true;
    const store = await Promise.race([this.disk.open(host), gone]);
    // Whoever has killed it begins it again.
    if (store === undefined || this.clock !== clock) return;
    this.#isOpening = false;
    const reach = this.#cluster.network.enter(this.id, host, () => node);
    this.#reach = reach;
    const node: VertebraNode = new VertebraNode(host, store, reach.peer, {
      id: this.id,
      initialState: this.#firstState,
      joinPort: reach.joinPort,
      mayHaveForgotten: this.#isRestored,
      diskSpace: async () => ({
        freeBytes: this.disk.isFull ? 0 : TERABYTE,
        totalBytes: TERABYTE,
      }),
      repair: this.#cluster.repair,
      ...(this.#cluster.replication && {
        replication: {
          ...this.#cluster.replication,
          folderOf: (queue: string) => this.disk.queueFolder(queue),
        },
      }),
      limits: memoryOf(this.id),
      outdated: () => void this.#startAgain(node),
      stateChanged: (state) => {
        reach.stateChanged(state);
        this.#cluster.onState(this.id, state);
      },
    });
    this.node = node;
    this.#cluster.network.attach(this.id, node, clock);
    try {
      // The start of a process that is killed comes to no end.
      await Promise.race([node.start(), gone]);
      // Who restored says so until a start has succeeded.
      if (this.node !== node) return;
      this.#isRestored = false;
      this.#beside = this.#cluster.runBeside({ machine: this, node, host });
    } catch (error) {
      if (!isFault(error)) throw error;
      // Killed while it started, or its disk failed: whoever supervises it tries again.
      if (this.node !== node) return;
      this.crash();
      await this.#cluster.world.sleep(RESTART_DELAY_MS);
      await this.start();
    }
  }

  /** Whoever supervises the process has seen it end. */
  async #startAgain(node: VertebraNode): Promise<void> {
    if (this.node !== node) return;
    this.foundOldCount += 1;
    this.crash();
    await this.#cluster.world.sleep(RESTART_DELAY_MS);
    await this.start();
  }

  /** The process is gone between two instructions. */
  crash(): void {
    if (this.node === undefined && !this.#isOpening) return;
    this.#isOpening = false;
    this.#cluster.network.detach(this.id);
    this.clock.stop();
    this.interruptedMs = this.#cluster.world.nowMs;
    this.disk.crash();
    this.node = undefined;
    this.#beside?.gone();
    this.#beside = undefined;
    this.#goes();
    this.#isStopping = false;
  }

  async stop(): Promise<void> {
    const { node } = this;
    if (node === undefined || this.#isStopping) return;
    this.#isStopping = true;
    const beside = this.#beside;
    await this.ask(() => (beside ? beside.stop().then(() => node.stop()) : node.stop()));
    if (this.node !== node) return;
    this.#reach?.close();
    this.crash();
  }

  /** A question to the process that runs now: a paused one hears it when it goes on, a dead one never. */
  ask<T>(question: () => Promise<T>): Promise<T> {
    const { clock } = this;
    return new Promise((resolve, reject) => {
      clock.whenRunning(() => {
        question().then(resolve, reject);
      });
    });
  }

  /** The machine comes back with another disk; whoever put it in says so. */
  async restartWith(image: DiskImage | undefined): Promise<void> {
    this.crash();
    this.disk.replace(image);
    this.hasForgotten = true;
    this.#isRestored = image !== undefined;
    await this.start();
  }

  /** The same, and nobody says so. */
  async restartInSecretWith(image: DiskImage): Promise<void> {
    if (this.#isScrap) return;
    this.crash();
    this.disk.replace(image);
    this.hasForgotten = true;
    this.wasSetBack = true;
    await this.start();
  }

  /** The machine is gone for good, with its disk. */
  scrap(): void {
    this.crash();
    this.#isScrap = true;
    this.hasForgotten = true;
  }

  pause(): void {
    this.interruptedMs = Infinity;
    this.clock.pause();
  }

  resume(): void {
    this.interruptedMs = this.#cluster.world.nowMs;
    this.clock.resume();
  }

  isFenced(): boolean {
    return this.node !== undefined && this.disk.isFenced();
  }

  /** Flips a bit in one of the objects on the disk. */
  corruptRecord(): boolean {
    this.hasDamage = true;
    const last = (this.#cluster.initialState.ringSize - 1) as Partition;
    return this.disk.corruptOne({
      from: partitionRange(0 as Partition).from,
      to: partitionRange(last).to,
    });
  }

  copyOnDisk(key: ObjectKey): StoredObject | undefined {
    const partition = partitionOf(key, this.#cluster.initialState.ringSize);
    const record = this.disk.find(encodeObjectKey(partition, key));
    return record === undefined ? undefined : decodeRecord(record);
  }

  holdsDamaged(key: ObjectKey): boolean {
    const partition = partitionOf(key, this.#cluster.initialState.ringSize);
    const record = this.disk.find(encodeObjectKey(partition, key));
    return record !== undefined && decodeRecord(record) === undefined;
  }

  #host(): Host & { readonly clock: NodeClock } {
    const note =
      (level: string) =>
      (event: string, fields?: unknown): void => {
        this.log.push(
          `${this.#cluster.world.nowMs.toFixed(1)} ${this.id} ${level} ${event} ${JSON.stringify(fields)}`,
        );
        if (this.log.length > 1_000) this.log.shift();
        if (event === 'membership.vote') this.hasVoted = true;
        if (event === 'node.incarnation-raised') this.riseCount += 1;
      };
    const random = this.#random;
    return {
      clock: this.clock,
      random: this.repeatsMarks
        ? {
            bytes: (size) => Buffer.alloc(size, this.id),
            integer: (below) => random.integer(below),
          }
        : random,
      log: { debug: () => undefined, info: note('info'), warn: note('warn'), error: note('error') },
      metrics: { count: () => undefined, gauge: () => undefined, observe: () => undefined },
    };
  }
}

/** Some nodes read everything from the store, some remember little of it, some all. */
function memoryOf(id: NodeId) {
  const records = [0, 2, 1_000][id.charCodeAt(id.search(/\d/)) % 3] ?? 0;
  return { recentHeadsMax: records, recentRecordsMaxBytes: records * 300 };
}
