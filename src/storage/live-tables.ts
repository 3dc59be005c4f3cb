/**
 * The tables of a running LevelDB, read from its folder one after the other.
 *
 * LevelDB adds and removes tables as it likes: one that is gone when it is to be read had been merged. What its
 * manifest does not name is no table of it: one that is being written, or was left unfinished when a process
 * died or the disk was full.
 */

import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import { isFinishedTable } from './table-file.ts';
import { MANIFEST_BLOCK_SIZE, ManifestReader } from './table-manifest.ts';

export interface TableBytes {
  readonly name: string;
  /** Undefined: the disk does not give them. */
  readonly bytes: Buffer | undefined;
}

const TABLE_NAME = /^\d+\.(ldb|sst)$/;
/** No fault of the disk; the next walk comes by again. */
const SHORTAGES = new Set<unknown>(['EMFILE', 'ENFILE', 'ENOMEM', 'EACCES', 'EPERM']);

export class LiveTables {
  readonly #folder: string;
  /** A manifest grows for as long as LevelDB runs, so each walk reads what came since the one before. */
  #manifest: { readonly name: string; readonly reader: ManifestReader } | undefined;

  /** `folder`: LevelDB's. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** In any order, each with all of its bytes. Throws `store-corrupt` without the folder. */
  async *read(): AsyncGenerator<TableBytes> {
    const names = await tableNames(this.#folder);
    const numbers = await this.#namedTables();
    for (const name of names) {
      if (numbers?.has(Number.parseInt(name, 10)) === false) continue;
      const bytes = await readTableBytes(join(this.#folder, name));
      if (bytes === 'none') continue;
      // Where no manifest tells, one without its end may be being written.
      if (numbers === undefined && bytes !== undefined && !isFinishedTable(bytes)) continue;
      yield { name, bytes };
    }
  }

  /** Undefined: the manifest cannot be read. */
  async #namedTables(): Promise<ReadonlySet<number> | undefined> {
    const known = this.#manifest;
    this.#manifest = undefined;
    try {
      const name = (await readFile(join(this.#folder, 'CURRENT'), 'latin1')).trim();
      const reader = known?.name === name ? known.reader : new ManifestReader();
      if (!(await takeAll(reader, join(this.#folder, name)))) return undefined;
      this.#manifest = { name, reader };
      return reader.tables;
    } catch {
      return undefined;
    }
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

/** What the file holds beyond what the reader has taken; false: it is damaged. */
async function takeAll(reader: ManifestReader, file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const block = Buffer.alloc(MANIFEST_BLOCK_SIZE);
    for (;;) {
      const { bytesRead } = await handle.read(block, 0, block.length, reader.blockStart);
      if (!reader.take(block.subarray(0, bytesRead))) return false;
      if (bytesRead < block.length) return true;
    }
  } finally {
    await handle.close();
  }
}

async function readTableBytes(file: string): Promise<Buffer | undefined | 'none'> {
  try {
    const handle = await open(file, 'r');
    try {
      return await handle.readFile();
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
