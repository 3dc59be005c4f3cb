/**
 * The store on disk: one LevelDB for the whole node, so that one fsync serves all who wait, and beside
 * it the value log, which holds large bodies.
 *
 * Writes join in a group commit; `EntryReader` reads; `LogCollector` makes room in the log.
 * With durability `fsync` a write resolves when it is on stable storage; with `os` when the operating
 * system has it. The invariant: after one failed write nothing is acknowledged any more.
 * Real files come in by ports (`open-leveldb.ts`), so that the simulation's disk takes their place.
 */

import type { Fault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { runInSlices } from '../base/sliced.ts';
import { CollectPace } from './collect-pace.ts';
import { EntryReader } from './entry-reader.ts';
import { GroupCommit } from './group-commit.ts';
import { copiedMarkKey, MENDED_MARK, segmentOriginsKey } from './keys.ts';
import type { LevelDatabase } from './level-database.ts';
import { LogCollector } from './log-collector.ts';
import { recoverLog } from './log-recovery.ts';
import type { RecoveredLog } from './log-recovery.ts';
import { LoggedBatch } from './logged-batch.ts';
import { ReaderGenerations } from './reader-generations.ts';
import type { TableBytes } from './live-tables.ts';
import type { SegmentFolder } from './segment-folder.ts';
import type { SegmentLedger } from './segment-ledger.ts';
import { decodeOrigins, encodeOrigins, withOrigin } from './segment-origins.ts';
import type { ScanEntry, ScanRange, Store, StoreHealth, WriteOperation } from './store.ts';
import { StoreSnapshot } from './store-snapshot.ts';
import { findDamage, UNREADABLE } from './table-check.ts';
import type { CheckedTable } from './table-check.ts';
import { ValueLog } from './value-log.ts';

export interface LevelDbStoreOptions {
  /** Default `fsync`. */
  readonly durability?: 'fsync' | 'os';
  /** Larger bodies go to the value log. Default 4 KiB. */
  readonly inlineMaxBytes?: number;
  /** Of a full segment of the value log. Default 64 MiB, at most 1 GiB. */
  readonly segmentSizeBytes?: number;
  /** Share of the value log that may be waste, 0 to 1. Default 0.5. */
  readonly wasteRatioMax?: number;
  /** Bytes of writes that may wait for the disk. Default 64 MiB. */
  readonly pendingBytesMax?: number;
  /** Operations that may wait for the disk. Default 65,536. */
  readonly pendingOperationsMax?: number;
  /** Reads that may wait for the disk. Default 65,536. */
  readonly pendingReadsMax?: number;
  /** Scans open at a time, each of which holds a snapshot. Default 1,024. */
  readonly scansMax?: number;
  /**
   * Whether these bytes may be a key; what is none came there by damage, and no scan shows it. Default: all may.
   */
  readonly isKey?: (key: Buffer) => boolean;
}

export interface LevelDbStorePorts {
  readonly database: LevelDatabase;
  readonly folder: SegmentFolder;
  /** Runs soon, when everything that came in with this tick has been handled. */
  readonly defer: (run: () => void) => void;
  /** Parts of LevelDB's log were damaged and have been dropped: acknowledged writes may be gone. */
  readonly mayHaveForgotten: boolean;
  /** LevelDB's tables as they lie on disk. Undefined: they are not to be had. */
  readonly readTables?: () => AsyncIterable<TableBytes>;
  /** Of the segments of this opening, in hexadecimal; drawn for it. Undefined: backups copy them each time. */
  readonly origin?: string;
}

const MIB = 1024 * 1024;

/**
 * LevelDB writes a byte some five times, the log at most twice. With half of the log waste, and random
 * overwriting, a segment that is collected is a fifth live: each body is then written 1.25 times.
 */
export const LEVELDB_STORE_DEFAULTS: Required<LevelDbStoreOptions> = {
  durability: 'fsync',
  inlineMaxBytes: 4 * 1024,
  segmentSizeBytes: 64 * MIB,
  wasteRatioMax: 0.5,
  pendingBytesMax: 64 * MIB,
  pendingOperationsMax: 65_536,
  pendingReadsMax: 65_536,
  scansMax: 1_024,
  isKey: () => true,
};

const COLLECT_PACE = {
  idleBytesPerSecond: 16 * MIB,
  burstMaxBytes: 16 * MIB,
  sliceMinBytes: MIB,
  sliceMaxBytes: 8 * MIB,
};
/** Segments without entries that may wait for the end of scans; more, and collecting pauses. */
const SEGMENTS_WAITING_MAX = 16;
/** How much of a segment must have changed before the ledger is looked through again. */
const LOOK_SHARE = 1 / 16;

export class LevelDbStore implements Store {
  /** What was acknowledged may be gone, here, or with the store that this is a copy of. */
  readonly mayHaveForgotten: boolean;
  /** What derives from copies may be missing beside them. */
  readonly isMended: boolean;
  readonly #host: Host;
  readonly #database: LevelDatabase;
  readonly #commit: GroupCommit;
  readonly #reader: EntryReader;
  readonly #log: ValueLog;
  readonly #folder: SegmentFolder;
  readonly #ledger: SegmentLedger;
  readonly #collector: LogCollector;
  readonly #collectPace: CollectPace;
  readonly #readTables: () => AsyncIterable<TableBytes>;
  readonly #readers = new ReaderGenerations();
  readonly #lookBytes: number;
  #changedBytes = 0;
  #isCopy: boolean;
  #closing: Promise<void> | undefined;

  private constructor(
    host: Host,
    ports: LevelDbStorePorts & RecoveredLog & { readonly mark: CopyMark },
    options: Required<LevelDbStoreOptions>,
  ) {
    const { database, defer, folder, ledger, firstSegment } = ports;
    const { segmentSizeBytes, inlineMaxBytes } = options;
    const isSynced = options.durability === 'fsync';
    this.#isCopy = ports.mark !== 'none';
    this.mayHaveForgotten = ports.mayHaveForgotten || this.#isCopy;
    this.isMended = ports.mark === 'mended';
    this.#folder = folder;
    this.#host = host;
    this.#database = database;
    this.#ledger = ledger;
    this.#lookBytes = segmentSizeBytes * LOOK_SHARE;
    this.#log = new ValueLog(folder, { segmentSizeBytes, isSynced, firstSegment });
    const batchPorts = {
      database,
      ledger,
      log: this.#log,
      onLogChanged: (appendedBytes: number, freedBytes: number) =>
        this.#onLogChanged(appendedBytes, freedBytes),
    };
    const begin = () => new LoggedBatch(host, batchPorts, { inlineMaxBytes, isSynced });
    this.#commit = new GroupCommit(host, begin, { ...options, defer });
    const readerPorts = { database, log: this.#log, readers: this.#readers, defer };
    this.#reader = new EntryReader(host, readerPorts, options);
    this.#collectPace = new CollectPace(COLLECT_PACE, host.clock.monotonicMs());
    this.#collector = this.#newCollector(folder);
    this.#readTables = ports.readTables ?? noTables;
    host.metrics.gauge('store_fenced', 0);
    this.#measureLog();
  }

  /** Takes over what is open. */
  static async open(
    host: Host,
    ports: LevelDbStorePorts,
    options: LevelDbStoreOptions,
  ): Promise<LevelDbStore> {
    const all = { ...LEVELDB_STORE_DEFAULTS, ...options };
    const recovered = await recoverLog(host, ports, all);
    const mark = await readCopyMark(host, ports.database);
    await addOrigin(ports, recovered);
    const store = new LevelDbStore(host, { ...ports, ...recovered, mark }, all);
    store.#collector.wake();
    return store;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#reader.get(key);
  }

  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.#reader.getHead(key);
  }

  refusal(): Fault | undefined {
    return this.#commit.refusal();
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    // One that is refused changes nothing, and must not keep its entries from being moved.
    if (this.#commit.refusal() === undefined) this.#collector.noteWrite(operations);
    return this.#commit.write(operations);
  }

  scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    return this.#reader.scan(range);
  }

  approximateSizeBytes(range: Pick<ScanRange, 'from' | 'to'>): Promise<number> {
    return this.#reader.approximateSizeBytes(range);
  }

  /** About what its tables and the value log take on disk; what waits in the write buffer is left out. */
  async sizeBytes(): Promise<number> {
    const range = { from: Buffer.of(0), to: Buffer.alloc(16, 0xff) };
    return (await this.#reader.approximateSizeBytes(range)) + this.#ledger.sizeBytes;
  }

  /**
   * Takes away the mark of a copy: whoever started from it has drawn the consequences, durably. Who
   * only looks, or mends, leaves it.
   */
  async endCopy(): Promise<void> {
    if (!this.#isCopy) return;
    this.#isCopy = false;
    await this.write([{ kind: 'remove', key: copiedMarkKey() }]);
  }

  /** All that is here now, the store's own entries included; to be closed. */
  snapshot(): StoreSnapshot {
    return new StoreSnapshot({
      database: this.#database,
      folder: this.#folder,
      readers: this.#readers,
      logSizeBytes: this.#ledger.sizeBytes,
    });
  }

  async *checkTables(): AsyncGenerator<CheckedTable> {
    for await (const { name, bytes } of this.#readTables()) {
      const damage =
        bytes === undefined ? UNREADABLE : await runInSlices(findDamage(bytes), this.#host.clock);
      yield { name, sizeBytes: bytes?.length ?? 0, damage };
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
    // Without waiting: what comes from now on is refused by all of them.
    await Promise.all([this.#collector.stop(), this.#commit.stop(), this.#reader.stop()]);
    try {
      await this.#log.close();
    } finally {
      await this.#database.close();
    }
  }

  #newCollector(folder: SegmentFolder): LogCollector {
    const ports = {
      folder,
      ledger: this.#ledger,
      readers: this.#readers,
      pace: this.#collectPace,
      activeSegment: () => this.#log.activeSegment,
      find: (keys: Buffer[]) => this.#reader.findStored(keys),
      write: (operations: readonly WriteOperation[]) => this.#commit.write(operations),
    };
    return new LogCollector(this.#host, ports, { waitingMax: SEGMENTS_WAITING_MAX });
  }

  #onLogChanged(appendedBytes: number, freedBytes: number): void {
    this.#host.metrics.count('store_log_appended_bytes_total', appendedBytes);
    this.#collectPace.written(appendedBytes);
    this.#measureLog();
    this.#changedBytes += appendedBytes + freedBytes;
    if (this.#changedBytes < this.#lookBytes) return;
    this.#changedBytes = 0;
    this.#collector.wake();
  }

  #measureLog(): void {
    const { metrics } = this.#host;
    metrics.gauge('store_log_segments', this.#ledger.segmentCount);
    metrics.gauge('store_log_bytes', this.#ledger.sizeBytes);
    metrics.gauge('store_log_live_bytes', this.#ledger.liveBytes);
    metrics.gauge('store_log_segments_waiting', this.#readers.waitingCount);
  }
}

/** What the store was made by, if nobody has started from it since. */
type CopyMark = 'none' | 'copied' | 'mended';

/** In doubt it is one: a new identity costs a comparison with the peers, an old one that has forgotten costs writes. */
async function readCopyMark(host: Host, database: LevelDatabase): Promise<CopyMark> {
  try {
    const mark = await database.get(copiedMarkKey());
    if (mark === undefined) return 'none';
    host.log.warn('store.is_copy');
    return mark.equals(MENDED_MARK) ? 'mended' : 'copied';
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    host.log.error('store.copy_mark_unreadable', { reason });
    return 'mended';
  }
}

async function* noTables(): AsyncGenerator<TableBytes> {}

/** It is stored with the first body, so that no crash leaves a segment under an older origin. */
async function addOrigin(
  { database, origin }: LevelDbStorePorts,
  { ledger, firstSegment }: RecoveredLog,
): Promise<void> {
  if (origin === undefined) return;
  // What is damaged is not known, and costs copying.
  const isNew = ledger.segmentCount === 0;
  const entry = isNew ? undefined : await database.get(segmentOriginsKey()).catch(() => undefined);
  const origins = withOrigin(decodeOrigins(entry), { firstSegment, origin }, ledger.segments());
  ledger.setOrigins(encodeOrigins(origins));
}
