/**
 * The disk of a replication queue: keys that have no room in memory, and those in memory, for the next start.
 *
 * What has waited a quarter of a second is written, so that a queue that is fetched from writes nothing. Nothing is
 * synced but at a clean stop: a stop keeps every key, the end of the process what was written, a power failure what
 * the system had put on the disk. Keys may come more than once then. What cannot be read is counted, and marks the
 * queue as overflowed until a full-sync has gone through.
 *
 * The queue gives way to the node: a disk that fails or is nearly full is left alone, and keys are in memory only, in
 * its bounds.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { sizeOf } from './key-queue.ts';
import type { KeyOverflow, KeyPriority, KeyQueue, Offer, QueuedKey } from './key-queue.ts';
import { encodeBlock, spooledBytes } from './spool-block.ts';
import type { SpooledKey } from './spool-block.ts';
import { isSparse, segmentNameOf, sparseCountOf, SpoolLine, type Segment } from './spool-line.ts';
import { SpoolReader } from './spool-reader.ts';

/** A folder of small files. All of it rejects with a fault where the disk does not do it. */
export interface SpoolFolder {
  /** Nothing, if the folder is not there. */
  list(): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
  /** Undefined: the file is not there. */
  read(name: string): Promise<Buffer | undefined>;
  /** What was in the file from there on is cut off; a file that is not there is made. */
  write(at: { readonly name: string; readonly position: number }, bytes: Buffer): Promise<void>;
  /** A file that is not there is removed already. */
  remove(name: string): Promise<void>;
  /** All that was written is on stable storage. */
  sync(): Promise<void>;
}

export interface KeySpoolPorts {
  readonly host: Pick<Host, 'clock' | 'metrics' | 'log'>;
  readonly folder: SpoolFolder;
  /** Nothing is to be written. */
  readonly isDiskFull: () => boolean;
}

export interface KeySpoolOptions {
  readonly queue: string;
  /** Of all files together. */
  readonly diskMaxBytes: number;
  /** Of the keys in memory. */
  readonly memoryMaxBytes: number;
}

/** Between two writes, and how long a key has waited at least that is written. */
const WRITE_MS = 250;
/** Before a disk that failed is tried again. */
const RETRY_MS = 5_000;
/** Before it is tried again whether there is room. */
const NO_ROOM_MS = 1_000;
const BLOCK_BYTES = 16 * 1024;
/** Of keys that are in no file and not in memory: the disk is slower than they come. */
const BUFFER_BYTES = 1024 * 1024;
const SEGMENT_MEMORY_BYTES = 2 * 1024 * 1024;
const SEGMENT_MEMORY_BYTES_MIN = 64 * 1024;
/** Sparse files are written anew together. */
const SPARSE_COUNT = 8;
const MARK = 'overflowed';
/** Of an entry that need not be written. */
const ENDED = Symbol('ended');

export class KeySpool implements KeyOverflow {
  readonly #ports: KeySpoolPorts;
  readonly #options: KeySpoolOptions;
  readonly #lines = { 'real-time': new SpoolLine('real-time'), sync: new SpoolLine('sync') };
  readonly #segmentMemoryBytes: number;
  readonly #reader: SpoolReader;
  #keys: KeyQueue | undefined;
  #nextNumber = 1;
  #fileBytes = 0;
  #isOpen = false;
  /** A file says that the queue has overflowed. */
  #isMarked = false;
  #isClosed = false;
  #trouble: string | undefined;
  /** Not all could be written that was to be. */
  #lacksRoom = false;
  #cancelTimer: (() => void) | undefined;
  /** Everything that touches files, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #isLoadAsked = false;

  constructor(ports: KeySpoolPorts, options: KeySpoolOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#reader = new SpoolReader(ports, options.queue);
    const part = options.memoryMaxBytes / 8;
    this.#segmentMemoryBytes = Math.max(
      SEGMENT_MEMORY_BYTES_MIN,
      Math.min(SEGMENT_MEMORY_BYTES, part),
    );
  }

  get fileBytes(): number {
    return this.#fileBytes;
  }

  /** Why nothing is written. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Before anything else. */
  attach(keys: KeyQueue): void {
    this.#keys = keys;
  }

  /** Takes up what an earlier start left; a disk that fails is tried again later. */
  open(): Promise<void> {
    return this.#then(() => this.#write(WRITE_MS));
  }

  /** Writes what is in memory, and syncs it; a disk that fails is left. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#then(() => this.#writeLast());
  }

  hasWaiting(priority: KeyPriority): boolean {
    return this.#lines[priority].hasWaiting;
  }

  take(id: ByteString, priority: KeyPriority, offeredMs: number): Offer {
    const line = this.#lines[priority];
    if (line.holds(id)) return 'known';
    const isTaken = this.#hasRoomFor(line, id);
    if (isTaken) {
      line.spill({ id, offeredAtMs: this.#toWallMs(offeredMs) });
      this.#ports.host.metrics.count('replication_spilled_total');
    }
    this.#schedule(WRITE_MS);
    return isTaken ? 'queued' : 'dropped';
  }

  added(entry: QueuedKey): void {
    this.#lines[entry.priority].pending.push(entry);
    this.#schedule(WRITE_MS);
  }

  ended(entry: QueuedKey): void {
    const segment = segmentOf(entry);
    entry.note = ENDED;
    if (segment === undefined) return;
    segment.liveCount -= 1;
    if (segment.liveCount === 0 || segment.liveCount === sparseCountOf(segment)) {
      this.#schedule(WRITE_MS);
    }
  }

  /** The mark of an overflow is to follow it. */
  noteOverflow(): void {
    this.#schedule(WRITE_MS);
  }

  /** What waits on disk is to come into memory, as far as there is room. */
  refill(): Promise<void> {
    if (!this.#canLoad()) return this.#isLoadAsked ? this.#work : Promise.resolve();
    if (!this.#isLoadAsked) {
      this.#isLoadAsked = true;
      void this.#then(async () => {
        this.#isLoadAsked = false;
        await this.#load();
      });
    }
    return this.#work;
  }

  #then(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step);
    return this.#work;
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#cancelTimer !== undefined) return;
    const run = (): void => {
      this.#cancelTimer = undefined;
      void this.#then(() => this.#write(WRITE_MS));
    };
    const roomMs = this.#lacksRoom ? NO_ROOM_MS : delayMs;
    const pauseMs = this.#trouble === undefined ? roomMs : RETRY_MS;
    this.#cancelTimer = this.#ports.host.clock.after(pauseMs, run);
  }

  /** What has waited for `ageMs` gets into files, and what is in none any more leaves them. */
  async #write(ageMs: number): Promise<void> {
    for (const line of this.#everyLine()) line.pending = line.pending.filter(isUnwritten);
    await this.#tryDisk(async () => {
      if (!this.#isOpen) await this.#findFiles();
      this.#lacksRoom = this.#ports.isDiskFull();
      if (!this.#lacksRoom) {
        for (const line of this.#everyLine()) {
          await this.#note(line.pending.filter(this.#hasWaitedFor(ageMs)), line);
          line.pending = line.pending.filter(isUnwritten);
          await this.#spill(line);
        }
        const sparse = this.#segmentsWhere(isSparse);
        if (sparse.length >= SPARSE_COUNT) await this.#writeAnew(sparse);
      }
      await this.#mark();
      await this.#removeEmpty();
    });
    if (this.#isOpen) await this.#load();
    if (this.#isWriteDue()) this.#schedule(WRITE_MS);
  }

  async #writeLast(): Promise<void> {
    await this.#write(0);
    const lost = this.#everyLine().reduce(
      (sum, { pending, buffer }) => sum + pending.length + buffer.length,
      0,
    );
    if (lost > 0) this.#tellLost(lost);
    await this.#tryDisk(async () => {
      if (!this.#isOpen) return;
      await this.#mark();
      if (this.#ports.isDiskFull()) return;
      for (const line of this.#everyLine()) if (line.noted) line.seal(line.noted);
      // So that the next start gives out what waits, and no more.
      await this.#writeAnew(this.#segmentsWhere(({ liveCount, keyCount }) => liveCount < keyCount));
      await this.#ports.folder.sync();
      await this.#removeEmpty();
    });
  }

  #isWriteDue(): boolean {
    return (
      this.#trouble !== undefined ||
      this.#everyLine().some(({ pending, buffer }) => pending.length > 0 || buffer.length > 0)
    );
  }

  async #tryDisk(step: () => Promise<void>): Promise<void> {
    const { log, metrics } = this.#ports.host;
    const { queue } = this.#options;
    try {
      await step();
      if (this.#trouble !== undefined) log.info('replication.queue-disk-recovered', { queue });
      this.#trouble = undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      metrics.count('replication_queue_disk_errors_total');
      if (this.#trouble === undefined) {
        const consequence = 'keys are in memory only';
        log.warn('replication.queue-disk-failed', { queue, reason: error.message, consequence });
      }
      this.#trouble = error.message;
    }
    this.#count();
  }

  async #findFiles(): Promise<void> {
    const files = await this.#ports.folder.list();
    for (const { name, sizeBytes } of files) {
      if (name === MARK) this.#isMarked = true;
      const segment = segmentNameOf(name);
      if (segment === undefined) continue;
      this.#lines[segment.priority].found(name, sizeBytes);
      this.#nextNumber = Math.max(this.#nextNumber, segment.number + 1);
    }
    if (this.#isMarked) this.#mustKeys().noteDropped();
    this.#isOpen = true;
    this.#count();
    if (this.#fileBytes === 0) return;
    const { queue } = this.#options;
    this.#ports.host.log.info('replication.queue-found', { queue, sizeBytes: this.#fileBytes });
  }

  /** Keys in memory, into files of the line; as many as there is room for. */
  async #note(entries: readonly QueuedKey[], line: SpoolLine): Promise<void> {
    for (let at = 0; at < entries.length;) {
      const segment = line.noted ?? line.newSegment(this.#takeNumber(), true);
      const some = this.#fitting(entries, at, segment);
      const keys = some.map(({ id, offeredMs }) => ({
        id,
        offeredAtMs: this.#toWallMs(offeredMs),
      }));
      if (!(await this.#append(line, segment, keys))) return;
      for (const entry of some) {
        if (entry.isGone || entry.note === ENDED) continue;
        const before = segmentOf(entry);
        if (before !== undefined) before.liveCount -= 1;
        entry.note = segment;
        segment.liveCount += 1;
      }
      at += some.length;
    }
  }

  /** Keys that are not in memory. */
  async #spill(line: SpoolLine): Promise<void> {
    while (line.buffer.length > 0) {
      const segment = line.spilled ?? line.newSegment(this.#takeNumber(), false);
      const some = this.#fitting(line.buffer, 0, segment);
      if (!(await this.#append(line, segment, some))) return;
      line.shiftBuffer(some.length);
    }
  }

  /** False: there is no room for it. */
  async #append(line: SpoolLine, segment: Segment, keys: readonly SpooledKey[]): Promise<boolean> {
    const block = encodeBlock(keys);
    if (this.#fileBytes + block.length > this.#options.diskMaxBytes) {
      this.#lacksRoom = true;
      return false;
    }
    const { name, sizeBytes: position } = segment;
    await this.#ports.folder.write({ name, position }, block);
    segment.sizeBytes += block.length;
    segment.keyCount += keys.length;
    segment.memoryBytes += keys.reduce((sum, { id }) => sum + sizeOf(id), 0);
    this.#count();
    if (segment.memoryBytes >= this.#segmentMemoryBytes) line.seal(segment);
    return true;
  }

  /** For one block of the file. */
  #fitting<Key extends { readonly id: ByteString }>(
    keys: readonly Key[],
    from: number,
    { memoryBytes }: Segment,
  ): Key[] {
    let leftBytes = this.#segmentMemoryBytes - memoryBytes;
    let blockBytes = 0;
    let to = from;
    while (to < keys.length && blockBytes < BLOCK_BYTES && leftBytes > 0) {
      const { id } = keys[to] as Key;
      blockBytes += spooledBytes(id);
      leftBytes -= sizeOf(id);
      to += 1;
    }
    return keys.slice(from, to);
  }

  async #writeAnew(segments: readonly Segment[]): Promise<void> {
    if (segments.length === 0) return;
    const moved = new Set(segments);
    const entries = [...this.#mustKeys().entries()].filter((entry) => {
      const segment = segmentOf(entry);
      return segment !== undefined && moved.has(segment);
    });
    for (const line of this.#everyLine()) {
      const own = entries.filter(({ priority }) => priority === line.priority);
      await this.#note(own, line);
    }
  }

  async #removeEmpty(): Promise<void> {
    for (const line of this.#everyLine()) {
      for (const segment of line.segments) {
        if (!segment.isLoaded || segment.liveCount > 0) continue;
        await this.#ports.folder.remove(segment.name);
        line.remove(segment);
      }
    }
  }

  async #mark(): Promise<void> {
    const { isOverflowed } = this.#mustKeys();
    if (isOverflowed === this.#isMarked) return;
    const { folder } = this.#ports;
    if (isOverflowed) await folder.write({ name: MARK, position: 0 }, Buffer.alloc(0));
    else await folder.remove(MARK);
    this.#isMarked = isOverflowed;
  }

  #canLoad(): boolean {
    if (!this.#isOpen || this.#isClosed || this.#reader.isResting) return false;
    return this.#everyLine().some((line) => this.#isDue(line));
  }

  /** Some of it waits on disk, and there is room in memory. */
  #isDue(line: SpoolLine): boolean {
    if (!line.hasWaiting) return false;
    const keys = this.#mustKeys();
    if (keys.count('real-time') + keys.count('sync') === 0) return true;
    const first = line.unloaded[0];
    const neededBytes = Math.min(first?.memoryBytes ?? Infinity, this.#segmentMemoryBytes);
    return neededBytes <= keys.roomBytes(line.priority);
  }

  async #load(): Promise<void> {
    while (this.#canLoad()) {
      const line = this.#everyLine().find((each) => this.#isDue(each));
      if (line !== undefined) await this.#loadFirst(line);
    }
  }

  async #loadFirst(line: SpoolLine): Promise<void> {
    const segment = line.unloaded[0];
    if (segment === undefined) {
      this.#restore(line.emptyBuffer(), line, undefined);
      return;
    }
    line.seal(segment);
    const contents = await this.#reader.read(segment);
    if (contents === undefined) return;
    const { keys, damagedBytes } = contents;
    line.unloaded.shift();
    segment.isLoaded = true;
    segment.keyCount = keys.length;
    this.#restore(keys, line, segment);
    if (segment.liveCount === 0) this.#schedule(WRITE_MS);
    if (damagedBytes > 0) this.#tellDamage(segment, damagedBytes, keys.length);
  }

  #restore(
    keys: readonly SpooledKey[],
    { priority }: SpoolLine,
    segment: Segment | undefined,
  ): void {
    const { clock } = this.#ports.host;
    const nowMs = clock.monotonicMs();
    const wallMs = clock.wallMicros() / 1_000;
    for (const { id, offeredAtMs } of keys) {
      const offeredMs = nowMs - Math.max(0, wallMs - offeredAtMs);
      const isNew = this.#mustKeys().restore({ id, priority, offeredMs }, segment);
      if (isNew && segment !== undefined) segment.liveCount += 1;
    }
  }

  #tellDamage({ name: file }: Segment, damagedBytes: number, keysLeft: number): void {
    const { log, metrics } = this.#ports.host;
    const { queue } = this.#options;
    metrics.count('replication_queue_damaged_total');
    log.error('replication.queue-damaged', { queue, file, damagedBytes, keysLeft });
    this.#mustKeys().noteDropped();
    this.#schedule(WRITE_MS);
  }

  #tellLost(keys: number): void {
    const { queue } = this.#options;
    const consequence = 'a full-sync has to find them';
    this.#ports.host.log.warn('replication.queue-lost', { queue, keys, consequence });
    this.#mustKeys().noteDropped();
  }

  #hasRoomFor(line: SpoolLine, id: ByteString): boolean {
    const sizeBytes = line.bufferBytes + spooledBytes(id);
    if (this.#isClosed || this.#ports.isDiskFull() || sizeBytes > BUFFER_BYTES) return false;
    return this.#fileBytes + sizeBytes <= this.#options.diskMaxBytes;
  }

  #hasWaitedFor(ageMs: number): (entry: QueuedKey) => boolean {
    const offeredMsMax = this.#ports.host.clock.monotonicMs() - ageMs;
    return ({ offeredMs }) => offeredMs <= offeredMsMax;
  }

  #segmentsWhere(isMeant: (segment: Segment) => boolean): Segment[] {
    return this.#everyLine().flatMap(({ segments, noted }) =>
      [...segments].filter((each) => each !== noted && each.isLoaded && isMeant(each)),
    );
  }

  #everyLine(): readonly SpoolLine[] {
    return [this.#lines['real-time'], this.#lines.sync];
  }

  #mustKeys(): KeyQueue {
    assert(this.#keys !== undefined, 'a spool is of a queue');
    return this.#keys;
  }

  #takeNumber(): number {
    this.#nextNumber += 1;
    return this.#nextNumber - 1;
  }

  #count(): void {
    this.#fileBytes = this.#everyLine().reduce((sum, line) => sum + line.fileBytes, 0);
  }

  #toWallMs(offeredMs: number): number {
    const { clock } = this.#ports.host;
    const ageMs = clock.monotonicMs() - offeredMs;
    return Math.max(0, Math.round(clock.wallMicros() / 1_000 - ageMs));
  }
}

function isUnwritten({ note, isGone }: QueuedKey): boolean {
  return note === undefined && !isGone;
}

/** The file that it is in. */
function segmentOf({ note }: QueuedKey): Segment | undefined {
  return typeof note === 'object' ? (note as Segment) : undefined;
}
