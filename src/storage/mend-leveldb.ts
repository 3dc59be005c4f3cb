/**
 * Mends a store that LevelDB cannot open, or cannot read in places: what can be read is kept.
 *
 * Damaged blocks are taken out of the tables first (`salvage-tables.ts`). LevelDB makes a new manifest
 * from its tables and logs and moves what it cannot use to `lost/`. What comes back may be a mixture of
 * moments, so what stands for other entries is not believed: keys that are none go, index entries whose
 * object is gone go, and hash trees and what is filed under them go altogether. The store is marked as
 * one that may have forgotten. Trees that differ everywhere make the node compare every key with its
 * peers, which brings back what is missing, and the mark makes it look for index entries beside every
 * object. Bodies in the value log check themselves when they are read.
 */

import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Level } from 'level';
import { Fault, isFault } from '../base/fault.ts';
import {
  copiedMarkKey,
  decodeHintKey,
  decodeIndexKey,
  decodeObjectKey,
  decodeTombKey,
  encodeObjectKey,
  isStoresOwnKey,
  MENDED_MARK,
  storeFormKey,
} from './keys.ts';
import { salvageTables } from './salvage-tables.ts';
import { formRefusal } from './store-form.ts';
import { isOfKey } from './stored-value.ts';

export interface MendedStore {
  /** Entries that LevelDB could read. */
  readonly found: number;
  /** Of these, objects. */
  readonly objects: number;
  /** Entries that are no use without what is missing; hash trees are not counted. */
  readonly dropped: number;
  /** Damaged blocks of tables that could be read; some 4 KiB of entries each. */
  readonly lostBlocks: number;
  /** Files that were damaged or that LevelDB could not use, now in `lost/`. */
  readonly lostFiles: number;
}

interface Counts {
  found: number;
  objects: number;
  dropped: number;
}

type Database = Level<Buffer, Buffer>;

const BATCH = 512;
const OPTIONS = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

/** `folder` as for `openLevelDbStore`; rejects with a fault and a sentence for the operator. */
export async function mendLevelDb(folder: string): Promise<MendedStore> {
  const path = resolve(folder);
  const names = await namesIn(path);
  if (!names.some((name) => /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name))) {
    throw new Fault('config', `${path} holds no store`);
  }
  await mustBeUnused(path);
  const lostBefore = await countLost(path);
  const counts = { found: 0, objects: 0, dropped: 0 };
  let lostBlocks = 0;
  try {
    ({ lostBlocks } = await salvageTables(path));
    await repair(path);
    const database: Database = new Level(path, { ...OPTIONS, createIfMissing: false });
    await database.open();
    try {
      // First of all: whatever happens to this process, nobody starts from it as if it were whole.
      await database.put(copiedMarkKey(), MENDED_MARK, { sync: true });
      const refusal = formRefusal(await database.get(storeFormKey()));
      if (refusal !== undefined) throw new Fault('config', `${path} is not mended: ${refusal}`);
      await sweep(database, counts);
      await database.batch([], { sync: true });
    } finally {
      await database.close();
    }
  } catch (error) {
    if (isFault(error, 'config')) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Fault(
      'store-corrupt',
      `${path} cannot be mended (${reason}): move it away, and start the node with an empty folder`,
      { cause: error },
    );
  }
  return { ...counts, lostBlocks, lostFiles: (await countLost(path)) - lostBefore };
}

/** None where there is no folder; what may not be looked into is another thing. */
async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new Fault('config', `${path} cannot be read: ${message}`, { cause: error });
  }
}

/**
 * LevelDB's repair takes no lock, its opening does: before it refuses because there is a store, and so
 * before it merges damaged tables.
 */
async function mustBeUnused(path: string): Promise<void> {
  const options = { ...OPTIONS, createIfMissing: false, errorIfExists: true };
  const database: Database = new Level(path, options);
  try {
    await database.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED')) return;
    throw new Fault('config', `${path} is in use by another process: stop the node first`, {
      cause,
    });
  }
  await database.close();
}

function repair(path: string): Promise<void> {
  // In Node, `Level` is classic-level's own class, which its published type leaves out.
  return (Level as unknown as { repair(location: string): Promise<void> }).repair(path);
}

async function sweep(database: Database, counts: Counts): Promise<void> {
  // A snapshot: what is removed on the way does not disturb it.
  const iterator = database.iterator();
  try {
    for (;;) {
      const entries = await iterator.nextv(BATCH);
      if (entries.length === 0) return;
      const useless = await uselessKeys(database, entries, counts);
      await database.batch(useless.map((key) => ({ type: 'del', key })));
    }
  } finally {
    await iterator.close();
  }
}

async function uselessKeys(
  database: Database,
  entries: readonly (readonly [Buffer, Buffer])[],
  counts: Counts,
): Promise<Buffer[]> {
  const useless: Buffer[] = [];
  const objectKeyByEntry = new Map<Buffer, Buffer>();
  for (const [key, value] of entries) {
    counts.found += 1;
    // What is there of another key came there by damage.
    const kind = isOfKey(key, value) ? kindOf(key) : 'none';
    if (kind === 'object') counts.objects += 1;
    if (kind === 'derived') useless.push(key);
    else if (kind === 'none') {
      counts.dropped += 1;
      useless.push(key);
    } else if (typeof kind === 'object') objectKeyByEntry.set(key, kind.objectKey);
  }
  const objects = await database.getMany([...objectKeyByEntry.values()]);
  const orphans = [...objectKeyByEntry.keys()].filter((_, index) => objects[index] === undefined);
  counts.dropped += orphans.length;
  return [...useless, ...orphans];
}

/** What an entry is; of an index entry the key of its object. */
function kindOf(
  key: Buffer,
): 'object' | 'other' | 'derived' | 'none' | { readonly objectKey: Buffer } {
  try {
    switch (String.fromCharCode(key[0] ?? 0)) {
      case 'o':
        decodeObjectKey(key);
        return 'object';
      case 'i': {
        const { partition, key: object } = decodeIndexKey(key);
        return { objectKey: encodeObjectKey(partition, object) };
      }
      case 'h':
        decodeHintKey(key);
        return 'other';
      case 'd':
        decodeTombKey(key);
        return 'other';
      case 't':
      case 's':
        return 'derived';
      case 'm':
        return 'other';
      default:
        return isStoresOwnKey(key) ? 'other' : 'none';
    }
  } catch {
    // The assertions of the decoders: what was damaged is no bug.
    return 'none';
  }
}

async function countLost(path: string): Promise<number> {
  return (await readdir(join(path, 'lost')).catch(() => [])).length;
}
