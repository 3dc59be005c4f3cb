/**
 * Takes damaged blocks out of a store's tables, before LevelDB repairs it or is opened.
 *
 * LevelDB sorts what it reads in a damaged block, and ends the process over a key that is out of order
 * (`table-file.ts`). So each block's CRC is compared here: a table with damaged blocks is written anew
 * with those that are sound and without a filter, and one whose footer or index is damaged is put aside.
 * The table as it was goes to `lost/`. A crash at any point leaves the old table or the new one under
 * its name.
 */

import { link, mkdir, open, readFile, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { readTable, writeTable } from './table-file.ts';

export interface SalvagedTables {
  /** Tables that were damaged. */
  readonly damagedTables: number;
  /** Blocks of tables that could be read, of some 4 KiB each, without which these were written anew. */
  readonly lostBlocks: number;
}

const TABLE_NAME = /^\d+\.(ldb|sst)$/;
/** Of a table that is being written; what a crash left of it is written over. */
const UNFINISHED_SUFFIX = '.mended';

/** `path`: LevelDB's folder, which no process has open. */
export async function salvageTables(path: string): Promise<SalvagedTables> {
  const names = await readdir(path);
  let damagedTables = 0;
  let lostBlocks = 0;
  for (const name of names.filter((each) => TABLE_NAME.test(each))) {
    const lost = await salvage(path, name);
    if (lost === undefined) continue;
    damagedTables += 1;
    lostBlocks += lost;
  }
  if (damagedTables > 0) await syncFolder(path);
  return { damagedTables, lostBlocks };
}

/** How many blocks the table has lost, 0 if it could not be read at all; undefined: it is sound. */
async function salvage(path: string, name: string): Promise<number | undefined> {
  const file = join(path, name);
  const content = readTable(await readFile(file));
  const sound = content?.blocks.filter(({ isSound }) => isSound) ?? [];
  const lostBlocks = content === undefined ? 0 : content.blocks.length - sound.length;
  if (content?.hasSoundFilter === true && lostBlocks === 0) return undefined;
  await keepLost(path, name);
  if (sound.length === 0) {
    await unlink(file);
  } else {
    const unfinished = file + UNFINISHED_SUFFIX;
    await writeSynced(unfinished, writeTable(sound));
    await rename(unfinished, file);
  }
  return lostBlocks;
}

/** A second name for the table in `lost/`, one that nothing has there yet. */
async function keepLost(path: string, name: string): Promise<void> {
  const folder = join(path, 'lost');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const taken = new Set(await readdir(folder));
  let kept = name;
  for (let number = 1; taken.has(kept); number += 1) kept = `${name}.${number}`;
  await link(join(path, name), join(folder, kept));
  await syncFolder(folder);
}

async function writeSynced(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
