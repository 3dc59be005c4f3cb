/**
 * The disk: what survives a crash is what was on it.
 *
 * On it is the real store with its value log, over simulated files: a batch of LevelDB's is there
 * whole or not at all, of a segment what was synced and by chance some of the rest. Its segments are so
 * short that there is always something to collect. A step of the disk takes time; when a write
 * resolves it is there for good. On top come full disks, failed syncs and flipped bits.
 */

import type { Host } from '../../src/base/host.ts';
import { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type {
  ScanEntry,
  ScanRange,
  Store,
  StoreHealth,
  WriteOperation,
} from '../../src/storage/store.ts';
import { SimulatedFiles } from '../storage/simulated-files.ts';
import type { FilesPass } from '../storage/simulated-files.ts';
import type { SpoolFolder } from '../../src/node/key-spool.ts';
import { QueueFiles } from './queue-files.ts';
import type { NodeClock, SeededRandom, World } from './world.ts';

export interface DiskOptions {
  /** Longest time a write, or a read, takes. */
  readonly writeLatencyMaxMs: number;
  readonly readLatencyMaxMs: number;
}

/** Brings back what was on the disk when it was taken. */
export type DiskImage = () => void;

const VALUE_LOG = { inlineMaxBytes: 2, segmentSizeBytes: 2_000, wasteRatioMax: 0.4 };

export class SimulatedDisk {
  readonly world: World;
  readonly random: SeededRandom;
  readonly options: DiskOptions;
  readonly #files: SimulatedFiles;
  /** Of replication queues, by name. */
  readonly #queues = new Map<string, QueueFiles>();
  #process: DiskProcess | undefined;
  #store: Store | undefined;
  /** There is no more room than the reserve, as the node may know in time. */
  isFull = false;
  /** At most so much longer does each step take. */
  slowedByMs = 0;
  /** A planted bug: writes are acknowledged at once and reach the disk later, or never. */
  acknowledgesEarly = false;
  /** A planted bug: a crash brings back the disk as it was when the process before it started. */
  rollsBack = false;
  #imageBefore: DiskImage | undefined;
  #imageNow: DiskImage | undefined;

  constructor(world: World, options: DiskOptions) {
    this.world = world;
    this.random = world.random.fork();
    this.options = options;
    this.#files = new SimulatedFiles(this.random);
    this.#files.onBatch = () => {
      if (this.rollsBack) this.#imageNow ??= this.#files.snapshot();
    };
  }

  /** Makes the next write fail, as a failed fsync does. */
  set failNextWrite(reason: string | undefined) {
    this.#files.failNextWrite = reason;
  }

  /** Takes no time: no event comes between. */
  async open(host: Host & { readonly clock: NodeClock }): Promise<Store> {
    this.#imageBefore = this.#imageNow;
    this.#imageNow = undefined;
    const process = new DiskProcess(this, host.clock);
    this.#process = process;
    const ports = {
      database: this.#files.database(process),
      folder: this.#files.folder(process),
      defer: (run: () => void) => process.defer(run),
      mayHaveForgotten: false,
    };
    const store = await LevelDbStore.open(host, ports, VALUE_LOG);
    process.isOpening = false;
    this.#store = this.acknowledgesEarly ? new HastyStore(store) : store;
    return this.#store;
  }

  /** Where the process that has it open keeps a replication queue. */
  queueFolder(queue: string): SpoolFolder {
    if (this.#process === undefined) throw new Error('no process has the disk open');
    const files = this.#queues.get(queue) ?? new QueueFiles(this.random.fork());
    this.#queues.set(queue, files);
    return files.folder(this.#process);
  }

  /** The process that had it open is gone. */
  crash(): void {
    if (this.#process !== undefined) this.#process.isGone = true;
    this.#process = undefined;
    this.#store = undefined;
    this.#files.crash();
    for (const queue of this.#queues.values()) queue.crash();
    if (this.rollsBack) (this.#imageBefore ?? this.#imageNow)?.();
  }

  /** A new, empty disk in place of this one, or one that holds what `image` does. */
  replace(image: DiskImage | undefined): void {
    if (image === undefined) {
      this.#files.clear();
      for (const queue of this.#queues.values()) queue.clear();
    } else image();
  }

  /** What is on stable storage now. */
  copy(): DiskImage {
    const parts = [this.#files, ...this.#queues.values()].map((part) => part.snapshot());
    return () => {
      for (const bringBack of parts) bringBack();
    };
  }

  /** The entry as it is on the disk. */
  find(key: Buffer): Buffer | undefined {
    return this.#files.find(key);
  }

  /** All entries as they are on the disk. */
  async contents(): Promise<MemoryStore> {
    const contents = new MemoryStore();
    const keys = this.#files.entries().map(([key]) => key);
    await contents.write(
      keys.map((key) => ({ kind: 'put', key, head: this.find(key) ?? Buffer.alloc(0) })),
    );
    return contents;
  }

  isFenced(): boolean {
    return this.#store?.health().kind === 'fenced';
  }

  /** Flips one bit of one entry in the range, in LevelDB or in the log; false if there is none. */
  corruptOne({ from, to }: Pick<ScanRange, 'from' | 'to'>): boolean {
    const keys = this.#files
      .entries()
      .map(([key]) => key)
      .filter((key) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0);
    if (keys.length === 0) return false;
    this.#files.corrupt(this.random.pick(keys));
    return true;
  }
}

/** A process's time on the disk: it ends with the process, whose code runs on only while it does. */
class DiskProcess implements FilesPass {
  readonly isQuick = false;
  readonly #disk: SimulatedDisk;
  readonly #clock: NodeClock;
  isOpening = true;
  isGone = false;

  constructor(disk: SimulatedDisk, clock: NodeClock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  pass(kind: 'read' | 'write'): Promise<void> {
    if (this.isGone) return new Promise(() => undefined);
    if (this.isOpening) return Promise.resolve();
    const { options, random, world } = this.#disk;
    const soundMaxMs = kind === 'read' ? options.readLatencyMaxMs : options.writeLatencyMaxMs;
    const maxMs = soundMaxMs + this.#disk.slowedByMs;
    return new Promise((resolve) => {
      world.after(random.integer(maxMs * 1000 + 1) / 1000, () => {
        this.#clock.whenRunning(() => {
          if (!this.isGone) resolve();
        });
      });
    });
  }

  defer(run: () => void): void {
    this.#clock.after(0, () => {
      if (!this.isGone) run();
    });
  }
}

/** Acknowledges before anything is durable. */
class HastyStore implements Store {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.get(key);
  }

  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.getHead(key);
  }

  refusal(): ReturnType<Store['refusal']> {
    return this.#store.refusal();
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    const written = this.#store.write(operations);
    written.catch(() => {});
    return Promise.resolve();
  }

  scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    return this.#store.scan(range);
  }

  approximateSizeBytes(range: Pick<ScanRange, 'from' | 'to'>): Promise<number> {
    return this.#store.approximateSizeBytes(range);
  }

  health(): StoreHealth {
    return this.#store.health();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
