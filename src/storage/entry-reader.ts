/**
 * Reads of entries: from LevelDB, and their bodies from the value log where they are there.
 *
 * A read is done on the spot while that is quick, and joins others on the way to another thread when
 * it is not. Scans read a snapshot in batches of a bounded size. Both keep the segments that they may
 * still go to from being removed; scans of keys or heads go to none. What cannot be read is
 * `store-corrupt` for that entry, and counted.
 */

import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { InlineReads } from './inline-reads.ts';
import { JoinedReads } from './joined-reads.ts';
import { isStoresOwnKey, logSegmentsRange } from './keys.ts';
import { levelReadFault } from './level-database.ts';
import type { LevelDatabase, LevelIterator } from './level-database.ts';
import type { ReaderGenerations } from './reader-generations.ts';
import type { ScanEntry, ScanRange } from './store.ts';
import { headOf, isOfKey, isParted, placeOf } from './stored-value.ts';
import type { BodyPlace } from './stored-value.ts';
import type { ValueLog } from './value-log.ts';

export interface EntryReaderPorts {
  readonly database: LevelDatabase;
  readonly log: ValueLog;
  readonly readers: ReaderGenerations;
  /** Runs soon, when everything that came in with this tick has been handled. */
  readonly defer: (run: () => void) => void;
}

export interface EntryReaderOptions {
  /** Reads that may wait for the disk. */
  readonly pendingReadsMax: number;
  /** Scans open at a time, each of which holds a snapshot. */
  readonly scansMax: number;
  /** As `LevelDbStoreOptions`. */
  readonly isKey: (key: Buffer) => boolean;
}

/** Of a pool of four threads one is left for the commit; a scan takes what is free. */
const JOINED_READS_IN_FLIGHT_MAX = 3;
const JOINED_READS_KEYS_MAX = 64;

/** A larger body takes longer to copy than the trip to another thread: 57 ms for one of 50 MiB. */
const BODY_NOW_MAX_BYTES = 64 * 1024;

/** A batch of a scan ends with the entry that reaches one of these. */
const SCAN_BATCH_COUNT = 256;
/**
 * Of a scan without a limit, which may find little. An iterator makes room for all that it is asked for, 64 bytes an
 * entry, and keeps it until V8's collector comes by, which does not know of it.
 */
const SCAN_FIRST_COUNT = 16;
const SCAN_BATCH_BYTES = 256 * 1024;

const CORRUPT_LOG_INTERVAL_MS = 10_000;

const EMPTY = Buffer.alloc(0);

export class EntryReader {
  readonly #host: Host;
  readonly #database: LevelDatabase;
  readonly #log: ValueLog;
  readonly #readers: ReaderGenerations;
  readonly #reads: JoinedReads;
  readonly #inlineReads = new InlineReads();
  readonly #scansMax: number;
  readonly #isKey: (key: Buffer) => boolean;
  #scanCount = 0;
  #isStopped = false;
  #corruptLoggedMs = -Infinity;

  constructor(host: Host, ports: EntryReaderPorts, options: EntryReaderOptions) {
    const { database, defer } = ports;
    this.#host = host;
    this.#database = database;
    this.#log = ports.log;
    this.#readers = ports.readers;
    this.#scansMax = options.scansMax;
    this.#isKey = options.isKey;
    const source = {
      getMany: (keys: Buffer[]) => database.getMany(keys),
      get: (key: Buffer) => this.#getOne(key),
    };
    this.#reads = new JoinedReads(host, source, {
      keysMax: JOINED_READS_KEYS_MAX,
      inFlightMax: JOINED_READS_IN_FLIGHT_MAX,
      pendingMax: options.pendingReadsMax,
      defer,
    });
  }

  /** As `Store.get`. */
  get(key: Buffer): Promise<Buffer | undefined> {
    const { clock, metrics } = this.#host;
    const startedMs = clock.monotonicMs();
    if (this.#isStopped || !this.#inlineReads.areAllowed(startedMs)) return this.#getJoined(key);
    metrics.count('store_direct_reads_total');
    try {
      const stored = this.#database.getSync(key);
      const value = stored && this.#wholeSoon(key, stored);
      this.#inlineReads.took(startedMs, clock.monotonicMs());
      return Promise.resolve(value);
    } catch {
      // Only there do errors have codes.
      return this.#getJoined(key);
    }
  }

  /** As `Store.getHead`. */
  getHead(key: Buffer): Promise<Buffer | undefined> {
    const { clock, metrics } = this.#host;
    const startedMs = clock.monotonicMs();
    if (this.#isStopped || !this.#inlineReads.areAllowed(startedMs))
      return this.#getHeadJoined(key);
    metrics.count('store_direct_reads_total');
    try {
      const stored = this.#database.getSync(key);
      this.#inlineReads.took(startedMs, clock.monotonicMs());
      return Promise.resolve(stored && checkedHead(key, stored));
    } catch {
      return this.#getHeadJoined(key);
    }
  }

  /** What LevelDB holds for each key; rejects if one of them cannot be read. */
  async findStored(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    try {
      return await this.#database.getMany(keys);
    } catch (error) {
      throw this.#readFault(error);
    }
  }

  /** As `Store.approximateSizeBytes`. */
  async approximateSizeBytes({ from, to }: Pick<ScanRange, 'from' | 'to'>): Promise<number> {
    if (this.#isStopped) throw closedFault();
    try {
      return await this.#database.approximateSize(from, to);
    } catch (error) {
      throw this.#readFault(error);
    }
  }

  /** As `Store.scan`. */
  async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    if (this.#isStopped) throw closedFault();
    if (this.#scanCount >= this.#scansMax) {
      this.#host.metrics.count('store_scans_refused_total');
      throw new Fault('overload', 'too many scans are open');
    }
    const hasAccounts = coversAccounts(range);
    const limit = range.limit ?? Infinity;
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.to,
      reverse: range.reverse ?? false,
      limit: Infinity,
      values: range.keysOnly !== true,
      highWaterMarkBytes: SCAN_BATCH_BYTES,
    });
    // One without bodies may go on for hours, and would keep all that is collected meanwhile.
    const generation = needsBodies(range) ? this.#readers.enter() : undefined;
    this.#countScans(1);
    try {
      yield* hasAccounts
        ? withoutAccounts(this.#batches(iterator, range, Infinity), limit)
        : this.#batches(iterator, range, limit);
    } catch (error) {
      throw this.#readFault(error);
    } finally {
      this.#countScans(-1);
      if (generation !== undefined) this.#readers.leave(generation);
      await iterator.close();
    }
  }

  /** Refuses what comes from now on; resolves when all reads that were taken have settled. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#reads.stop();
  }

  async #getJoined(key: Buffer): Promise<Buffer | undefined> {
    const generation = this.#readers.enter();
    try {
      const stored = await this.#reads.get(key);
      return stored && (await this.#whole(key, stored));
    } finally {
      this.#readers.leave(generation);
    }
  }

  async #getHeadJoined(key: Buffer): Promise<Buffer | undefined> {
    const stored = await this.#reads.get(key);
    try {
      return stored && checkedHead(key, stored);
    } catch (error) {
      this.#reportCorrupt(error);
      throw error;
    }
  }

  /** A large body is left to another thread, whatever the disk is like: copying it alone takes long. */
  #wholeSoon(key: Buffer, stored: Buffer): Buffer | Promise<Buffer> {
    const head = checkedHead(key, stored);
    if (!isParted(stored)) return head;
    const place = mustPlace(stored);
    if (place.sizeBytes > BODY_NOW_MAX_BYTES) return this.#wholeHeld(key, stored);
    const { value, body } = withRoom(head, place);
    this.#log.readNow(place, body);
    return value;
  }

  async #wholeHeld(key: Buffer, stored: Buffer): Promise<Buffer> {
    const generation = this.#readers.enter();
    try {
      return await this.#whole(key, stored);
    } finally {
      this.#readers.leave(generation);
    }
  }

  async #whole(key: Buffer, stored: Buffer): Promise<Buffer> {
    try {
      const head = checkedHead(key, stored);
      if (!isParted(stored)) return head;
      const place = mustPlace(stored);
      const { value, body } = withRoom(head, place);
      await this.#log.read(place, body);
      return value;
    } catch (error) {
      if (isFault(error, 'store-corrupt')) this.#reportCorrupt(error);
      throw error;
    }
  }

  async *#batches(
    iterator: LevelIterator,
    range: ScanRange,
    limit: number,
  ): AsyncGenerator<ScanEntry[]> {
    const hasBodies = needsBodies(range);
    let left = limit;
    let count = limit === Infinity ? SCAN_FIRST_COUNT : SCAN_BATCH_COUNT;
    let hasDamagedKey = false;
    while (left > 0) {
      const stored = await iterator.nextv(Math.min(count, left));
      if (stored.length === count) count = Math.min(4 * count, SCAN_BATCH_COUNT);
      if (stored.length === 0) {
        // Who reads all of a range is told, at its end, that there was something that nobody can name.
        if (hasDamagedKey && limit === Infinity) throw damagedKeyFault();
        return;
      }
      let entries: ScanEntry[] = [];
      let sizeBytes = 0;
      for (const [key, value = EMPTY] of stored) {
        if (!this.#isKey(key)) {
          hasDamagedKey = true;
          this.#reportCorrupt(damagedKeyFault());
          continue;
        }
        if (!isOfKey(key, value)) {
          // Nobody knows whose it is: who looks for it by its key finds it damaged.
          this.#reportCorrupt(strangerFault());
          continue;
        }
        left -= 1;
        const isElsewhere = hasBodies && isParted(value);
        const whole = isElsewhere ? await this.#whole(key, value) : headOf(value);
        entries.push({ key, value: whole });
        if (!isElsewhere) continue;
        sizeBytes += whole.length;
        if (sizeBytes < SCAN_BATCH_BYTES) continue;
        yield entries;
        if (this.#isStopped) throw closedFault();
        entries = [];
        sizeBytes = 0;
      }
      if (entries.length > 0) yield entries;
    }
  }

  async #getOne(key: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.#database.get(key);
    } catch (error) {
      throw this.#readFault(error);
    }
  }

  /** As `levelReadFault`; what is damaged is counted. */
  #readFault(error: unknown): unknown {
    const fault = levelReadFault(error);
    if (fault !== error && isFault(fault, 'store-corrupt')) this.#reportCorrupt(error);
    return fault;
  }

  #reportCorrupt(error: unknown): void {
    this.#host.metrics.count('store_corrupt_reads_total');
    const nowMs = this.#host.clock.monotonicMs();
    // One damaged block may be met a thousand times a second.
    if (nowMs - this.#corruptLoggedMs < CORRUPT_LOG_INTERVAL_MS) return;
    this.#corruptLoggedMs = nowMs;
    this.#host.log.error('store.corrupt_read', {
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  #countScans(by: number): void {
    this.#scanCount += by;
    this.#host.metrics.gauge('store_scans', this.#scanCount);
  }
}

/** Throws `store-corrupt` for a value of another key. */
function checkedHead(key: Buffer, stored: Buffer): Buffer {
  if (!isOfKey(key, stored)) throw strangerFault();
  return headOf(stored);
}

function strangerFault(): Fault {
  return new Fault('store-corrupt', 'an entry is not the one that was stored under its key');
}

function damagedKeyFault(): Fault {
  return new Fault('store-corrupt', 'a key is damaged');
}

function mustPlace(stored: Buffer): BodyPlace {
  const place = placeOf(stored);
  if (place === undefined) throw new Fault('store-corrupt', 'the place of a body is damaged');
  return place;
}

/** A value with its head, and the part of it where the body is to be. */
function withRoom(head: Buffer, { sizeBytes }: BodyPlace): { value: Buffer; body: Buffer } {
  const value = Buffer.allocUnsafe(head.length + sizeBytes);
  head.copy(value);
  return { value, body: value.subarray(head.length) };
}

function needsBodies({ keysOnly, headsOnly }: ScanRange): boolean {
  return keysOnly !== true && headsOnly !== true;
}

function coversAccounts({ from, to }: ScanRange): boolean {
  const accounts = logSegmentsRange();
  return Buffer.compare(from, accounts.to) < 0 && Buffer.compare(to, accounts.from) > 0;
}

/** The entries that are not the store's own, `limit` of them. */
async function* withoutAccounts(
  batches: AsyncIterable<ScanEntry[]>,
  limit: number,
): AsyncGenerator<ScanEntry[]> {
  let left = limit;
  if (left === 0) return;
  for await (const batch of batches) {
    const entries = batch.filter(({ key }) => !isStoresOwnKey(key)).slice(0, left);
    left -= entries.length;
    if (entries.length > 0) yield entries;
    if (left === 0) return;
  }
}

function closedFault(): Fault {
  return new Fault('store-closed', 'the store is closed');
}
