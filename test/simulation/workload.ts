/**
 * The workload: clients that read, write with and without what they read, and delete.
 *
 * Each client asks random nodes, as a pooled client library does, and remembers the context of its
 * last read of each key; some contexts are stale by the time they are used, as in life.
 */

import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import type { IndexEntry } from '../../src/object/stored-object.ts';
import { within, type Asked } from './asked.ts';
import type { SimulatedNode } from './cluster.ts';
import type { History, WriteRecord } from './history.ts';
import type { StrictRead } from './judges.ts';
import { MARKER_PROPERTY, type TopologyWitness } from './topology-witness.ts';
import type { SeededRandom, World } from './world.ts';

export interface WorkloadOptions {
  readonly clientCount: number;
  readonly operationsPerClient: number;
  /** Buckets to write to, as (type, bucket). */
  readonly buckets: readonly (readonly [type: ByteString, bucket: ByteString])[];
  readonly keysPerBucket: number;
  readonly pauseMaxMs: number;
  readonly requestTimeoutMs: number;
  /** How many of the writes want a majority of the primaries. Default 0.3. */
  readonly strictShare?: number;
}

export interface WorkloadPorts {
  readonly world: World;
  readonly history: History;
  readonly topology: TopologyWitness;
  /** A node that is up, for a client to ask; undefined if there is none now. */
  readonly anyNode: () => SimulatedNode | undefined;
  /** Called when a write has been acknowledged, at that very moment. */
  readonly onAcknowledged: (write: WriteRecord) => void;
  /** Called when a read that asked a majority of the primaries was answered. */
  readonly onStrictRead: (read: StrictRead) => void;
}

/** Agreement gives up by itself before that; who asked a node that died gives up then. */
const AGREEMENT_LIMIT_MS = 20_000;

export class Workload {
  readonly #ports: WorkloadPorts;
  readonly #options: WorkloadOptions;
  #runningCount = 0;

  constructor(ports: WorkloadPorts, options: WorkloadOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  get isDone(): boolean {
    return this.#runningCount === 0;
  }

  start(): void {
    for (let client = 0; client < this.#options.clientCount; client += 1) {
      this.#runningCount += 1;
      void this.#runClient(this.#ports.world.random.fork()).finally(() => {
        this.#runningCount -= 1;
      });
    }
  }

  async #runClient(random: SeededRandom): Promise<void> {
    const contexts = new Map<ObjectKey, VersionVector | undefined>();
    const keys = this.#keys();
    for (let done = 0; done < this.#options.operationsPerClient; done += 1) {
      await this.#ports.world.sleep(random.integer(this.#options.pauseMaxMs * 1000) / 1000);
      const machine = this.#ports.anyNode();
      if (machine?.node === undefined) continue;
      const asked = { machine, node: machine.node };
      const key = random.pick(keys);
      const dice = random.integer(100);
      if (dice < 5) await this.#changeProperties(asked, key);
      else if (dice < 35) await this.#read(asked, { key, contexts, random });
      else if (dice < 90) await this.#write(asked, { key, contexts, random });
      else await this.#delete(asked, key, contexts);
    }
  }

  async #read(
    asked: Asked,
    from: {
      readonly key: ObjectKey;
      readonly contexts: Map<ObjectKey, VersionVector | undefined>;
      readonly random: SeededRandom;
    },
  ): Promise<void> {
    const { key, contexts, random } = from;
    const { history, onStrictRead, world } = this.#ports;
    const { requestTimeoutMs: timeoutMs } = this.#options;
    const startedMs = world.nowMs;
    const isStrict = random.chance(0.5);
    const pr = isStrict ? 'quorum' : 0;
    const outcome = await this.#within(asked, () => asked.node.get({ key, pr, timeoutMs }));
    if (outcome === undefined) return;
    history.readCount += 1;
    if (outcome.kind !== 'found' && outcome.kind !== 'not-found') {
      history.failureCount += 1;
      return;
    }
    const { context } = (outcome.kind === 'found' ? outcome.object : outcome.tombstone) ?? {};
    contexts.set(key, context);
    if (isStrict) onStrictRead({ key, startedMs, context });
  }

  async #write(
    asked: Asked,
    from: {
      readonly key: ObjectKey;
      readonly contexts: ReadonlyMap<ObjectKey, VersionVector | undefined>;
      readonly random: SeededRandom;
    },
  ): Promise<void> {
    const { key, random } = from;
    const context = random.chance(0.2) ? undefined : from.contexts.get(key);
    // Quorums count positions, and one node may stand in for several when others are down; so half
    // of the writes ask for two distinct nodes, and are held to that.
    const nodeConfirms = random.chance(0.5) ? 2 : 0;
    const isStrict = random.chance(this.#options.strictShare ?? 0.3);
    const needed = Math.max(1, nodeConfirms);
    const write = this.#begin({ key, context, isDelete: false, needed, isStrict });
    const outcome = await this.#within(asked, () =>
      asked.node.put({
        nodeConfirms,
        pw: isStrict ? 'quorum' : 0,
        key,
        ...(context === undefined ? {} : { context }),
        content: {
          metadata: { indexes: someIndexes(random) },
          value: Buffer.from(write.token),
          isTombstone: false,
        },
        returning: 'nothing',
        timeoutMs: this.#options.requestTimeoutMs,
      }),
    );
    if (outcome?.kind === 'stored') this.#acknowledge(write);
    else this.#ports.history.failureCount += 1;
  }

  async #delete(
    asked: Asked,
    key: ObjectKey,
    contexts: ReadonlyMap<ObjectKey, VersionVector | undefined>,
  ): Promise<void> {
    const context = contexts.get(key);
    if (context === undefined) return;
    const write = this.#begin({ key, context, isDelete: true, needed: 1, isStrict: false });
    const outcome = await this.#within(asked, () =>
      asked.node.delete({ key, context, timeoutMs: this.#options.requestTimeoutMs }),
    );
    if (outcome?.kind === 'deleted') this.#acknowledge(write);
    else this.#ports.history.failureCount += 1;
  }

  /** Of a bucket beside the key's own, whose properties no write depends on. */
  async #changeProperties(asked: Asked, { type }: ObjectKey): Promise<void> {
    const { topology, world } = this.#ports;
    if (!asked.node.readiness().isReady) return;
    const bucket = utf8ToByteString('properties');
    const change = topology.begin(type, bucket, world.nowMs);
    const changes = { [MARKER_PROPERTY]: change.marker };
    const outcome = await Promise.race([
      asked.machine.ask(() => asked.node.setBucketProperties(type, bucket, changes)),
      world.sleep(AGREEMENT_LIMIT_MS).then(() => undefined),
    ]);
    if (outcome?.kind === 'changed') change.ackedMs = world.nowMs;
  }

  #begin(write: Omit<Parameters<History['begin']>[0], 'startedMs'>): WriteRecord {
    const { history, world } = this.#ports;
    return history.begin({ ...write, startedMs: world.nowMs });
  }

  #acknowledge(write: WriteRecord): void {
    write.ackedMs = this.#ports.world.nowMs;
    this.#ports.onAcknowledged(write);
  }

  #within<T>(asked: Asked, request: () => Promise<T>): Promise<T | undefined> {
    const { world, history } = this.#ports;
    const { requestTimeoutMs } = this.#options;
    return within(asked, request, { world, requestTimeoutMs, violations: history.violations });
  }

  #keys(): ObjectKey[] {
    return this.#options.buckets.flatMap(([type, bucket]) =>
      Array.from({ length: this.#options.keysPerBucket }, (_, index) => ({
        type,
        bucket,
        key: utf8ToByteString(`k${index}`),
      })),
    );
  }
}

const TERM_COUNT = 5;

/** Up to one entry in each of two indexes, sorted by field. */
function someIndexes(random: SeededRandom): IndexEntry[] {
  const term = (): ByteString => utf8ToByteString(`${random.integer(TERM_COUNT)}`);
  return ['age_int', 'name_bin']
    .filter(() => random.chance(0.5))
    .map((field) => ({ field: utf8ToByteString(field), term: term() }));
}
