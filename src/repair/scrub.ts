/**
 * The scrub: every copy on this node is read and checked, again and again, within a budget.
 *
 * Anti-entropy compares what heads say, so a value that has rotted under a sound head would be found
 * by its reader only, perhaps when the other copies have gone the same way. What is found damaged is
 * fetched from every other replica and merged, which overwrites the damaged copy; where this node is no
 * replica itself it is dropped. Where the store
 * cannot even name the keys any more, the partition is compared with its other replicas key by key.
 * Before that the store's own tables are checked: LevelDB compares no checksum of what it reads, and a
 * damaged block may be merged away, with all that it held. The partitions that had keys in it are compared
 * in each walk for as long as it is there, since nobody can tell what LevelDB still makes of it. What derives
 * from copies and lay in it is looked for once, and once more when the table has gone (`index-repair.ts`).
 */

import { isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { Background } from './background.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import { Halt } from './halt.ts';
import type { RepairPorts } from './ports.ts';
import { replicasOf } from './replica-sets.ts';
import { RepairRequests } from './requests.ts';
import type { Placement } from '../replica/replica.ts';
import { derivedPartitionsWithin, partitionsWithin } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

export interface ScrubOptions {
  /** From the end of a walk to the start of the next, and before the first. */
  readonly restMs: number;
  /** Of records read. */
  readonly bytesPerSecond: number;
  readonly requestTimeoutMs: number;
}

export const SCRUB_DEFAULTS: ScrubOptions = {
  restMs: 3_600_000,
  bytesPerSecond: 4 * 1024 * 1024,
  requestTimeoutMs: 10_000,
};

export interface ScrubProgress {
  readonly partitionsDone: number;
  readonly partitionCount: number;
  readonly checked: number;
  readonly checkedBytes: number;
  readonly damaged: number;
  /** Fetched from other replicas, or dropped where this node is none. */
  readonly repaired: number;
  /** Partitions in which the store could not name every key. */
  readonly unreadablePartitions: number;
  /** Of the store's. */
  readonly tables: number;
  readonly damagedTables: number;
}

export interface ScrubStatus {
  readonly isRunning: boolean;
  readonly walkCount: number;
  readonly walk: ScrubProgress | undefined;
  readonly lastWalk: ScrubProgress | undefined;
}

/** Compares a partition with its other replicas, key by key. */
export type ComparePartition = (partition: Partition, halt: Halt) => Promise<unknown>;

export interface ScrubPorts extends RepairPorts {
  /** This node's own, for its tables. */
  readonly store?: Pick<Store, 'checkTables' | 'health'>;
  /** Of these partitions the store may have lost what derives from copies; durable when it resolves. */
  readonly doubtDerived?: (partitions: readonly Partition[]) => Promise<void>;
}

/** What tables were damaged, and where something may be missing that derives from copies. */
interface DerivedDoubts {
  readonly tables: string[];
  readonly partitions: Set<Partition>;
}

type Sums = { -readonly [Name in keyof ScrubProgress]: ScrubProgress[Name] };

/** What an empty batch, or a small record, counts for at least: a read is never free. */
const ENTRY_COST_BYTES = 512;

export class Scrub {
  readonly rateLimit: ByteRateLimit;
  readonly #ports: ScrubPorts;
  readonly #compare: ComparePartition;
  readonly #requests: RepairRequests;
  readonly #background: Background;
  #walkCount = 0;
  #walk: Sums | undefined;
  #lastWalk: ScrubProgress | undefined;
  #lastDoubts: DerivedDoubts = { tables: [], partitions: new Set() };

  constructor(ports: ScrubPorts, options: ScrubOptions, compare: ComparePartition) {
    this.#ports = ports;
    this.#compare = compare;
    this.#requests = new RepairRequests(ports.peer, options.requestTimeoutMs);
    this.rateLimit = new ByteRateLimit(ports.host.clock, options.bytesPerSecond);
    const background = { name: 'scrub', restMs: options.restMs };
    this.#background = new Background(ports.host, background, (halt) => this.walk(halt));
  }

  status(): ScrubStatus {
    return {
      isRunning: this.#walk !== undefined,
      walkCount: this.#walkCount,
      walk: this.#walk && { ...this.#walk },
      lastWalk: this.#lastWalk,
    };
  }

  start(): void {
    this.#background.start();
  }

  /** Begins a walk now, or right after the one under way. */
  wake(): void {
    this.#background.wake();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    return this.#background.stop();
  }

  /** Once over all that is here; from a partition by chance, so that restarts favour none. */
  async walk(halt: Halt = new Halt()): Promise<ScrubProgress> {
    const { host, view } = this.#ports;
    const partitionCount = view.state().ringSize;
    const sums: Sums = {
      partitionsDone: 0,
      partitionCount,
      checked: 0,
      checkedBytes: 0,
      damaged: 0,
      repaired: 0,
      unreadablePartitions: 0,
      tables: 0,
      damagedTables: 0,
    };
    this.#walk = sums;
    const first = host.random.integer(partitionCount);
    try {
      await this.#checkTables(sums, halt);
      for (let step = 0; step < partitionCount && !halt.isSet; step += 1) {
        await this.#scrubPartition(((first + step) % partitionCount) as Partition, sums, halt);
        sums.partitionsDone += 1;
      }
    } finally {
      this.#walk = undefined;
      this.#lastWalk = sums;
    }
    this.#walkCount += 1;
    host.metrics.count('scrub_walks_total');
    if (sums.damaged + sums.unreadablePartitions + sums.damagedTables > 0) {
      host.log.warn('repair.scrub.healed', { ...sums });
    }
    return sums;
  }

  async #checkTables(sums: Sums, halt: Halt): Promise<void> {
    const { host, view, store } = this.#ports;
    const doubted = new Set<Partition>();
    // One that takes no more writes may have left a table half written, and cannot be healed.
    const isReady = (): boolean => store?.health().kind === 'ready';
    if (!isReady()) return;
    const derived: DerivedDoubts = { tables: [], partitions: new Set() };
    for await (const { name, sizeBytes, damage } of store?.checkTables?.() ?? []) {
      if (!isReady()) return;
      sums.tables += 1;
      host.metrics.count('scrub_tables_total');
      if (damage !== undefined) {
        const { part, blockCount, spans } = damage;
        const { ringSize } = view.state();
        const partitions = new Set(spans.flatMap((span) => partitionsWithin(span, ringSize)));
        for (const partition of partitions) doubted.add(partition);
        derived.tables.push(name);
        for (const partition of spans.flatMap((span) => derivedPartitionsWithin(span, ringSize))) {
          derived.partitions.add(partition);
        }
        sums.damagedTables += 1;
        host.metrics.gauge('store_damaged_tables', sums.damagedTables);
        host.log.error('repair.scrub.table_damaged', {
          table: name,
          part,
          blocks: blockCount,
          partitions: partitions.size,
          remedy: 'its keys are compared with its peers; stop the node and run repair-store',
        });
      }
      if (!(await this.rateLimit.take(sizeBytes, halt))) return;
    }
    host.metrics.gauge('store_damaged_tables', sums.damagedTables);
    for (const partition of doubted) {
      if (halt.isSet) return;
      await this.#compare(partition, halt);
    }
    await this.#doubtDerived(derived);
  }

  /** Once for each change of what is damaged: a table that has gone since was merged, with what it still had. */
  async #doubtDerived(doubts: DerivedDoubts): Promise<void> {
    const before = this.#lastDoubts;
    doubts.tables.sort();
    if (doubts.tables.join() === before.tables.join()) return;
    this.#lastDoubts = doubts;
    const partitions = [...new Set([...before.partitions, ...doubts.partitions])];
    if (partitions.length > 0) await this.#ports.doubtDerived?.(partitions);
  }

  async #scrubPartition(partition: Partition, sums: Sums, halt: Halt): Promise<void> {
    const { host, replica } = this.#ports;
    try {
      for await (const { count, sizeBytes, damaged } of replica.check(partition)) {
        sums.checked += count;
        sums.checkedBytes += sizeBytes;
        host.metrics.count('scrub_checked_total', count);
        host.metrics.count('scrub_bytes_total', sizeBytes);
        for (const key of damaged) await this.#repair(key, partition, sums);
        const cost = Math.max(sizeBytes, count * ENTRY_COST_BYTES);
        if (!(await this.rateLimit.take(cost, halt))) return;
      }
    } catch (error) {
      if (!isFault(error, 'store-corrupt')) throw error;
      sums.unreadablePartitions += 1;
      host.log.error('repair.scrub.unreadable', { partition, remedy: 'compared with its peers' });
      await this.#compare(partition, halt);
    }
  }

  async #repair(key: ObjectKey, partition: Partition, sums: Sums): Promise<void> {
    const { host, replica, self, view } = this.#ports;
    sums.damaged += 1;
    host.metrics.count('scrub_damaged_total');
    const placement = view.place(key);
    if (placement === undefined || placement.partition !== partition) return;
    replica.doubt(key);
    const replicas = replicasOf(view, { partition, nVal: placement.properties.n_val });
    const isRepaired = replicas.includes(self)
      ? await this.#fetch(key, placement, replicas)
      : await this.#drop(key, placement, replicas);
    if (!isRepaired) return;
    sums.repaired += 1;
    host.metrics.count('scrub_repaired_total');
  }

  async #fetch(
    key: ObjectKey,
    placement: Placement,
    replicas: readonly NodeId[],
  ): Promise<boolean> {
    const { host, replica, self, view } = this.#ports;
    let isRepaired = false;
    // Each of them may hold what no other does.
    for (const node of replicas) {
      if (node === self || !view.isUp(node)) continue;
      try {
        const record = await this.#requests.get(node, key, false);
        if (record === undefined) continue;
        await replica.merge(key, placement, record, undefined);
        isRepaired = true;
      } catch (error) {
        if (!isFault(error)) throw error;
        host.metrics.count('scrub_refused_total');
      }
    }
    return isRepaired;
  }

  /** What others hold is not fetched: it would only have to go again. */
  async #drop(key: ObjectKey, placement: Placement, replicas: readonly NodeId[]): Promise<boolean> {
    const { host, replica, self, view } = this.#ports;
    try {
      for (const node of replicas) {
        if (!view.isUp(node)) return false;
        await this.#requests.get(node, key, true);
      }
    } catch (error) {
      if (!isFault(error)) throw error;
      host.metrics.count('scrub_refused_total');
      return false;
    }
    const { partition, properties } = placement;
    // While that took its time the ring may have given the key to this node.
    if (replicasOf(view, { partition, nVal: properties.n_val }).includes(self)) return false;
    return replica.drop(key, placement, undefined);
  }
}
