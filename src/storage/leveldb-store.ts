/**
 * The store on disk: one LevelDB for the whole node, so that one fsync serves all who wait.
 *
 * Writes join in a group commit; reads are done on the spot while that is quick, and join on the
 * way to another thread when it is not; scans read a snapshot in bounded batches.
 * With durability `fsync` a write resolves when the log is on stable storage; with `os` when the
 * operating system has it. The invariant: after one failed write nothing is acknowledged any more.
 * This is the only file of the room that does real I/O. Writes are gathered in a chained batch, not
 * in an array, because that costs the main thread 1 us an entry instead of 7 (measured).
 */

import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Level } from 'level';
import { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { GroupCommit } from './group-commit.ts';
import type { CommitBatch } from './group-commit.ts';
import { JoinedReads } from './joined-reads.ts';
import type { LevelBatch, LevelDatabase } from './level-database.ts';
import { ReadPace } from './read-pace.ts';
import type { ScanEntry, ScanRange, Store, StoreHealth, WriteOperation } from './store.ts';

export interface LevelDbStoreOptions {
  /** Made if it is not there, with its parents. One process at a time. */
  readonly folder: string;
  /** Default `fsync`. */
  readonly durability?: 'fsync' | 'os';
  /** Uncompressed blocks kept in memory. Default 64 MiB. */
  readonly cacheSizeBytes?: number;
  /** Of the log and its table in memory; up to two are held. Default 32 MiB. */
  readonly writeBufferSizeBytes?: number;
  /** Of one table on disk. Default 8 MiB. */
  readonly fileSizeBytes?: number;
  /** Files held open. Default 1,000. */
  readonly openFilesMax?: number;
  /** Bytes of writes that may wait for the disk. Default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** Operations that may wait for the disk. Default 65,536. */
  readonly pendingOperationsMax?: number;
  /** Reads that may wait for the disk. Default 65,536. */
  readonly pendingReadsMax?: number;
  /** Scans open at a time, each of which holds a snapshot. Default 1,024. */
  readonly scansMax?: number;
}

const MIB = 1024 * 1024;
const PENDING_BYTES_MAX_DEFAULT = 64 * MIB;
const PENDING_MAX_DEFAULT = 65_536;
const SCANS_MAX_DEFAULT = 1_024;

/** Of a pool of four threads one is left for the commit; a scan takes what is free. */
const JOINED_READS_IN_FLIGHT_MAX = 3;
const JOINED_READS_KEYS_MAX = 64;

/** A batch of a scan ends with the entry that reaches one of these. */
const SCAN_BATCH_COUNT = 256;
const SCAN_BATCH_BYTES = 256 * 1024;

const CORRUPT_LOG_INTERVAL_MS = 10_000;

const EMPTY = Buffer.alloc(0);

/** What opening found out about the past. */
export interface LevelDbRecovery {
  /** Parts of the log were damaged and have been dropped: acknowledged writes may be gone. */
  readonly mayHaveForgotten: boolean;
}

export class LevelDbStore implements Store {
  readonly mayHaveForgotten: boolean;
  readonly #host: Host;
  readonly #database: LevelDatabase;
  readonly #commit: GroupCommit;
  readonly #reads: JoinedReads;
  readonly #pace = new ReadPace();
  readonly #scansMax: number;
  #scanCount = 0;
  #corruptLoggedMs = -Infinity;
  #closing: Promise<void> | undefined;

  /** Takes over an open database; `openLevelDbStore` opens a real one. */
  constructor(
    host: Host,
    database: LevelDatabase,
    options: LevelDbStoreOptions & Partial<LevelDbRecovery>,
  ) {
    this.mayHaveForgotten = options.mayHaveForgotten ?? false;
    this.#host = host;
    this.#database = database;
    const sync = (options.durability ?? 'fsync') === 'fsync';
    // The check phase comes when the poll phase has handled every socket that was readable.
    const defer = setImmediate;
    this.#commit = new GroupCommit(host, () => commitBatch(database.batch(), sync), {
      pendingBytesMax: options.pendingBytesMax ?? PENDING_BYTES_MAX_DEFAULT,
      pendingOperationsMax: options.pendingOperationsMax ?? PENDING_MAX_DEFAULT,
      defer,
    });
    const source = {
      getMany: (keys: Buffer[]) => database.getMany(keys),
      get: (key: Buffer) => this.#getOne(key),
    };
    this.#reads = new JoinedReads(host, source, {
      keysMax: JOINED_READS_KEYS_MAX,
      inFlightMax: JOINED_READS_IN_FLIGHT_MAX,
      pendingMax: options.pendingReadsMax ?? PENDING_MAX_DEFAULT,
      defer,
    });
    this.#scansMax = options.scansMax ?? SCANS_MAX_DEFAULT;
    host.metrics.gauge('store_fenced', 0);
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    const { clock, metrics } = this.#host;
    const startedMs = clock.monotonicMs();
    const isDirect = this.#closing === undefined && this.#pace.isQuick(startedMs);
    if (!isDirect) return this.#reads.get(key);
    metrics.count('store_direct_reads_total');
    try {
      const value = this.#database.getSync(key);
      this.#pace.took(startedMs, clock.monotonicMs());
      return Promise.resolve(value);
    } catch {
      // Only there do errors have codes.
      return this.#reads.get(key);
    }
  }

  /** LevelDB reads an entry whole, so there is nothing to save here. */
  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.get(key);
  }

  refusal(): Fault | undefined {
    return this.#commit.refusal();
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    return this.#commit.write(operations);
  }

  async *scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    if (this.#closing !== undefined) throw closedFault();
    if (this.#scanCount >= this.#scansMax) {
      this.#host.metrics.count('store_scans_refused_total');
      throw new Fault('overload', 'too many scans are open');
    }
    const iterator = this.#database.iterator({
      gte: range.from,
      lt: range.to,
      reverse: range.reverse ?? false,
      limit: range.limit ?? Infinity,
      values: range.keysOnly !== true,
      highWaterMarkBytes: SCAN_BATCH_BYTES,
    });
    this.#countScans(1);
    try {
      for (;;) {
        const entries = await iterator.nextv(SCAN_BATCH_COUNT);
        if (entries.length === 0) return;
        yield entries.map(([key, value]) => ({ key, value: value ?? EMPTY }));
      }
    } catch (error) {
      throw this.#readFault(error);
    } finally {
      this.#countScans(-1);
      await iterator.close();
    }
  }

  health(): StoreHealth {
    return this.#commit.health();
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #closeOnce(): Promise<void> {
    await Promise.all([this.#commit.stop(), this.#reads.stop()]);
    await this.#database.close();
  }

  async #getOne(key: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.#database.get(key);
    } catch (error) {
      throw this.#readFault(error);
    }
  }

  /** What a read that LevelDB refused means; other errors are bugs and stay what they are. */
  #readFault(error: unknown): unknown {
    switch (codeOf(error)) {
      case 'LEVEL_DATABASE_NOT_OPEN':
      case 'LEVEL_ITERATOR_NOT_OPEN':
        return closedFault();
      case 'LEVEL_CORRUPTION':
      case 'LEVEL_IO_ERROR':
        this.#reportCorrupt(error);
        return new Fault('store-corrupt', 'an entry cannot be read', { cause: error });
      default:
        return error;
    }
  }

  #reportCorrupt(error: unknown): void {
    this.#host.metrics.count('store_corrupt_reads_total');
    const nowMs = this.#host.clock.monotonicMs();
    // One damaged block may be met a thousand times a second.
    if (nowMs - this.#corruptLoggedMs < CORRUPT_LOG_INTERVAL_MS) return;
    this.#corruptLoggedMs = nowMs;
    this.#host.log.error('store.corrupt_read', { reason: messageOf(error) });
  }

  #countScans(by: number): void {
    this.#scanCount += by;
    this.#host.metrics.gauge('store_scans', this.#scanCount);
  }
}

/** Rejects with `config` or `store-corrupt`, and a sentence for the operator. */
export async function openLevelDbStore(
  host: Host,
  options: LevelDbStoreOptions,
): Promise<LevelDbStore> {
  const folder = resolve(options.folder);
  try {
    // The records of patients are nobody else's business.
    const firstMade = await mkdir(folder, { recursive: true, mode: 0o700 });
    const database = new Level<Buffer, Buffer>(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: options.cacheSizeBytes ?? 64 * MIB,
      writeBufferSize: options.writeBufferSizeBytes ?? 32 * MIB,
      maxFileSize: options.fileSizeBytes ?? 8 * MIB,
      maxOpenFiles: options.openFilesMax ?? 1_000,
    });
    await database.open();
    await syncFolders(folder, firstMade);
    const dropped = await droppedLine(join(folder, 'LOG'));
    if (dropped !== undefined) host.log.error('store.log_damaged', { folder, reason: dropped });
    // The process may have died at the last opening before it had drawn the consequence.
    const droppedBefore = await droppedLine(join(folder, 'LOG.old'));
    const mayHaveForgotten = dropped !== undefined || droppedBefore !== undefined;
    return new LevelDbStore(host, database, { ...options, mayHaveForgotten });
  } catch (error) {
    throw openFault(folder, error);
  }
}

/** LevelDB syncs its files; a new folder is safe only when the folders above it are synced too. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const last = dirname(firstMade ?? folder);
  for (let current = folder; ; current = dirname(current)) {
    const handle = await open(current, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (current === last) return;
  }
}

/**
 * LevelDB drops what is damaged in the log it recovers from, opens all the same, and tells nobody but
 * its own log file, which it starts afresh at each opening and keeps one of.
 */
async function droppedLine(file: string): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // The file grows with each compaction; what the opening found stands at its beginning.
    const buffer = Buffer.alloc(MIB);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return /\d+\.log: dropping \d+ bytes; .*/.exec(buffer.toString('latin1', 0, bytesRead))?.[0];
  } finally {
    await handle.close();
  }
}

function commitBatch(batch: LevelBatch, sync: boolean): CommitBatch {
  return {
    put: (key, value) => void batch.put(key, value),
    remove: (key) => void batch.del(key),
    write: () => batch.write({ sync }),
  };
}

function openFault(folder: string, error: unknown): Fault {
  // LevelDB's own reason is the cause of "the database is not open".
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const reason = messageOf(cause);
  switch (codeOf(cause)) {
    case 'LEVEL_LOCKED':
      return new Fault('config', `the data folder ${folder} is in use by another process`, {
        cause,
      });
    case 'LEVEL_CORRUPTION':
      return new Fault(
        'store-corrupt',
        `the data folder ${folder} is damaged (${reason}); move it away, and start this node with ` +
          'an empty one to have it healed by its peers',
        { cause },
      );
    default:
      return new Fault('config', `the data folder ${folder} cannot be opened: ${reason}`, {
        cause,
      });
  }
}

function closedFault(): Fault {
  return new Fault('store-closed', 'the store is closed');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
