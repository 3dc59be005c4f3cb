/**
 * LevelDB and the value log's files as they are for the store, in memory, with crashes.
 *
 * A batch of LevelDB's is on stable storage whole or not at all; of a segment's bytes only those are
 * that were synced, of the rest a crash leaves a prefix, which may end in anything. A segment that was
 * being made or removed when the crash came is there or is not. Every step takes the time that `pass`
 * gives it, which never ends for a process that is gone. What is on disk can be looked at, and harmed.
 */

import sortedBtree from 'sorted-btree';
import { byteStringToBytes, bytesToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { Random } from '../../src/base/host.ts';
import type {
  LevelBatch,
  LevelDatabase,
  LevelIterator,
  LevelIteratorOptions,
} from '../../src/storage/level-database.ts';
import type { SegmentFolder, SegmentWriter } from '../../src/storage/segment-folder.ts';
import { headOf, isParted, placeOf } from '../../src/storage/stored-value.ts';

type Entries = sortedBtree.default<ByteString, Buffer>;

interface Segment {
  bytes: Buffer;
  syncedBytes: number;
}

/** One for all: many reads of a simulation throw it, and a stack for each took a tenth of its time. */
const NOT_QUICK = new Error('the disk has to be waited for');

/** One process's hold of the files. */
export interface FilesPass {
  /** The time that a step takes; never resolves once the process is gone. */
  pass(kind: 'read' | 'write'): Promise<void>;
  /** Whether a read can be done without waiting. */
  readonly isQuick: boolean;
}

export class SimulatedFiles {
  #entries: Entries = new sortedBtree.default(undefined, compareByteStrings);
  #segments = new Map<number, Segment>();
  readonly #random: Random;
  /** Fails the next write, with this reason, as a failed fsync does. */
  failNextWrite: string | undefined;
  /** Called when a batch has come to stable storage. */
  onBatch: () => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** What LevelDB holds, by key. */
  entries(): readonly (readonly [key: Buffer, stored: Buffer])[] {
    return [...this.#entries.entries()].map(([key, stored]) => [byteStringToBytes(key), stored]);
  }

  segmentSizes(): ReadonlyMap<number, number> {
    return new Map([...this.#segments].map(([segment, { bytes }]) => [segment, bytes.length]));
  }

  /** The value of an entry as the disk has it; without its body if that is not there. */
  find(key: Buffer): Buffer | undefined {
    const stored = this.#entries.get(bytesToByteString(key));
    if (stored === undefined || !isParted(stored)) return stored && headOf(stored);
    const place = placeOf(stored);
    const bytes = place && this.#segments.get(place.segment)?.bytes;
    const body = bytes?.subarray(place?.offset, (place?.offset ?? 0) + (place?.sizeBytes ?? 0));
    return Buffer.concat([headOf(stored), body ?? Buffer.alloc(0)]);
  }

  /** Flips a bit of the entry, in LevelDB or in the log. */
  corrupt(key: Buffer): void {
    const stored = this.#entries.get(bytesToByteString(key));
    if (stored === undefined || stored.length === 0) return;
    if (placeOf(stored) !== undefined && this.#random.integer(2) === 0) {
      this.damageBody(key);
      return;
    }
    const harmed = Buffer.from(stored);
    this.#flip(harmed, this.#random.integer(harmed.length));
    this.#entries.set(bytesToByteString(key), harmed);
  }

  /** Flips a bit of the entry's body in the log. */
  damageBody(key: Buffer): void {
    const stored = this.#entries.get(bytesToByteString(key));
    const place = stored && placeOf(stored);
    if (place === undefined) return;
    this.damageSegment(place.segment, place.offset + this.#random.integer(place.sizeBytes));
  }

  damageSegment(segment: number, offset: number): void {
    const found = this.#segments.get(segment);
    if (found !== undefined && offset < found.bytes.length) this.#flip(found.bytes, offset);
  }

  removeSegment(segment: number): void {
    this.#segments.delete(segment);
  }

  addSegment(segment: number, bytes: Buffer): void {
    this.#segments.set(segment, { bytes, syncedBytes: bytes.length });
  }

  put(key: Buffer, stored: Buffer): void {
    this.#entries.set(bytesToByteString(key), stored);
  }

  removeEntry(key: Buffer): void {
    this.#entries.delete(bytesToByteString(key));
  }

  clear(): void {
    this.#entries = new sortedBtree.default(undefined, compareByteStrings);
    this.#segments = new Map();
  }

  /** All of it as it is now; `restore` brings it back. */
  snapshot(): () => void {
    const entries = this.#entries.clone();
    const segments = new Map([...this.#segments].map(([id, segment]) => [id, { ...segment }]));
    return () => {
      this.#entries = entries.clone();
      this.#segments = new Map([...segments].map(([id, segment]) => [id, { ...segment }]));
    };
  }

  /** The power is gone: what was not synced may be gone too, and may be garbage at its end. */
  crash(): void {
    for (const segment of this.#segments.values()) {
      const unsynced = segment.bytes.length - segment.syncedBytes;
      const kept = segment.bytes.subarray(
        0,
        segment.syncedBytes + this.#random.integer(unsynced + 1),
      );
      segment.bytes = Buffer.concat([kept, this.#random.bytes(this.#random.integer(20))]);
      segment.syncedBytes = segment.bytes.length;
    }
  }

  database(process: FilesPass): LevelDatabase {
    let isClosed = false;
    const mustBeOpen = (): void => {
      if (isClosed) throw new ClosedError();
    };
    const find = (key: Buffer): Buffer | undefined => this.#entries.get(bytesToByteString(key));
    return {
      batch: () => this.#batch(process),
      get: async (key) => {
        await process.pass('read');
        return find(key);
      },
      getSync(key) {
        if (!process.isQuick) throw NOT_QUICK;
        return find(key);
      },
      getMany: async (keys) => {
        const ids = keys.map(bytesToByteString);
        await process.pass('read');
        return ids.map((id) => this.#entries.get(id));
      },
      approximateSize: (start, end) => Promise.resolve(sizeBetween(this.#entries, start, end)),
      iterator: (options) => iterate(this.#entries.clone(), options, { process, mustBeOpen }),
      close() {
        isClosed = true;
        return Promise.resolve();
      },
    };
  }

  folder(process: FilesPass): SegmentFolder {
    const read = (segment: number, position: number, into: Buffer): number => {
      const bytes = this.#segments.get(segment)?.bytes;
      if (bytes === undefined) throw new Fault('store-corrupt', 'a segment is missing');
      return bytes.copy(into, 0, position);
    };
    return {
      list: () => Promise.resolve([...this.#segments.keys()]),
      sizeBytes: (segment) => Promise.resolve(this.#segments.get(segment)?.bytes.length ?? 0),
      create: (segment) => this.#create(segment, process),
      read: async (segment, position, into) => {
        await process.pass('read');
        return read(segment, position, into);
      },
      readNow(segment, position, into) {
        if (!process.isQuick) throw new Error('the disk has to be waited for');
        return read(segment, position, into);
      },
      remove: async (segment) => {
        await this.#either(process, () => this.#segments.delete(segment));
      },
      close: () => Promise.resolve(),
    };
  }

  #batch(process: FilesPass): LevelBatch {
    const changes: (readonly [key: ByteString, stored: Buffer | undefined])[] = [];
    return {
      put: (key, value) => changes.push([bytesToByteString(key), Buffer.from(value)]),
      del: (key) => changes.push([bytesToByteString(key), undefined]),
      write: () =>
        this.#either(process, () => {
          for (const [key, stored] of changes) {
            if (stored === undefined) this.#entries.delete(key);
            else this.#entries.set(key, stored);
          }
          this.onBatch();
        }),
      close: () => Promise.resolve(),
    };
  }

  async #create(segment: number, process: FilesPass): Promise<SegmentWriter> {
    const made: Segment = { bytes: Buffer.alloc(0), syncedBytes: 0 };
    await this.#either(process, () => {
      if (this.#segments.has(segment)) throw new Error('the segment is there already');
      this.#segments.set(segment, made);
    });
    return {
      write: async (bytes) => {
        made.bytes = Buffer.concat([made.bytes, bytes]);
        await process.pass('write');
        this.#mayFail();
      },
      sync: async () => {
        const size = made.bytes.length;
        await process.pass('write');
        this.#mayFail();
        made.syncedBytes = size;
      },
      close: () => Promise.resolve(),
    };
  }

  /** A step that a crash during it may leave done or undone. */
  async #either(process: FilesPass, step: () => void): Promise<void> {
    const isDone = this.failNextWrite === undefined && this.#random.integer(2) === 0;
    if (isDone) step();
    await process.pass('write');
    this.#mayFail();
    if (!isDone) step();
  }

  #mayFail(): void {
    if (this.failNextWrite === undefined) return;
    const reason = this.failNextWrite;
    this.failNextWrite = undefined;
    throw new Error(reason);
  }

  #flip(bytes: Buffer, at: number): void {
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << this.#random.integer(8)), at);
  }
}

function sizeBetween(entries: Entries, start: Buffer, end: Buffer): number {
  let sizeBytes = 0;
  for (const [key, stored] of entries.entries(bytesToByteString(start))) {
    if (key >= bytesToByteString(end)) break;
    sizeBytes += key.length + stored.length;
  }
  return sizeBytes;
}

/** Over a tree of its own. */
function iterate(
  tree: Entries,
  options: LevelIteratorOptions,
  { process, mustBeOpen }: { readonly process: FilesPass; readonly mustBeOpen: () => void },
): LevelIterator {
  const { gte, lt, reverse, values } = options;
  const [from, to] = [bytesToByteString(gte), bytesToByteString(lt)];
  const source = reverse ? tree.entriesReversed(to, undefined, true) : tree.entries(from);
  let left = options.limit;
  return {
    async nextv(size) {
      await process.pass('read');
      mustBeOpen();
      const batch: [Buffer, Buffer | undefined][] = [];
      while (left > 0 && batch.length < size) {
        const next = source.next();
        if (next.done === true) break;
        const [key, stored] = next.value;
        if (reverse ? key < from : key >= to) break;
        batch.push([byteStringToBytes(key), values ? stored : undefined]);
        left -= 1;
      }
      if (batch.length < size) left = 0;
      return batch;
    },
    close: () => Promise.resolve(),
  };
}

/** What LevelDB says of an iterator whose database has been closed. */
class ClosedError extends Error {
  readonly code = 'LEVEL_ITERATOR_NOT_OPEN';
}

function compareByteStrings(left: ByteString, right: ByteString): number {
  if (left < right) return -1;
  return left > right ? 1 : 0;
}
