/**
 * Opens the store on disk: the folder, LevelDB in it, and the value log in `values/` below.
 *
 * The only places where the room does real I/O are this file and `segment-files.ts`. LevelDB opens
 * silently over a damaged log; what it has dropped is read from its own account of it.
 */

import { open, readdir, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Level } from 'level';
import { Fault, isFault } from '../base/fault.ts';
import type { Host, Random } from '../base/host.ts';
import { copiedMarkKey, storeFormKey } from './keys.ts';
import type { LevelDatabase } from './level-database.ts';
import { LevelDbStore } from './leveldb-store.ts';
import type { LevelDbStoreOptions } from './leveldb-store.ts';
import { LiveTables } from './live-tables.ts';
import { makeFolders } from './make-folders.ts';
import { SegmentFiles } from './segment-files.ts';
import { ORIGIN_SIZE_BYTES } from './segment-origins.ts';
import { formEntry, formRefusal } from './store-form.ts';

export interface OpenLevelDbOptions extends LevelDbStoreOptions {
  /** Made if it is not there, with its parents. One process at a time. */
  readonly folder: string;
  /** Uncompressed blocks kept in memory. Default 64 MiB. */
  readonly cacheSizeBytes?: number;
  /**
   * Of LevelDB's log and its table in memory at the most (`drawBufferSize`); up to two are held.
   * Default 32 MiB.
   */
  readonly writeBufferSizeBytes?: number;
  /** Of one table on disk. Default 8 MiB. */
  readonly fileSizeBytes?: number;
  /** Tables held open, and half as many segments of the value log. Default 1,000. */
  readonly openFilesMax?: number;
}

interface OpeningStore {
  readonly options: OpenLevelDbOptions;
  readonly folder: string;
  /** The first folder that was made for it. */
  readonly firstMade: string | undefined;
}

const MIB = 1024 * 1024;
/** The least that is drawn of a write buffer's size. */
const WRITE_BUFFER_SHARE_MIN = 0.6;
const OPEN_FILES_MAX_DEFAULT = 1_000;
/** An empty file beside LevelDB's: its log was damaged, and the store does not say so yet. */
const DROPPED_NAME = 'DROPPED';

/** Rejects with `config` or `store-corrupt`, and a sentence for the operator. */
export async function openLevelDbStore(
  host: Host,
  options: OpenLevelDbOptions,
): Promise<LevelDbStore> {
  const folder = resolve(options.folder);
  try {
    // The records of patients are nobody else's business.
    const firstMade = makeFolders(folder, 0o700);
    await mustHaveManifest(folder);
    await keepDropped(folder);
    const database = new Level<Buffer, Buffer>(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: options.cacheSizeBytes ?? 64 * MIB,
      writeBufferSize: drawBufferSize(host.random, options.writeBufferSizeBytes ?? 32 * MIB),
      maxFileSize: options.fileSizeBytes ?? 8 * MIB,
      maxOpenFiles: options.openFilesMax ?? OPEN_FILES_MAX_DEFAULT,
    });
    await database.open();
    try {
      return await openOver(host, database, { options, folder, firstMade });
    } catch (error) {
      await database.close();
      throw error;
    }
  } catch (error) {
    throw openFault(folder, error);
  }
}

/** The store over a database that is open. */
async function openOver(
  host: Host,
  database: Level<Buffer, Buffer>,
  { options, folder, firstMade }: OpeningStore,
): Promise<LevelDbStore> {
  await enterForm(database, folder);
  const segments = await SegmentFiles.open(join(folder, 'values'), {
    openFilesMax: Math.ceil((options.openFilesMax ?? OPEN_FILES_MAX_DEFAULT) / 2),
  });
  await syncFolders(folder, firstMade);
  const dropped = await droppedLine(join(folder, 'LOG'));
  if (dropped !== undefined) host.log.error('store.log_damaged', { folder, reason: dropped });
  // Starts before this one may have ended before they could mark the store.
  const isKept = (await readdir(folder)).includes(DROPPED_NAME);
  const mayHaveForgotten = dropped !== undefined || isKept;
  // Any number of starts may come to nothing before one draws the consequences.
  if (mayHaveForgotten) await markLost(database);
  if (isKept) await rm(join(folder, DROPPED_NAME));
  const tables = new LiveTables(folder);
  const ports = {
    // In Node, `Level` is classic-level's own class, which its published type leaves out.
    database: database as unknown as LevelDatabase,
    folder: segments,
    // The check phase comes when the poll phase has handled every socket that was readable.
    defer: setImmediate,
    readTables: () => tables.read(),
    mayHaveForgotten,
    origin: host.random.bytes(ORIGIN_SIZE_BYTES).toString('hex'),
  };
  return LevelDbStore.open(host, ports, options);
}

/**
 * Replicas take the same writes at the same time: with buffers of one size all of them would fill up
 * at once, and no quorum could go round the one that is busy writing its table. So each opening
 * draws a size of its own, from 60 to 100 % of the one asked for.
 */
export function drawBufferSize(random: Random, sizeBytes: number): number {
  const sizeMinBytes = Math.ceil(sizeBytes * WRITE_BUFFER_SHARE_MIN);
  return sizeMinBytes + random.integer(sizeBytes - sizeMinBytes + 1);
}

/** Sees to it that the store can be read here, and is not read by whoever knows only older forms. */
async function enterForm(database: Level<Buffer, Buffer>, folder: string): Promise<void> {
  const entry = await readForm(database);
  const refusal = formRefusal(entry);
  if (refusal !== undefined) {
    throw new Fault('config', `the data folder ${folder} cannot be read: ${refusal}`);
  }
  if (entry?.equals(formEntry()) === true) return;
  await database.put(storeFormKey(), formEntry(), { sync: true });
}

async function readForm(database: Level<Buffer, Buffer>): Promise<Buffer | undefined> {
  try {
    return await database.get(storeFormKey());
  } catch {
    throw corruption('its form cannot be read');
  }
}

/** Without the file that names its manifest LevelDB would begin anew, over the tables that are there. */
async function mustHaveManifest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|sst)$/.test(name))) return;
  throw corruption('CURRENT is missing');
}

/** LevelDB syncs its files; a new folder is safe only when the folders above it are synced too. */
async function syncFolders(folder: string, firstMade: string | undefined): Promise<void> {
  const last = dirname(firstMade ?? folder);
  for (let current = folder; ; current = dirname(current)) {
    await syncFolder(current);
    if (current === last) return;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A mark that is there, or cannot be read, says as much or more: the store was mended. */
async function markLost(database: Level<Buffer, Buffer>): Promise<void> {
  const isMarked = await database.get(copiedMarkKey()).then(
    (mark) => mark !== undefined,
    () => true,
  );
  if (!isMarked) await database.put(copiedMarkKey(), Buffer.from('lost'), { sync: true });
}

/**
 * The opening before this one may have found the log damaged, and its process may have ended before it had
 * marked the store, or found no room for that: LevelDB's account of it would be gone two openings later.
 */
async function keepDropped(folder: string): Promise<void> {
  if ((await droppedLine(join(folder, 'LOG'))) === undefined) return;
  await (await open(join(folder, DROPPED_NAME), 'w', 0o600)).close();
  await syncFolder(folder);
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

/** As LevelDB itself would say it. */
function corruption(reason: string): Error {
  return Object.assign(new Error(reason), { code: 'LEVEL_CORRUPTION' });
}

function openFault(folder: string, error: unknown): Fault {
  if (isFault(error, 'config')) return error;
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
        `the data folder ${folder} is damaged (${reason}); mend it with \`vertebra repair-store\`, or ` +
          'move it away and start this node with an empty one: its peers heal either',
        { cause },
      );
    default:
      return new Fault('config', `the data folder ${folder} cannot be opened: ${reason}`, {
        cause,
      });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
