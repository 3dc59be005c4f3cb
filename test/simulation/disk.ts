/**
 * The disk: what survives a crash is what was on it.
 *
 * A write takes time; when it resolves it is on the disk for good. A crash keeps a random prefix of
 * the writes under way, in order, each whole or not at all (a torn batch fails its checksum in the
 * log and is dropped, as LevelDB does). On top come full disks, failed syncs and flipped bits.
 */

import { Fault } from '../../src/base/fault.ts';
import type {
  ScanEntry,
  ScanRange,
  Store,
  StoreHealth,
  WriteOperation,
} from '../../src/storage/store.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { SeededRandom, World } from './world.ts';

export interface DiskOptions {
  /** Longest time a write, or a read, takes. */
  readonly writeLatencyMaxMs: number;
  readonly readLatencyMaxMs: number;
}

/** About as much as the value at the end of a record and its checksum. */
const TAIL_SIZE_BYTES = 8;

export class SimulatedDisk {
  readonly world: World;
  readonly random: SeededRandom;
  readonly options: DiskOptions;
  /** What is on stable storage. */
  contents = new MemoryStore();
  #store: SimulatedStore | undefined;
  /** Makes the next write fail, as a failed fsync does. */
  failNextWrite: string | undefined;
  /** There is no more room than the reserve, as the node may know in time. */
  isFull = false;
  /** A planted bug: writes are acknowledged at once and reach the disk later, or never. */
  acknowledgesEarly = false;
  /** A planted bug: a crash brings back the disk as it was when the process before it started. */
  rollsBack = false;
  readonly #applied: (readonly WriteOperation[])[] = [];
  #appliedAtOpen: readonly [before: number, now: number] = [0, 0];

  constructor(world: World, options: DiskOptions) {
    this.world = world;
    this.random = world.random.fork();
    this.options = options;
  }

  /** Brings a batch to stable storage. */
  apply(operations: readonly WriteOperation[]): void {
    if (this.rollsBack) this.#applied.push(operations);
    void this.contents.write(operations);
  }

  open(): SimulatedStore {
    this.#appliedAtOpen = [this.#appliedAtOpen[1], this.#applied.length];
    this.#store = new SimulatedStore(this);
    return this.#store;
  }

  /** The process that had it open is gone. */
  crash(): void {
    this.#store?.abandon();
    this.#store = undefined;
    if (!this.rollsBack) return;
    this.contents = new MemoryStore();
    for (const operations of this.#applied.slice(0, this.#appliedAtOpen[0] + 1)) {
      void this.contents.write(operations);
    }
  }

  /** A new, empty disk in place of this one, or one that holds what `image` does. */
  replace(image = new MemoryStore()): void {
    this.contents = image;
  }

  /** A copy of what is on stable storage now. */
  async copy(): Promise<MemoryStore> {
    const image = new MemoryStore();
    for await (const batch of this.contents.scan({ from: Buffer.of(0), to: Buffer.of(0xff) })) {
      await image.write(batch.map(({ key, value }) => ({ kind: 'put', key, head: value })));
    }
    return image;
  }

  isFenced(): boolean {
    return this.#store?.health().kind === 'fenced';
  }

  /** Flips one bit of one value in the range; false if there is none. */
  async corruptOne(range: Pick<ScanRange, 'from' | 'to'>): Promise<boolean> {
    const entries: ScanEntry[] = [];
    for await (const batch of this.contents.scan(range)) entries.push(...batch);
    if (entries.length === 0) return false;
    const victim = this.random.pick(entries);
    if (victim.value.length === 0) return false;
    const value = Buffer.from(victim.value);
    // Heads are larger than the values here; each is hit as often.
    const reach = this.random.chance(0.5) ? Math.min(TAIL_SIZE_BYTES, value.length) : value.length;
    const at = value.length - 1 - this.random.integer(reach);
    value[at] = (value[at] as number) ^ (1 << this.random.integer(8));
    await this.contents.write([{ kind: 'put', key: victim.key, head: value }]);
    return true;
  }
}

interface PendingWrite {
  readonly operations: readonly WriteOperation[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class SimulatedStore implements Store {
  readonly #disk: SimulatedDisk;
  readonly #pending: PendingWrite[] = [];
  #isWriting = false;
  #isGone = false;
  #isClosed = false;
  #fencedReason: string | undefined;

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    await this.#delay(this.#disk.options.readLatencyMaxMs);
    this.#mustBeOpen();
    return this.#disk.contents.get(key);
  }

  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.get(key);
  }

  refusal(): Fault | undefined {
    if (this.#isClosed) return new Fault('store-closed', 'the store is closed');
    return this.#fencedReason === undefined ? undefined : this.#fencedFault();
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      // The caller may reuse its buffers once the call has returned.
      this.#pending.push({ operations: operations.map(copyOf), resolve, reject });
      if (this.#disk.acknowledgesEarly) resolve();
      this.#writeNext();
    });
  }

  async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    this.#mustBeOpen();
    const snapshot = this.#disk.contents.scan(range);
    for await (const batch of snapshot) {
      await this.#delay(this.#disk.options.readLatencyMaxMs);
      this.#mustBeOpen();
      yield batch;
    }
  }

  approximateSizeBytes(range: Pick<ScanRange, 'from' | 'to'>): Promise<number> {
    return this.#disk.contents.approximateSizeBytes(range);
  }

  health(): StoreHealth {
    return this.#fencedReason === undefined
      ? { kind: 'ready' }
      : { kind: 'fenced', reason: this.#fencedReason };
  }

  async close(): Promise<void> {
    while (this.#pending.length > 0 && !this.#isGone && this.#fencedReason === undefined) {
      await this.#delay(1);
    }
    this.#isClosed = true;
  }

  /** The crash: a prefix of what was under way may have reached the disk; nobody is told. */
  abandon(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const survivorCount = this.#disk.random.integer(this.#pending.length + 1);
    for (const { operations } of this.#pending.slice(0, survivorCount)) {
      this.#disk.apply(operations);
    }
  }

  #writeNext(): void {
    if (this.#isWriting || this.#pending.length === 0) return;
    this.#isWriting = true;
    // Group commit: what has gathered by now goes in one sync.
    const group = this.#pending.length;
    this.#disk.world.after(this.#latency(this.#disk.options.writeLatencyMaxMs), () => {
      if (this.#isGone) return;
      this.#isWriting = false;
      if (this.#disk.failNextWrite !== undefined) {
        this.#fence(this.#disk.failNextWrite);
        return;
      }
      for (const { operations, resolve } of this.#pending.splice(0, group)) {
        this.#disk.apply(operations);
        resolve();
      }
      this.#writeNext();
    });
  }

  #fence(reason: string): void {
    this.#disk.failNextWrite = undefined;
    this.#fencedReason = reason;
    for (const { reject } of this.#pending.splice(0)) reject(this.#fencedFault());
  }

  #fencedFault(): Fault {
    return new Fault('store-fenced', `the store takes no writes: ${this.#fencedReason}`);
  }

  #mustBeOpen(): void {
    if (this.#isClosed || this.#isGone) throw new Fault('store-closed', 'the store is closed');
  }

  #delay(maxMs: number): Promise<void> {
    // A process that is gone waits for ever: its code must not run on.
    return new Promise((resolve) => {
      this.#disk.world.after(this.#latency(maxMs), () => {
        if (!this.#isGone) resolve();
      });
    });
  }

  #latency(maxMs: number): number {
    return this.#disk.random.integer(maxMs * 1000 + 1) / 1000;
  }
}

function copyOf(operation: WriteOperation): WriteOperation {
  if (operation.kind === 'remove') return { kind: 'remove', key: Buffer.from(operation.key) };
  const head = Buffer.concat([operation.head, operation.body ?? Buffer.alloc(0)]);
  return { kind: 'put', key: Buffer.from(operation.key), head };
}
