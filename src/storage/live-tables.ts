/**
 * The tables of a running LevelDB, read from its folder one after the other.
 *
 * LevelDB adds and removes tables as it likes: one that is gone when it is to be read had been merged. One without
 * its end is still being written, or was when a process died; if nothing has been added for long, it is
 * damaged.
 */

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { isFinishedTable } from './table-file.ts';

export interface TableBytes {
  readonly name: string;
  /** Undefined: the disk does not give them. */
  readonly bytes: Buffer | undefined;
}

const TABLE_NAME = /^\d+\.(ldb|sst)$/;
/** A table takes LevelDB a second to write. */
const UNFINISHED_MS = 600_000;
/** No fault of the disk; the next walk comes by again. */
const SHORTAGES = new Set<unknown>(['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM']);

/** `folder`: LevelDB's. In any order, each with all of its bytes. Throws `store-corrupt` without the folder. */
export async function* readLiveTables(folder: string): AsyncGenerator<TableBytes> {
  for (const name of await tableNames(folder)) {
    const table = await readTableBytes(join(folder, name));
    if (table !== 'none') yield { name, bytes: table };
  }
}

async function tableNames(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => TABLE_NAME.test(name));
  } catch (error) {
    if (SHORTAGES.has(codeOf(error))) return [];
    throw new Fault('store-corrupt', 'the folder of the tables cannot be read', { cause: error });
  }
}

async function readTableBytes(file: string): Promise<Buffer | undefined | 'none'> {
  try {
    const handle = await open(file, 'r');
    try {
      const bytes = await handle.readFile();
      if (isFinishedTable(bytes)) return bytes;
      const { mtimeMs, nlink } = await handle.stat();
      return nlink === 0 || Date.now() - mtimeMs < UNFINISHED_MS ? 'none' : bytes;
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || SHORTAGES.has(code) ? 'none' : undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
