/**
 * Two clusters that replicate to each other, under faults of their own and with a line between them that
 * is cut again and again; clients who ask now the one and now the other; and the verdict.
 *
 * When all faults have ended, at both sites what was acknowledged at either is there or superseded by
 * what had seen it, and what was deleted at either stays deleted; and both hold the same. In every
 * other seed nothing is compared as a whole, and no process ends where clients write, which are both sites
 * or one: the queues alone bring over what was acknowledged by a majority of primaries, for such a majority
 * is read when it is fetched. What was not acknowledged, and took effect late, one site may hold alone.
 */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { NodeAddress } from '../../src/client/connection.ts';
import { causalHash } from '../../src/object/causality.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { VertebraNode } from '../../src/node/node.ts';
import type { ReplicationOptions } from '../../src/node/replication-queue.ts';
import type { Source } from '../../src/replication/ports.ts';
import { Sinks } from '../../src/replication/sinks.ts';
import { SimulatedCluster, type ServingProcess, type SimulatedNode } from './cluster.ts';
import { judgeDatatype } from './datatype-judges.ts';
import { DatatypeWorkload, TYPE_BY_DATATYPE } from './datatype-workload.ts';
import { Faults, type FaultKind } from './faults.ts';
import { History } from './history.ts';
import {
  judgeConverged,
  judgeNothingLost,
  judgeSupersededStaysGone,
  mergedCopy,
  type CopiesByNode,
} from './judges.ts';
import { ALL_FAULTS, FAULTS_OF_SOUND_DISKS, hasLinks } from './simulation-options.ts';
import { TopologyWitness } from './topology-witness.ts';
import { Wan } from './wan.ts';
import { Workload } from './workload.ts';
import { World, type SeededRandom } from './world.ts';

export interface SitesOptions {
  readonly seed: number;
  /** As of one cluster. */
  readonly links?: boolean;
  /** Of both sites. Default: of even seeds all, else those that lose no queue that is needed. */
  readonly faults?: readonly FaultKind[];
  readonly operationsPerClient?: number;
  readonly datatypeClientCount?: number;
  /** Default: with even seeds. */
  readonly fullSyncs?: boolean;
  /** Whether clients write at the first site only. Default: with every fourth seed. */
  readonly isOneWay?: boolean;
  /** Default: drawn. */
  readonly queueSize?: QueueSize;
  /** Virtual time until what is still wrong is a finding. Default 300,000. */
  readonly healLimitMs?: number;
  /** Changes what is between the sites: how a test plants a bug. */
  readonly tamper?: (wan: Wan) => void;
}

export interface SitesVerdict {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly writeCount: number;
  readonly ackedCount: number;
  readonly ackedUpdateCount: number;
  readonly cutCount: number;
  /** Objects that one site took over from the other. */
  readonly absorbedCount: number;
  /** Sites with queues that had dropped keys when all faults had ended. */
  readonly overflowedCount: number;
  /** Equal for equal runs. */
  readonly fingerprint: string;
  readonly log: readonly string[];
}

type QueueSize = Required<Pick<ReplicationOptions, 'queueMaxBytes' | 'queueDiskMaxBytes'>>;

/** With these the queues of all nodes live on; those with files outlive a clean stop, too. */
const ENDLESS: readonly FaultKind[] = [
  'partition',
  'one-way-cut',
  'isolate',
  'pause',
  'loss',
  'duplicates',
  'slow-disk',
  'bridge',
  'slow-network',
  'clock-jump',
  'disk-full',
];
/** Of a queue's keys in memory and in files. Where there is little room, few keys are in either. */
const QUEUE_SIZES: readonly QueueSize[] = [
  { queueMaxBytes: 2 ** 20, queueDiskMaxBytes: 0 },
  { queueMaxBytes: 2 ** 20, queueDiskMaxBytes: 2 ** 20 },
  { queueMaxBytes: 900, queueDiskMaxBytes: 2 ** 20 },
  { queueMaxBytes: 900, queueDiskMaxBytes: 0 },
];
const SIBLINGS = utf8ToByteString('siblings');
const DEFAULT = utf8ToByteString('default');
const BUCKETS = [
  [SIBLINGS, utf8ToByteString('s')],
  [DEFAULT, utf8ToByteString('d')],
] as const;
const QUEUE = 'other';
const START_LIMIT_MS = 60_000;
const WORK_LIMIT_MS = 600_000;
const HEAL_LIMIT_MS = 300_000;
const JUDGE_INTERVAL_MS = 5_000;
const SETTLE_MS = 10_000;
const FULL_SYNC_MS = 20_000;
const CUT_INTERVAL_MS = 1_500;
const CUT_MAX_MS = 5_000;
const REQUEST_TIMEOUT_MS = 3_000;

export async function simulateSites(options: SitesOptions): Promise<SitesVerdict> {
  const world = new World(options.seed);
  const mode = {
    hasFullSyncs: options.fullSyncs ?? options.seed % 2 === 0,
    isOneWay: options.isOneWay ?? options.seed % 4 === 3,
    queueSize: options.queueSize ?? world.random.pick(QUEUE_SIZES),
  };
  // Whoever loses the disk of a cluster of one has lost its bucket types.
  const nodeCounts = [
    3 + world.random.integer(2),
    (mode.hasFullSyncs ? 3 : 1) + world.random.integer(3),
  ];
  const sites = nodeCounts.map(
    (nodeCount, index) =>
      new SimulatedCluster(world, {
        nodeCount,
        ringSize: index === 0 ? 8 : 16,
        defaultProperties: { n_val: 3, ...quorumsOf(mode) },
        disk: { writeLatencyMaxMs: 4, readLatencyMaxMs: 1 },
        network: { latencyMaxMs: 5, dropRate: 0, duplicateRate: 0, hasLinks: hasLinks(options) },
        repair: { reaper: { deleteMode: 'keep' }, handoff: { restMs: 10_000 } },
        replication: { ...mode.queueSize, queues: [{ name: QUEUE, buckets: 'any' }] },
      }),
  );
  return new SitesRun(sites, options, mode).verdict();
}

interface Mode {
  readonly hasFullSyncs: boolean;
  readonly isOneWay: boolean;
  readonly queueSize: QueueSize;
}

/** What queues alone bring over a majority of primaries has confirmed. */
function quorumsOf({ hasFullSyncs }: Mode): PartialProperties {
  return hasFullSyncs ? {} : { pw: 'quorum' };
}

class SitesRun {
  readonly #world: World;
  readonly #sites: readonly SimulatedCluster[];
  readonly #options: SitesOptions;
  readonly #mode: Mode;
  readonly #random: SeededRandom;
  readonly #wan: Wan;
  readonly #history = new History();
  readonly #datatypes: DatatypeWorkload;
  readonly #serving = new Map<SimulatedNode, ServingProcess>();
  readonly #sinks = new Map<SimulatedNode, Sinks>();
  #absorbedCount = 0;
  /** With queues that had dropped keys when all faults had ended. */
  readonly #overflowed = new Set<SimulatedCluster>();
  #cutCount = 0;
  #isOver = false;

  constructor(sites: readonly SimulatedCluster[], options: SitesOptions, mode: Mode) {
    const [{ world }] = sites as [SimulatedCluster];
    this.#world = world;
    this.#sites = sites;
    this.#options = options;
    this.#mode = mode;
    this.#random = world.random.fork();
    this.#wan = new Wan(world);
    options.tamper?.(this.#wan);
    for (const [index, site] of sites.entries()) {
      const other = sites[1 - index] as SimulatedCluster;
      site.runBeside = (process) => this.#runSinks(process, other);
      site.network.onRequest = (request) => this.#history.observeSent(request);
    }
    this.#datatypes = new DatatypeWorkload(
      { world, violations: this.#history.violations, anyNode: () => this.#anyMachine() },
      {
        clientCount: options.datatypeClientCount ?? 2,
        operationsPerClient: options.operationsPerClient ?? 40,
        keysPerType: 1,
        pauseMaxMs: 400,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
      },
    );
  }

  async verdict(): Promise<SitesVerdict> {
    const world = this.#world;
    for (const site of this.#sites) {
      await world.drive(site.start(), START_LIMIT_MS);
      await world.drive(createTypes(site, quorumsOf(this.#mode)), START_LIMIT_MS);
    }
    const faults = this.#sites.map((site, index) => {
      const kinds = this.#options.faults ?? this.#faultsAt(index);
      return new Faults(site, { intervalMs: 2_000, lastingMaxMs: 4_000, kinds, keepsVotes: true });
    });
    await this.#work(faults);
    this.#isOver = true;
    this.#wan.isCut = false;
    for (const each of faults) await world.drive(each.end(), HEAL_LIMIT_MS);
    const findings = await this.#judgeWhenHealed();
    const history = this.#history;
    const violations = [...history.violations, ...findings];
    return {
      seed: this.#options.seed,
      violations,
      writeCount: history.writes.length,
      ackedCount: history.writes.filter(({ ackedMs }) => ackedMs !== undefined).length,
      ackedUpdateCount: this.#datatypes.ackedCount,
      cutCount: this.#cutCount,
      absorbedCount: this.#absorbedCount,
      overflowedCount: this.#overflowed.size,
      fingerprint: `${world.eventCount}/${world.nowMs.toFixed(3)}/${world.random.word()}`,
      log: violations.length === 0 ? [] : this.#machines().flatMap(({ log }) => log),
    };
  }

  #faultsAt(index: number): readonly FaultKind[] {
    if (this.#mode.hasFullSyncs) return ALL_FAULTS;
    if (this.#mode.isOneWay && index === 1) return FAULTS_OF_SOUND_DISKS;
    return this.#mode.queueSize.queueDiskMaxBytes > 0 ? [...ENDLESS, 'clean-restart'] : ENDLESS;
  }

  #runSinks(process: ServingProcess, other: SimulatedCluster) {
    const { host, node, machine } = process;
    const find = ({ port }: NodeAddress): ServingProcess | undefined => {
      const found = other.nodes.find(({ pbcPort }) => pbcPort === port);
      return found?.isUp === true ? this.#serving.get(found) : undefined;
    };
    const source: Source = {
      name: QUEUE,
      queue: QUEUE,
      nodes: other.nodes.map(({ pbcPort }) => ({ host: '127.0.0.1', port: pbcPort })),
      credentials: undefined,
      workers: 2,
      fullSyncMs: this.#mode.hasFullSyncs ? FULL_SYNC_MS : 0,
    };
    const counted = {
      id: node.id,
      liveMembers: () => node.liveMembers(),
      isMember: () => node.isMember(),
      fold: node.fold.bind(node),
      absorb: async (request: Parameters<typeof node.absorb>[0]) => {
        const outcome = await node.absorb(request);
        if (outcome.kind === 'merged') this.#absorbedCount += 1;
        return outcome;
      },
    };
    const dialler = this.#wan.diallerOf(process, find);
    const sinks = new Sinks({ host, node: counted, dialler }, [source]);
    sinks.start((error) => {
      const text = error instanceof Error ? error.stack : String(error);
      this.#history.violations.push(`a sink ended with ${text}`);
    });
    this.#serving.set(machine, process);
    this.#sinks.set(machine, sinks);
    return {
      stop: () => sinks.stop(),
      gone: () => {
        this.#serving.delete(machine);
        this.#sinks.delete(machine);
        this.#wan.lost(process);
      },
    };
  }

  async #work(faults: readonly Faults[]): Promise<void> {
    const world = this.#world;
    const workload = new Workload(
      {
        world,
        history: this.#history,
        // Properties are not carried over: what each site makes of them is judged for one cluster alone.
        topology: new TopologyWitness(),
        anyNode: () => this.#anyMachine(),
        onAcknowledged: ({ key }) => this.#observeCopies(key),
        onStrictRead: () => undefined,
      },
      {
        clientCount: 4,
        operationsPerClient: this.#options.operationsPerClient ?? 40,
        buckets: BUCKETS,
        keysPerBucket: 3,
        pauseMaxMs: 400,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
        ...(this.#mode.hasFullSyncs ? {} : { strictShare: 1 }),
      },
    );
    for (const each of faults) each.start();
    this.#cutOnAndOn();
    workload.start();
    this.#datatypes.start();
    const areDone = (): boolean => workload.isDone && this.#datatypes.isDone;
    const isDone = await world.runUntil(areDone, world.nowMs + WORK_LIMIT_MS);
    if (!isDone) this.#history.violations.push('a request outlived its deadline');
  }

  #cutOnAndOn(): void {
    this.#world.after(this.#random.integer(2 * CUT_INTERVAL_MS), () => {
      if (this.#isOver) return;
      this.#cutCount += 1;
      this.#wan.cut();
      this.#world.after(this.#random.integer(CUT_MAX_MS), () => {
        this.#wan.isCut = false;
        this.#cutOnAndOn();
      });
    });
  }

  async #judgeWhenHealed(): Promise<string[]> {
    const world = this.#world;
    const deadlineMs = world.nowMs + (this.#options.healLimitMs ?? HEAL_LIMIT_MS);
    const hasServers = (): boolean => this.#sites.every((site) => servingOf(site).length > 0);
    await world.runUntil(hasServers, deadlineMs);
    if (this.#machines().some(({ hasDamage }) => hasDamage)) {
      // When everyone is up again, the scrub finds what nobody reads.
      await world.runUntil(() => false, world.nowMs + SETTLE_MS);
      for (const site of this.#sites) {
        for (const node of servingOf(site)) node.operations().runScrub();
      }
    }
    let findings = [...this.#findDropped(), ...(await this.#judge())];
    while (findings.length > 0 && world.nowMs < deadlineMs) {
      await world.runUntil(() => false, world.nowMs + JUDGE_INTERVAL_MS);
      findings = [...this.#findDropped(), ...(await this.#judge())];
    }
    return findings;
  }

  /**
   * Where a queue says that keys are missing, the operator has everything compared, and again while something is
   * missing: a full-sync looks at one copy of each key, which may lack what the queue has dropped.
   */
  #findDropped(): string[] {
    const findings: string[] = [];
    for (const [index, site] of this.#sites.entries()) {
      const dropping = servingOf(site).filter(({ replication }) =>
        replication.status().some(({ isOverflowed }) => isOverflowed),
      );
      if (dropping.length > 0) this.#overflowed.add(site);
      if (!this.#overflowed.has(site)) continue;
      const other = this.#sites[1 - index]?.nodes ?? [];
      const sinks = other.flatMap((machine) => this.#sinks.get(machine) ?? []);
      sinks[0]?.sync(QUEUE);
      if (dropping.length === 0) continue;
      findings.push(`no full-sync finds what ${dropping.map(({ id }) => id).join()} dropped`);
    }
    return findings;
  }

  async #judge(): Promise<string[]> {
    const findings: string[] = [];
    const machines = this.#machines();
    const hadDamage = machines.some((each) => each.hasDamage || each.hasForgotten);
    const wasSetBack = machines.some((each) => each.wasSetBack);
    for (const [id, key] of this.#history.keys) {
      const bySite = await this.#copies(key);
      const found = this.#judgeCopies(bySite);
      for (const copies of bySite) {
        const object = mergedCopy(copies.values());
        const keepsOne = key.type === DEFAULT;
        const end = { object, hadDamage, wasSetBack, keepsOne, isSingle: false };
        found.push(...judgeNothingLost(this.#history, key, end));
        found.push(...judgeSupersededStaysGone(this.#history, key, end));
      }
      findings.push(...found.map((finding) => `${id}: ${finding}`));
    }
    for (const history of this.#datatypes.histories) {
      const found = this.#judgeCopies(await this.#copies(history.key));
      for (const site of this.#sites) {
        const [node] = servingOf(site);
        if (node === undefined) return ['a site serves nobody'];
        const judged = judgeDatatype(node, history).catch((error: unknown) => {
          if (isFault(error)) return [`cannot be fetched: ${error.message}`];
          throw error;
        });
        found.push(...(await this.#world.drive(judged, HEAL_LIMIT_MS)));
      }
      findings.push(...found.map((finding) => `${history.datatype}: ${finding}`));
    }
    return findings;
  }

  /** What the primaries of each site hold. */
  async #copies(key: ObjectKey): Promise<Map<string, StoredObject | undefined>[]> {
    const bySite: Map<string, StoredObject | undefined>[] = [];
    for (const [index, site] of this.#sites.entries()) {
      const [node] = servingOf(site);
      const list = node?.preferenceList(key)?.map((position) => position.node) ?? [];
      const copies = new Map<string, StoredObject | undefined>();
      for (const [id, copy] of await site.copies(key)) {
        if (copy !== undefined) this.#history.observe(key, copy);
        if (list.some((each) => each === id)) copies.set(`${index}:${id}`, copy);
      }
      bySite.push(copies);
    }
    return bySite;
  }

  #judgeCopies(bySite: readonly CopiesByNode[]): string[] {
    const groups = this.#mode.hasFullSyncs
      ? [new Map(bySite.flatMap((copies) => [...copies]))]
      : bySite;
    return groups.flatMap((copies) => {
      return judgeConverged(copies, (copy) => causalHash(copy).toString('hex')) ?? [];
    });
  }

  /** Of a node that is a cluster by itself nothing is heard. */
  #observeCopies(key: ObjectKey): void {
    for (const machine of this.#machines()) {
      const copy = machine.copyOnDisk(key);
      if (copy !== undefined) this.#history.observe(key, copy);
    }
  }

  #machines(): SimulatedNode[] {
    return this.#sites.flatMap(({ nodes }) => nodes);
  }

  #anyMachine(): SimulatedNode | undefined {
    const written = this.#mode.isOneWay ? this.#sites[0]?.nodes : this.#machines();
    const up = written?.filter(({ isUp }) => isUp) ?? [];
    return up.length === 0 ? undefined : this.#world.random.pick(up);
  }
}

function servingOf(site: SimulatedCluster): VertebraNode[] {
  return site.nodes.flatMap(({ node }) => (node?.readiness().isReady === true ? [node] : []));
}

/** Created types take nothing of the default properties: `quorums` are said for each. */
async function createTypes({ nodes }: SimulatedCluster, quorums: PartialProperties): Promise<void> {
  const node = nodes[0]?.node;
  const types: (readonly [typeof SIBLINGS, PartialProperties])[] = [
    [SIBLINGS, { allow_mult: true, ...quorums }],
    ...[...TYPE_BY_DATATYPE].map(
      ([datatype, type]) => [type, { datatype, allow_mult: true, ...quorums }] as const,
    ),
  ];
  for (const [type, properties] of types) {
    const made = await node?.createBucketType(type, properties);
    const active = await node?.activateBucketType(type);
    if (made?.kind !== 'changed' || active?.kind !== 'changed') throw new Error('no type');
  }
}
