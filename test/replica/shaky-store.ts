/**
 * A store for tests whose reads and writes take a while, by chance, and that can lose its power.
 *
 * Writes apply and resolve in order. `crash` gives what was written until then to a new store; what
 * was on its way is applied up to some point, by chance, and never resolves.
 */

import { Fault } from '../../src/base/fault.ts';
import type { Random } from '../../src/base/host.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type {
  ScanEntry,
  ScanRange,
  Store,
  StoreHealth,
  WriteOperation,
} from '../../src/storage/store.ts';

export class ShakyStore implements Store {
  readonly memory: MemoryStore;
  readonly #random: Random;
  readonly #underWay: WriteOperation[][] = [];
  #lastWrite: Promise<void> = Promise.resolve();
  #isCrashed = false;
  #fencedAfter = Infinity;
  #isFenced = false;
  writeCount = 0;
  /** Whether it has no room for a write now. */
  isFull = false;
  /** Writes wait for it. */
  gate: Promise<void> = Promise.resolve();
  /** A key that cannot be read. */
  corruptKey: Buffer | undefined;
  /** A key whose body cannot be read. */
  bodilessKey: Buffer | undefined;
  /** Whether that is because the disk refuses; else what it gives is damaged. */
  isDiskRefusing = false;
  /** Scans that begin with it show what they can, and then fail. */
  corruptScanFrom: Buffer | undefined;

  constructor(random: Random, memory = new MemoryStore()) {
    this.#random = random;
    this.memory = memory;
  }

  /** The store as it is found after a power cut. */
  crash(): ShakyStore {
    this.#isCrashed = true;
    const survivors = this.#random.integer(this.#underWay.length + 1);
    for (const operations of this.#underWay.slice(0, survivors)) {
      void this.memory.write(operations);
    }
    return new ShakyStore(this.#random, this.memory);
  }

  /** The next write but `writes` fails, and every one after it. */
  fenceAfter(writes: number): void {
    this.#fencedAfter = this.writeCount + writes;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    if (this.bodilessKey?.equals(key) === true) {
      const refusal = this.isDiskRefusing ? { cause: new Error('EIO') } : {};
      throw new Fault('store-corrupt', 'unreadable', refusal);
    }
    return this.getHead(key);
  }

  async getHead(key: Buffer): Promise<Buffer | undefined> {
    await this.#pass(4);
    if (this.corruptKey?.equals(key) === true) throw new Fault('store-corrupt', 'unreadable');
    return this.memory.get(key);
  }

  refusal(): Fault | undefined {
    if (this.#isFenced) return new Fault('store-fenced', 'the disk failed');
    return this.isFull ? new Fault('overload', 'too many writes wait for the disk') : undefined;
  }

  async write(operations: readonly WriteOperation[]): Promise<void> {
    if (this.#isCrashed) await new Promise(() => {});
    this.writeCount += 1;
    if (this.writeCount > this.#fencedAfter) this.#isFenced = true;
    if (this.#isFenced) throw new Fault('store-fenced', 'the disk failed');
    const copies = operations.map(copied);
    this.#underWay.push(copies);
    const before = this.#lastWrite;
    this.#lastWrite = (async () => {
      await before;
      await this.gate;
      await this.#pass(6);
      await this.memory.write(copies);
      this.#underWay.shift();
    })();
    await this.#lastWrite;
  }

  async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    yield* this.memory.scan(range);
    if (this.corruptScanFrom?.equals(range.from) === true) {
      throw new Fault('store-corrupt', 'a table is damaged');
    }
  }

  approximateSizeBytes(range: ScanRange): Promise<number> {
    return this.memory.approximateSizeBytes(range);
  }

  health(): StoreHealth {
    return this.#isFenced ? { kind: 'fenced', reason: 'the disk failed' } : { kind: 'ready' };
  }

  async close(): Promise<void> {
    await this.#lastWrite;
  }

  /** Some turns go by; for ever, once the power is gone. */
  async #pass(turnsMax: number): Promise<void> {
    const turns = this.#random.integer(turnsMax);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    if (this.#isCrashed) await new Promise(() => {});
  }
}

function copied(operation: WriteOperation): WriteOperation {
  if (operation.kind === 'remove') return { kind: 'remove', key: Buffer.from(operation.key) };
  const { key, head, body } = operation;
  const put = { kind: 'put' as const, key: Buffer.from(key), head: Buffer.from(head) };
  return body === undefined ? put : { ...put, body: Buffer.from(body) };
}
