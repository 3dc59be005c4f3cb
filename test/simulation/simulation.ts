/**
 * One simulation: a cluster, a workload, faults, a time to heal, and the verdict.
 */

import assert, { AssertionError } from 'node:assert';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { isFault } from '../../src/base/fault.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import { causalHash } from '../../src/object/causality.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { VertebraNode } from '../../src/node/node.ts';
import type { NodeService } from '../../src/node/node-service.ts';
import { readTruth } from '../replica/store-truth.ts';
import { Access } from './access.ts';
import { BucketChanges } from './bucket-changes.ts';
import { SimulatedCluster, type SimulatedNode } from './cluster.ts';
import { judgeDatatype } from './datatype-judges.ts';
import { DatatypeWorkload, TYPE_BY_DATATYPE } from './datatype-workload.ts';
import { Faults, type FaultKind } from './faults.ts';
import { History, type WriteRecord } from './history.ts';
import {
  judgeConverged,
  judgeDurable,
  judgeMeetable,
  judgeNothingLost,
  judgeStrictRead,
  judgeSupersededStaysGone,
  mayShareCommit,
  mergedCopy,
  type CopiesByNode,
  type StrictRead,
} from './judges.ts';
import { judgeCoverage, type HealedKey } from './coverage-judge.ts';
import {
  changesAccess,
  changesBuckets,
  drawnFaults,
  hasLinks,
  movesRing,
  type SimulationOptions,
} from './simulation-options.ts';
import { Steps } from './steps.ts';
import { Members } from './members.ts';
import { TopologyWitness } from './topology-witness.ts';
import { Workload } from './workload.ts';
import { World } from './world.ts';

export interface Verdict {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly writeCount: number;
  readonly ackedCount: number;
  /** Updates of data types. */
  readonly ackedUpdateCount: number;
  /** Commands that changed who may do what. */
  readonly ackedAccessCount: number;
  /** Commands that changed a bucket in use. */
  readonly ackedBucketCount: number;
  readonly readCount: number;
  /** Of these, answered by a majority of the primaries and judged. */
  readonly strictReadCount: number;
  readonly failureCount: number;
  readonly faultCounts: ReadonlyMap<FaultKind, number>;
  /** Steps of the ring that were opened. */
  readonly stepCount: number;
  readonly joinedCount: number;
  readonly leftCount: number;
  /** Of those that left, taken out by force. */
  readonly forcedCount: number;
  /** Equal for equal runs. */
  readonly fingerprint: string;
  /** The last log lines of each node, if something was found. */
  readonly log: readonly string[];
}

const SIBLINGS = utf8ToByteString('siblings');
const DEFAULT = utf8ToByteString('default');
const BUCKETS = [
  [SIBLINGS, utf8ToByteString('s')],
  [DEFAULT, utf8ToByteString('d')],
] as const;
const DELETE_MODES = ['immediate', 'keep', 500, 3_000] as const;
const N = 3;
const START_LIMIT_MS = 60_000;
const WORK_LIMIT_MS = 600_000;
const HEAL_LIMIT_MS = 200_000;
const SETTLE_MS = 10_000;
const STEP_INTERVAL_MS = 4_000;
const MEMBERS_INTERVAL_MS = 3_000;
const ACCESS_INTERVAL_MS = 1_200;
const BUCKETS_INTERVAL_MS = 2_000;
const REQUEST_TIMEOUT_MS = 3_000;

export async function simulate(options: SimulationOptions): Promise<Verdict> {
  const world = new World(options.seed);
  const cluster = new SimulatedCluster(world, {
    nodeCount: options.nodeCount ?? (movesRing(options) ? 4 : 3) + world.random.integer(3),
    ringSize: 8,
    defaultProperties: { n_val: N },
    disk: { writeLatencyMaxMs: 4, readLatencyMaxMs: 1 },
    network: { latencyMaxMs: 5, dropRate: 0, duplicateRate: 0, hasLinks: hasLinks(options) },
    repair: {
      reaper: { deleteMode: world.random.pick(DELETE_MODES) },
      // Longer than the default: hints stay owed while more faults happen.
      handoff: { restMs: 10_000 },
    },
  });
  options.tamper?.(cluster);
  const run = new Run(cluster, options);
  return run.verdict();
}

class Run {
  readonly #cluster: SimulatedCluster;
  readonly #options: SimulationOptions;
  readonly #history = new History();
  readonly #topology = new TopologyWitness();
  readonly #pendingChecks: Promise<void>[] = [];
  readonly #datatypes: DatatypeWorkload;
  readonly #access: Access;
  readonly #buckets: BucketChanges;
  #hadDamage = false;
  #wasSetBack = false;
  #strictReadCount = 0;

  constructor(cluster: SimulatedCluster, options: SimulationOptions) {
    this.#cluster = cluster;
    this.#options = options;
    cluster.onState = (node, state) => {
      this.#topology.observe(node, state);
    };
    this.#access = new Access(cluster, ACCESS_INTERVAL_MS);
    this.#buckets = new BucketChanges(
      cluster,
      BUCKETS.map(([type, bucket]) => ({ type, bucket, keepsOne: type === DEFAULT })),
      { seed: options.seed, intervalMs: BUCKETS_INTERVAL_MS },
    );
    const { violations } = this.#history;
    this.#datatypes = new DatatypeWorkload(
      { world: cluster.world, violations, anyNode: () => this.#anyMachine() },
      {
        clientCount: options.datatypeClientCount ?? 2,
        operationsPerClient: options.operationsPerClient ?? 40,
        keysPerType: 1,
        pauseMaxMs: 400,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
      },
    );
    cluster.network.onRequest = (request) => this.#history.observeSent(request);
  }

  async verdict(): Promise<Verdict> {
    const { world } = this.#cluster;
    await world.drive(this.#cluster.start(), START_LIMIT_MS);
    await world.drive(this.#createType(SIBLINGS, { allow_mult: true }), START_LIMIT_MS);
    for (const [datatype, type] of TYPE_BY_DATATYPE) {
      await world.drive(this.#createType(type, { datatype, allow_mult: true }), START_LIMIT_MS);
    }
    const faults = new Faults(this.#cluster, {
      intervalMs: this.#options.faultIntervalMs ?? 1_500,
      lastingMaxMs: 4_000,
      kinds: drawnFaults(this.#options),
      keepsVotes: this.#options.changesMembers === true,
    });
    const steps = new Steps(this.#cluster, STEP_INTERVAL_MS);
    if (movesRing(this.#options)) steps.start();
    const members =
      this.#options.changesMembers === true
        ? new Members(this.#cluster, { intervalMs: MEMBERS_INTERVAL_MS, victim: faults.victim })
        : undefined;
    members?.start();
    if (changesAccess(this.#options)) this.#access.start();
    if (changesBuckets(this.#options)) this.#buckets.start();
    await this.#work(faults);
    steps.end();
    await world.drive(faults.end(), HEAL_LIMIT_MS);
    if (members !== undefined) await world.drive(members.end(), HEAL_LIMIT_MS);
    await world.drive(this.#access.end(), HEAL_LIMIT_MS);
    await world.drive(this.#buckets.end(), HEAL_LIMIT_MS);
    const { nodes, departed } = this.#cluster;
    const all = [...nodes, ...departed];
    this.#hadDamage = all.some(({ hasDamage, hasForgotten }) => hasDamage || hasForgotten);
    // Who has been removed hands over what it has when it runs again, from an older disk too.
    this.#wasSetBack = all.some(({ wasSetBack }) => wasSetBack);
    if (nodes.some(({ hasDamage }) => hasDamage)) {
      // When everyone is seen to be up again, the scrub finds what nobody reads.
      await world.runUntil(() => false, world.nowMs + SETTLE_MS);
      for (const { node } of nodes) node?.operations().runScrub();
    }
    const findings = await this.#judgeWhenHealed();
    const history = this.#history;
    const found = [history, this.#topology, this.#access].flatMap((witness) => witness.violations);
    const violations = [...found, ...findings];
    return {
      seed: this.#options.seed,
      violations,
      writeCount: history.writes.length,
      ackedCount: history.writes.filter(({ ackedMs }) => ackedMs !== undefined).length,
      ackedUpdateCount: this.#datatypes.ackedCount,
      ackedAccessCount: this.#access.ackedCount,
      ackedBucketCount: this.#buckets.ackedCount,
      readCount: history.readCount,
      strictReadCount: this.#strictReadCount,
      failureCount: history.failureCount,
      faultCounts: faults.counts,
      stepCount: steps.openedCount,
      joinedCount: members?.joinedCount ?? 0,
      leftCount: members?.leftCount ?? 0,
      forcedCount: members?.forcedCount ?? 0,
      fingerprint: `${world.eventCount}/${world.nowMs.toFixed(3)}/${world.random.word()}`,
      log: violations.length === 0 ? [] : this.#cluster.nodes.flatMap(({ log }) => log).slice(-300),
    };
  }

  async #work(faults: Faults): Promise<void> {
    const { world } = this.#cluster;
    const workload = new Workload(
      {
        world,
        history: this.#history,
        topology: this.#topology,
        anyNode: () => this.#anyMachine(),
        onAcknowledged: (write) => {
          this.#pendingChecks.push(this.#checkDurable(write));
        },
        onStrictRead: (read) => this.#checkStrictRead(read),
      },
      {
        clientCount: 4,
        operationsPerClient: this.#options.operationsPerClient ?? 40,
        buckets: BUCKETS,
        keysPerBucket: 3,
        pauseMaxMs: 400,
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
      },
    );
    faults.start();
    workload.start();
    this.#datatypes.start();
    const areDone = (): boolean => workload.isDone && this.#datatypes.isDone;
    const isDone = await world.runUntil(areDone, world.nowMs + WORK_LIMIT_MS);
    if (!isDone) this.#history.violations.push('a request outlived its deadline');
    await Promise.all(this.#pendingChecks);
  }

  /** What the disks hold when the reply leaves is what was acknowledged. */
  async #checkDurable(write: WriteRecord): Promise<void> {
    // Deletes have no token to be found by; convergence and the judges of siblings cover them.
    if (write.isDelete) return;
    const copies = await this.#cluster.copies(write.key);
    for (const copy of copies.values()) {
      if (copy !== undefined) this.#history.observe(write.key, copy);
    }
    // A copy that was made and has been damaged since cannot be told from one that never was.
    const isSpoilt = (id: string): boolean => {
      const { hasDamage, hasForgotten } = this.#cluster.mustNode(id);
      return hasDamage || hasForgotten;
    };
    if ([...copies.keys()].some(isSpoilt)) return;
    const { keepsOne, isSingle } = this.#buckets.givenUpIn(write.key.bucket);
    // The second copy may have gone again, and rightly, before the answer left.
    if (isSingle && write.needed > 1) return;
    if (keepsOne && write.dot === undefined) {
      if (mayShareCommit(write, this.#history.ofKey(write.key))) return;
    }
    const finding = judgeDurable(write, copies) ?? this.#judgeReadable(write, copies);
    if (finding !== undefined) this.#history.violations.push(finding);
  }

  /** What a majority of primaries held is seen by any other, as long as no disk has lost anything. */
  #checkStrictRead(read: StrictRead): void {
    const { nodes, departed } = this.#cluster;
    if (changesBuckets(this.#options)) return;
    if ([...nodes, ...departed].some((node) => node.hasDamage || node.hasForgotten)) return;
    this.#strictReadCount += 1;
    const { keepsOne } = this.#buckets.givenUpIn(read.key.bucket);
    const finding = judgeStrictRead(this.#history.ofKey(read.key), read, keepsOne);
    if (finding !== undefined) this.#history.violations.push(finding);
  }

  #judgeReadable(write: WriteRecord, copies: CopiesByNode): string | undefined {
    if (this.#options.faults?.length !== 0 || changesBuckets(this.#options)) return undefined;
    const ofKey = this.#history.ofKey(write.key);
    // A tombstone that was reaped takes with it what it had seen.
    const writes = ofKey.some(({ isDelete }) => isDelete) ? [write] : ofKey;
    for (const { node } of this.#cluster.nodes) {
      const list = node?.preferenceList(write.key)?.map((position) => position.node) ?? [];
      for (const earlier of writes) {
        if (earlier.ackedMs === undefined) continue;
        const finding = judgeMeetable(earlier, copies, list);
        if (finding !== undefined) return finding;
      }
    }
    return undefined;
  }

  /** Waits until all is judged well; what is still wrong at the limit is the finding. */
  async #judgeWhenHealed(): Promise<string[]> {
    const { world } = this.#cluster;
    const deadlineMs = world.nowMs + (this.#options.healLimitMs ?? HEAL_LIMIT_MS);
    // All may have been restarted by a last fault.
    await world.runUntil(() => this.#serving().length > 0, deadlineMs);
    let findings = await this.#judge();
    while (findings.length > 0 && world.nowMs < deadlineMs) {
      await world.runUntil(() => false, world.nowMs + 2_000);
      findings = await this.#judge();
    }
    return findings;
  }

  async #judge(): Promise<string[]> {
    const findings = this.#topology.judge(this.#mustNode().state());
    findings.push(...this.#access.judge());
    const healed: HealedKey[] = [];
    for (const [id, key] of this.#history.keys) {
      const copies = await this.#primaryCopies(key);
      const object = mergedCopy(copies.values());
      const isDamaged = this.#cluster.nodes.some((node) => node.holdsDamaged(key));
      healed.push({ key, object, isDamaged });
      const hadDamage = this.#hadDamage;
      const wasSetBack = this.#wasSetBack;
      const end = { object, hadDamage, wasSetBack, ...this.#buckets.givenUpIn(key.bucket) };
      const found = [
        ...this.#judgeCopies(key, copies),
        ...judgeNothingLost(this.#history, key, end),
        ...judgeSupersededStaysGone(this.#history, key, end),
      ];
      findings.push(...found.map((finding) => `${id}: ${finding}`));
    }
    for (const history of this.#datatypes.histories) {
      const found = [
        ...this.#judgeCopies(history.key, await this.#primaryCopies(history.key)),
        ...(await this.#cluster.world.drive(
          judgeDatatype(this.#mustNode(), history),
          HEAL_LIMIT_MS,
        )),
      ];
      findings.push(...found.map((finding) => `${history.datatype}: ${finding}`));
    }
    for (const machine of this.#cluster.nodes) findings.push(...(await this.#judgeStore(machine)));
    const { changesMembers } = this.#options;
    const movesCopies = movesRing(this.#options) || changesBuckets(this.#options);
    if (changesMembers === true || movesCopies) {
      findings.push(...(await this.#judgePlaces(healed)));
    }
    if (findings.length === 0) findings.push(...(await this.#judgeCoverage(healed)));
    return findings;
  }

  /** The step has closed, and nobody is left with a copy that is not his to hold. */
  async #judgePlaces(healed: readonly HealedKey[]): Promise<string[]> {
    const { step } = this.#mustNode().state();
    if (step !== undefined) return [`the ring is still ${step.phase}: ${step.unfilled.join()}`];
    const findings: string[] = [];
    for (const { key } of healed) {
      const primaries = await this.#primaryCopies(key);
      for (const [id, copy] of await this.#cluster.copies(key)) {
        if (copy !== undefined && !primaries.has(id)) findings.push(`${id} holds what is others'`);
      }
    }
    return findings;
  }

  async #judgeCoverage(healed: readonly HealedKey[]): Promise<string[]> {
    const findings: string[] = [];
    for (const [type, bucket] of BUCKETS) {
      if (this.#buckets.givenUpIn(bucket).hasStaleEntries) continue;
      const keys = healed.filter(({ key }) => key.type === type && key.bucket === bucket);
      for (const { node } of this.#cluster.nodes) {
        if (node === undefined) continue;
        const judged = judgeCoverage(node, { type, bucket }, keys).catch((error: unknown) => {
          if (isFault(error)) return [`${node.id} answers no queries: ${error.message}`];
          throw error;
        });
        findings.push(...(await this.#cluster.world.drive(judged, HEAL_LIMIT_MS)));
      }
    }
    return findings;
  }

  #judgeCopies(key: ObjectKey, copies: CopiesByNode): string[] {
    for (const copy of copies.values()) {
      if (copy !== undefined) this.#history.observe(key, copy);
    }
    const apart = judgeConverged(copies, (object) => causalHash(object).toString('hex'));
    return apart === undefined ? [] : [apart];
  }

  /** Index entries, tombstone notes and hash trees say what the objects beside them do. */
  async #judgeStore({ id, disk, hasDamage }: SimulatedNode): Promise<string[]> {
    // What a flipped bit took out of a record is still counted until the record is mended.
    if (hasDamage) return [];
    const service = this.#mustNode();
    try {
      await readTruth(await disk.contents(), ({ type, bucket }) => {
        const properties = service.bucketProperties(type, bucket);
        assert(properties !== undefined, 'each node knows the types in use');
        return properties;
      });
      return [];
    } catch (error) {
      const isStale = BUCKETS.some(([, name]) => this.#buckets.givenUpIn(name).hasStaleEntries);
      if (isStale && /index entries/.test(String(error))) return [];
      if (error instanceof AssertionError) return [`${id}: ${error.message}`];
      throw error;
    }
  }

  async #primaryCopies(key: ObjectKey): Promise<Map<string, StoredObject | undefined>> {
    const primaries = new Set(
      this.#mustNode()
        .preferenceList(key)
        ?.map(({ node }) => node),
    );
    const copies = await this.#cluster.copies(key);
    for (const node of copies.keys()) if (!primaries.has(node as never)) copies.delete(node);
    return copies;
  }

  async #createType(type: ByteString, properties: PartialProperties): Promise<void> {
    const node = this.#mustNode();
    const created = await node.createBucketType(type, properties);
    if (created.kind !== 'changed') throw new Error(`the type was not created: ${created.kind}`);
    const outcome = await node.activateBucketType(type);
    if (outcome.kind !== 'changed') throw new Error(`the type was not activated: ${outcome.kind}`);
  }

  #anyMachine(): SimulatedNode | undefined {
    const up = this.#cluster.nodes.filter(({ isUp }) => isUp);
    return up.length === 0 ? undefined : this.#cluster.world.random.pick(up);
  }

  #mustNode(): NodeService {
    const serving = this.#serving();
    if (serving.length === 0) throw new Error('no node serves');
    return this.#cluster.world.random.pick(serving);
  }

  /** One that a last fault has restarted may not serve yet. */
  #serving(): VertebraNode[] {
    return this.#cluster.nodes.flatMap(({ node }) =>
      node?.readiness().isReady === true ? [node] : [],
    );
  }
}
