/**
 * The index repair: what derives from copies is looked for beside them, and made right.
 *
 * Damage to the store may take index entries, notes of tombstones, places in segments or rows of hash
 * trees without the copies that they stand for, and no exchange with peers would notice the first two.
 * A mended store is gone through whole at its next start, a running one when the scrub finds damaged
 * tables, and any when an operator asks: partition by partition, then all index entries for those that
 * no copy has. It takes a share of the time and leaves the rest to clients.
 *
 * What is owed, and how far it has come, is in the store, so that a restart goes on with it:
 *
 *   meta 'index-repair' → JSON: {cause, partitions, done, after}; `done` partitions of the list are, and
 *                         `after` is the last key that was looked at since, in hex
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { assert, isFault } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';
import { replicaCountsInUse } from '../membership/effective-properties.ts';
import type { DerivedPage } from '../replica/derived-entries.ts';
import { encodeMetaKey } from '../storage/keys.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import { Background } from './background.ts';
import { ByteRateLimit } from './byte-rate-limit.ts';
import { Halt } from './halt.ts';
import type { RepairPorts } from './ports.ts';
import { Recounts } from './recounts.ts';

export interface IndexRepairOptions {
  /** After a round that was cut off by a fault. */
  readonly restMs: number;
  /** What the reads of the store count for: 512 bytes each. */
  readonly bytesPerSecond: number;
}

/** 16,384 reads a second: some fifth of the event loop. */
export const INDEX_REPAIR_DEFAULTS: IndexRepairOptions = {
  restMs: 60_000,
  bytesPerSecond: 8 * 1024 * 1024,
};

export interface IndexRepairNote {
  readonly cause: 'damage' | 'asked';
  /** `all`: of the ring as it is then. */
  readonly partitions: readonly Partition[] | 'all';
  readonly done: number;
  readonly after: string | undefined;
}

export interface IndexRepairProgress {
  readonly cause: IndexRepairNote['cause'];
  readonly partitionsDone: number;
  readonly partitionCount: number;
  /** Since this process went on with it: copies that were looked at, and those that lacked something. */
  readonly checked: number;
  readonly restored: number;
  /** Index entries that were looked at, and those that went. */
  readonly entriesChecked: number;
  readonly entriesRemoved: number;
  /** Rows of hash trees that were wrong. */
  readonly segmentsCorrected: number;
  /** Walks that ended early because the store could not name its keys. */
  readonly unreadable: number;
}

export interface IndexRepairStatus {
  /** `waiting`: for the next try, after a fault. */
  readonly state: 'none' | 'running' | 'waiting' | 'done' | 'cancelled';
  readonly progress: IndexRepairProgress | undefined;
}

export interface IndexRepairPorts extends RepairPorts {
  /** This node's own, for the note. */
  readonly store: Store;
  /** Called when `isDoubted` may have changed. */
  readonly changed: () => void;
}

const NOTE_KEY = encodeMetaKey(utf8ToByteString('index-repair'));
/** Pages between two notes of how far it has come: a restart repeats no more. */
const PAGES_PER_NOTE = 64;
const LOOKUP_COST_BYTES = 512;

/** To be stored with a new identity: this store was mended. */
export function damageNote(): WriteOperation {
  return noteOperation({ cause: 'damage', partitions: 'all', done: 0, after: undefined });
}

/** What processes before this one have left to be done. A note that is no note asks for everything. */
export async function findIndexRepair(store: Store): Promise<IndexRepairNote | undefined> {
  const bytes = await store.get(NOTE_KEY);
  return bytes && decodeNote(bytes);
}

type Sums = { -readonly [Name in keyof IndexRepairProgress]: IndexRepairProgress[Name] };

export class IndexRepair {
  readonly rateLimit: ByteRateLimit;
  readonly #ports: IndexRepairPorts;
  readonly #recounts: Recounts;
  readonly #background: Background;
  /** What is owed, and how far it is. */
  #note: IndexRepairNote | undefined;
  /** Another one each time that something else is owed: a round ends when it is not of its own. */
  #debt = 0;
  #state: IndexRepairStatus['state'] = 'none';
  #sums: Sums | undefined;
  #pagesSinceNote = 0;
  #isStarted = false;

  /** `note`: as `findIndexRepair` has found it. */
  constructor(
    ports: IndexRepairPorts,
    options: IndexRepairOptions,
    note: IndexRepairNote | undefined,
  ) {
    this.#ports = ports;
    this.#note = note;
    if (note !== undefined) this.#state = 'waiting';
    this.rateLimit = new ByteRateLimit(ports.host.clock, options.bytesPerSecond);
    this.#recounts = new Recounts(ports);
    const background = { name: 'index_repair', restMs: options.restMs };
    this.#background = new Background(ports.host, background, (halt) => this.round(halt));
  }

  status(): IndexRepairStatus {
    return { state: this.#state, progress: this.#sums && { ...this.#sums } };
  }

  /** Whether something may be missing that queries are answered from: there was damage. */
  get isDoubted(): boolean {
    return this.#note?.cause === 'damage';
  }

  /** Nothing runs, and no timer does, while nothing is owed. */
  start(): void {
    this.#isStarted = true;
    this.#measure();
    if (this.#note !== undefined) this.#run();
  }

  /** Idempotent. */
  stop(): Promise<void> {
    this.#isStarted = false;
    return this.#background.stop();
  }

  /** An operator asks for it; durable when it resolves. False: one is under way. */
  async ask(partitions: IndexRepairNote['partitions']): Promise<boolean> {
    if (this.#note !== undefined) return false;
    await this.#begin({ cause: 'asked', partitions, done: 0, after: undefined });
    return true;
  }

  /** Of these partitions something may be missing; durable when it resolves. */
  async doubt(doubted: readonly Partition[]): Promise<void> {
    const before = this.#note?.partitions ?? [];
    const partitions = before === 'all' ? before : [...new Set([...before, ...doubted])];
    await this.#begin({ cause: 'damage', partitions, done: 0, after: undefined });
  }

  /** Ends what is under way, for good. */
  async cancel(): Promise<void> {
    if (this.#note !== undefined) await this.#end('cancelled');
  }

  async #begin(note: IndexRepairNote): Promise<void> {
    this.#debt += 1;
    this.#note = note;
    this.#sums = undefined;
    this.#state = 'waiting';
    this.#measure();
    this.#ports.changed();
    const noted = this.#ports.store.write([noteOperation(note)]);
    if (this.#isStarted) this.#run();
    await noted;
  }

  async #end(state: 'done' | 'cancelled'): Promise<void> {
    this.#debt += 1;
    this.#note = undefined;
    this.#state = state;
    this.#measure();
    await this.#ports.store.write([{ kind: 'remove', key: NOTE_KEY }]);
    this.#ports.changed();
  }

  #run(): void {
    this.#background.startOrWake();
  }

  #measure(): void {
    const { metrics } = this.#ports.host;
    metrics.gauge('index_repair_owed', this.#note === undefined ? 0 : 1);
  }

  /** Goes on with what is owed, until it is done, halted, or something else is owed. */
  async round(halt: Halt = new Halt()): Promise<void> {
    const owed = this.#note;
    if (owed === undefined) return;
    const debt = this.#debt;
    const { host, view } = this.#ports;
    const { ringSize } = view.state();
    const all = Array.from({ length: ringSize }, (_, partition) => partition as Partition);
    const partitions = owed.partitions === 'all' ? all : owed.partitions;
    const sums = (this.#sums ??= newSums(owed.cause, partitions.length));
    const goesOn = (): boolean => !halt.isSet && this.#debt === debt;
    this.#state = 'running';
    host.log.info('repair.indexes.begun', { cause: owed.cause, partitionsDone: owed.done });
    try {
      for (let done = owed.done; done < partitions.length; done += 1) {
        const partition = partitions[done] as Partition;
        await this.#repairPartition(partition, sums, { halt, goesOn });
        if (!goesOn()) return;
        sums.partitionsDone = done + 1;
        await this.#advance({ done: done + 1, after: undefined });
      }
      await this.#sweep(new Set(partitions), sums, { halt, goesOn });
      if (!goesOn()) return;
    } catch (error) {
      if (this.#debt === debt) this.#state = 'waiting';
      throw error;
    } finally {
      if (this.#debt === debt && halt.isSet) await this.#writeNote();
    }
    await this.#end('done');
    host.metrics.count('index_repair_runs_total');
    host.log.info('repair.indexes.ended', { ...sums });
  }

  async #repairPartition(partition: Partition, sums: Sums, leave: Leave): Promise<void> {
    const { replica, view } = this.#ports;
    const pages = replica.restoreDerived(partition, this.#after());
    await this.#walk(pages, sums, leave, ({ count, mended }) => {
      sums.checked += count;
      sums.restored += mended;
      this.#ports.host.metrics.count('index_repair_checked_total', count);
      this.#ports.host.metrics.count('index_repair_restored_total', mended);
    });
    for (const nVal of replicaCountsInUse(view.state())) {
      if (!leave.goesOn()) return;
      const tree = { partition, nVal };
      sums.segmentsCorrected += await this.#unlessUnreadable(sums, 0, () =>
        this.#recounts.run(tree, leave.halt),
      );
    }
  }

  async #sweep(partitions: ReadonlySet<Partition>, sums: Sums, leave: Leave): Promise<void> {
    const pages = this.#ports.replica.sweepIndexes(partitions, this.#after());
    await this.#walk(pages, sums, leave, ({ count, mended }) => {
      sums.entriesChecked += count;
      sums.entriesRemoved += mended;
      this.#ports.host.metrics.count('index_repair_removed_total', mended);
    });
  }

  /** Page by page at the pace; ends where the store cannot name its keys any more. */
  #walk(
    pages: AsyncIterable<DerivedPage>,
    sums: Sums,
    leave: Leave,
    note: (page: DerivedPage) => void,
  ): Promise<void> {
    return this.#unlessUnreadable(sums, undefined, async () => {
      for await (const page of pages) {
        note(page);
        if (!leave.goesOn()) return;
        await this.#advance({ after: page.last.toString('hex') });
        await this.rateLimit.take(page.lookups * LOOKUP_COST_BYTES, leave.halt);
        if (!leave.goesOn()) return;
      }
    });
  }

  async #unlessUnreadable<T>(sums: Sums, otherwise: T, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!isFault(error, 'store-corrupt')) throw error;
      sums.unreadable += 1;
      this.#ports.host.log.error('repair.indexes.unreadable', {
        remedy: 'stop the node and run repair-store',
      });
      return otherwise;
    }
  }

  #after(): Buffer | undefined {
    const after = this.#note?.after;
    return after === undefined ? undefined : Buffer.from(after, 'hex');
  }

  /** Each partition is noted when it is done, and of the pages every so many. */
  async #advance(to: Partial<IndexRepairNote>): Promise<void> {
    assert(this.#note !== undefined, 'what goes on is owed');
    this.#note = { ...this.#note, ...to };
    this.#pagesSinceNote += 1;
    if (to.done !== undefined || this.#pagesSinceNote >= PAGES_PER_NOTE) await this.#writeNote();
  }

  async #writeNote(): Promise<void> {
    this.#pagesSinceNote = 0;
    if (this.#note !== undefined) await this.#ports.store.write([noteOperation(this.#note)]);
  }
}

/** When a round is to be left at its next step. */
interface Leave {
  readonly halt: Halt;
  readonly goesOn: () => boolean;
}

function newSums(cause: IndexRepairNote['cause'], partitionCount: number): Sums {
  const counts = { partitionsDone: 0, checked: 0, restored: 0, entriesChecked: 0 };
  return {
    cause,
    partitionCount,
    ...counts,
    entriesRemoved: 0,
    segmentsCorrected: 0,
    unreadable: 0,
  };
}

function noteOperation(note: IndexRepairNote): WriteOperation {
  return { kind: 'put', key: NOTE_KEY, head: Buffer.from(JSON.stringify(note)) };
}

/** What is no note asks for everything: whoever noted something had a reason. */
function decodeNote(bytes: Buffer): IndexRepairNote {
  const everything = { cause: 'damage', partitions: 'all', done: 0, after: undefined } as const;
  try {
    const note: unknown = JSON.parse(bytes.toString());
    return isNote(note) ? note : everything;
  } catch {
    return everything;
  }
}

function isNote(note: unknown): note is IndexRepairNote {
  if (typeof note !== 'object' || note === null) return false;
  const { cause, partitions, done, after } = note as Partial<
    Record<keyof IndexRepairNote, unknown>
  >;
  const isList = Array.isArray(partitions) && partitions.every((each) => Number.isInteger(each));
  return (
    (cause === 'damage' || cause === 'asked') &&
    (partitions === 'all' || isList) &&
    Number.isInteger(done) &&
    (after === undefined || (typeof after === 'string' && /^([0-9a-f]{2})*$/.test(after)))
  );
}
