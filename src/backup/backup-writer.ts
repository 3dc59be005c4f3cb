/**
 * Makes a backup: the store of a running node, as it was at one moment, in a folder of its own.
 *
 * LevelDB's entries are read in a snapshot and written, in order, to a new LevelDB; the segments of the
 * value log are copied up to the ends that the snapshot knows, or taken over from an older backup.
 * What comes out is a store that a node can start from. It is marked as a copy, so that whoever starts
 * from it takes a new identity.
 *
 * All of it is made in `FOLDER.partial` and is on stable storage before that is renamed: a backup that
 * was cut off never has the name of a whole one. The pace bounds what it reads and writes.
 */

import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { ByteRateLimit } from '../repair/byte-rate-limit.ts';
import type { Halt } from '../repair/halt.ts';
import { copiedMarkKey } from '../storage/keys.ts';
import type { StoreSnapshot } from '../storage/store-snapshot.ts';
import { BackupBase } from './backup-base.ts';
import type { BaseRequest } from './backup-base.ts';
import { checksumFile, diskFault, filesBelow, syncFolder, writeSynced } from './backup-files.ts';
import type { Passed } from './backup-files.ts';
import { encodeManifest, MANIFEST_NAME } from './backup-manifest.ts';
import type { BackupFile, BackupManifest, BackupOrigin } from './backup-manifest.ts';
import { BackupRoom } from './backup-room.ts';
import type { ReserveAt } from './backup-room.ts';
import { BackupSegments } from './backup-segments.ts';
import { PartialFolder } from './partial-folder.ts';

export interface BackupRequest {
  /** Absolute; must not be there, but its parent must. */
  readonly folder: string;
  readonly bytesPerSecond: number;
  /** The older backup to take segments over from. */
  readonly base?: BaseRequest;
}

export interface BackupProgress {
  readonly folder: string;
  /** `base`: what was taken over is read. */
  readonly step: 'entries' | 'checksums' | 'segments' | 'base' | 'whole';
  readonly entries: number;
  /** Copied from the node. */
  readonly bytes: number;
  /** About how many there will be. */
  readonly bytesExpected: number;
  /** In files that are the base's too, and how many of them have been read. */
  readonly sharedBytes: number;
  readonly checkedBytes: number;
  /** Files of the base that were gone or damaged, and therefore copied. */
  readonly baseDamaged: number;
}

export interface BackupWork {
  readonly origin: BackupOrigin;
  readonly snapshot: StoreSnapshot;
  readonly halt: Halt;
  readonly report: (progress: BackupProgress) => void;
  /** Default: nothing. */
  readonly reserveAt?: ReserveAt;
}

const MIB = 1024 * 1024;
/** What an entry costs at least: reading and writing one is never free. */
const ENTRY_COST_BYTES = 128;

/** Resolves when the backup is whole or, after a halt, gone; rejects with a fault. Closes the snapshot. */
export async function writeBackup(
  host: Host,
  request: BackupRequest,
  work: BackupWork,
): Promise<void> {
  const { snapshot, origin } = work;
  try {
    const writer = new BackupWriter(host, request, work);
    await mustBeFree(request.folder);
    const base = request.base && (await BackupBase.open(request.base, origin));
    // How much of the value log is in the base is known when all entries have been read.
    const baseBytes = base === undefined ? 0 : snapshot.logSizeBytes;
    await writer.room.mustHold((await snapshot.approximateSizeBytes()) - baseBytes);
    const partial = await PartialFolder.claim(request.folder, origin);
    await writeWhole(host, partial, async () => {
      // Whoever cancels it at the last moment is told that there is none.
      return (await writer.writeTo(partial.path, base)) && !work.halt.isSet;
    });
  } catch (error) {
    throw withRemedy(diskFault(error));
  } finally {
    await snapshot.close();
  }
}

/** What `write` makes has the folder's name when it is whole; false, or a fault: nothing is left. */
async function writeWhole(
  host: Host,
  partial: PartialFolder,
  write: () => Promise<boolean>,
): Promise<void> {
  try {
    if (await write()) await partial.keep();
    else await partial.discard();
  } catch (error) {
    await partial.discard().catch((reason: unknown) => {
      host.log.warn('backup.partial_left', { folder: partial.path, reason: String(reason) });
    });
    throw error;
  }
}

class BackupWriter {
  readonly room: BackupRoom;
  readonly #host: Host;
  readonly #request: BackupRequest;
  readonly #work: BackupWork;
  readonly #rateLimit: ByteRateLimit;
  readonly #takenAt: string;
  #step: BackupProgress['step'] = 'entries';
  #entries = 0;
  #bytes = 0;
  #bytesExpected = 0;
  #sharedBytes = 0;
  #checkedBytes = 0;
  #baseDamaged = 0;

  constructor(host: Host, request: BackupRequest, work: BackupWork) {
    this.#host = host;
    this.#request = request;
    this.#work = work;
    this.#rateLimit = new ByteRateLimit(host.clock, request.bytesPerSecond);
    this.#takenAt = now(host);
    const { reserveAt = async () => 0 } = work;
    this.room = new BackupRoom(dirname(request.folder), reserveAt);
  }

  /** False: halted. */
  async writeTo(folder: string, base: BackupBase | undefined): Promise<boolean> {
    const { snapshot } = this.#work;
    this.#bytesExpected = await snapshot.approximateSizeBytes();
    await mkdir(join(folder, 'store', 'values'), { recursive: true, mode: 0o700 });
    await base?.mustLinkTo(folder);
    if (!(await this.#copyEntries(join(folder, 'store')))) return false;
    this.#step = 'checksums';
    const tables = await this.#checksumTables(folder);
    if (tables === undefined) return false;
    const segments = await this.#takeSegments(folder, base);
    if (segments === undefined) return false;
    for (const below of ['store/values', 'store']) await syncFolder(join(folder, below));
    const manifest = this.#manifestOf([...tables, ...segments], base);
    this.#host.metrics.count('backup_shared_bytes_total', manifest.sharedBytes);
    await writeSynced(join(folder, MANIFEST_NAME), encodeManifest(manifest));
    await syncFolder(folder);
    this.#step = 'whole';
    this.#report();
    return true;
  }

  async #copyEntries(folder: string): Promise<boolean> {
    const { snapshot } = this.#work;
    const copy = new Level<Buffer, Buffer>(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: MIB,
      writeBufferSize: 8 * MIB,
      maxFileSize: 8 * MIB,
    });
    await copy.open();
    try {
      await copy.put(copiedMarkKey(), Buffer.from(this.#takenAt));
      for (;;) {
        const entries = await snapshot.nextEntries();
        if (entries.length === 0) return true;
        // In key order, so the tables of the copy do not overlap and are written once or twice.
        await copy.batch(entries.map(([key, value]) => ({ type: 'put', key, value })));
        this.#entries += entries.length;
        const sizes = entries.map(([key, value]) => key.length + value.length);
        const sizeBytes = sizes.reduce((sum, size) => sum + Math.max(size, ENTRY_COST_BYTES), 0);
        if (!(await this.#copied(sizeBytes))) return false;
      }
    } finally {
      await copy.close();
    }
  }

  /** Of what LevelDB has written. */
  async #checksumTables(folder: string): Promise<BackupFile[] | undefined> {
    const files: BackupFile[] = [];
    // Its lock and its diary are made anew by whoever opens it.
    for (const name of ['LOCK', 'LOG', 'LOG.old'])
      await rm(join(folder, 'store', name), { force: true });
    const passed: Passed = (sizeBytes) => this.#rateLimit.take(sizeBytes, this.#work.halt);
    for (const path of await filesBelow(folder, 'store')) {
      const file = await checksumFile(folder, path, { isSynced: true, passed });
      if (file === undefined) return undefined;
      files.push(file);
    }
    return files;
  }

  async #takeSegments(
    folder: string,
    base: BackupBase | undefined,
  ): Promise<readonly BackupFile[] | undefined> {
    const { snapshot } = this.#work;
    this.#step = 'segments';
    const segments = new BackupSegments(this.#host, {
      snapshot,
      base,
      folder,
      copied: (sizeBytes) => this.#copied(sizeBytes),
      looked: (sizeBytes) => this.#looked(sizeBytes),
      shared: (sizeBytes) => this.#shared(sizeBytes),
      refused: () => (this.#baseDamaged += 1),
    });
    this.#bytesExpected = this.#bytes + segments.freshBytes;
    await this.room.mustHold(segments.freshBytes);
    if (!(await segments.write())) return undefined;
    await snapshot.close();
    if (base !== undefined && !base.isTrusted) {
      this.#step = 'base';
      if (!(await segments.check())) return undefined;
    }
    return segments.files;
  }

  #manifestOf(files: readonly BackupFile[], base: BackupBase | undefined): BackupManifest {
    const sizeOf = (isShared: boolean): number =>
      files
        .filter((file) => (file.isShared ?? false) === isShared)
        .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return {
      ...this.#work.origin,
      takenAt: this.#takenAt,
      endedAt: now(this.#host),
      entries: this.#entries,
      copiedBytes: sizeOf(false),
      sharedBytes: sizeOf(true),
      ...(base && { base: base.note }),
      files,
    };
  }

  async #copied(sizeBytes: number): Promise<boolean> {
    this.#bytes += sizeBytes;
    await this.room.taken(sizeBytes);
    this.#host.metrics.count('backup_bytes_total', sizeBytes);
    this.#report();
    return this.#rateLimit.take(sizeBytes, this.#work.halt);
  }

  #looked(sizeBytes: number): Promise<boolean> {
    if (this.#step === 'base') this.#checkedBytes += sizeBytes;
    this.#report();
    return this.#rateLimit.take(sizeBytes, this.#work.halt);
  }

  #shared(sizeBytes: number): void {
    this.#sharedBytes += sizeBytes;
  }

  #report(): void {
    this.#work.report({
      folder: this.#request.folder,
      step: this.#step,
      entries: this.#entries,
      bytes: this.#bytes,
      bytesExpected: Math.max(this.#bytesExpected, this.#bytes),
      sharedBytes: this.#sharedBytes,
      checkedBytes: this.#checkedBytes,
      baseDamaged: this.#baseDamaged,
    });
  }
}

/** What is damaged in the node's store fails the backup: it would carry that on, and lack what is gone. */
function withRemedy(error: unknown): unknown {
  if (!isFault(error, 'store-corrupt')) return error;
  const remedy =
    '`vertebra admin repair scrub` finds all of it, and mends what it can from other replicas';
  return new Fault(error.code, `the store is damaged: ${error.message}; ${remedy}`, {
    cause: error,
  });
}

async function mustBeFree(folder: string): Promise<void> {
  const parent = await stat(dirname(folder)).catch(() => undefined);
  if (parent?.isDirectory() !== true) {
    throw new Fault('config', `${dirname(folder)} is no folder`);
  }
  if ((await stat(folder).catch(() => undefined)) !== undefined) {
    throw new Fault('config', `${folder} is there already`);
  }
}

function now(host: Host): string {
  return new Date(host.clock.wallMicros() / 1_000).toISOString();
}
