/**
 * A file of keys that need a look: one JSON object a line. Keys are patients' data, so it is made
 * only where an operator names it, and readable to nobody else.
 */

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { Fault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import { nameToJson } from './object-line.ts';

export class KeyFile {
  readonly #file: FileHandle | undefined;
  readonly #isFile: boolean;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle | undefined, isFile = false) {
    this.#file = file;
    this.#isFile = isFile;
  }

  /** Added to if it is there; without a path nothing is written. */
  static async open(path: string | undefined): Promise<KeyFile> {
    if (path === undefined) return new KeyFile(undefined);
    const file = await open(path, 'a', 0o600).catch((error: NodeJS.ErrnoException) => {
      throw new Fault('config', `${path} cannot be written: ${error.code}`);
    });
    // A terminal, a pipe or /dev/null stays as it is, for others too.
    const isFile = (await file.stat()).isFile();
    // It may have been there, for all to read.
    if (isFile) await file.chmod(0o600);
    return new KeyFile(file, isFile);
  }

  /** Begun anew. */
  async clear(): Promise<void> {
    if (this.#isFile) await this.#file?.truncate();
  }

  async add({ type, bucket, key }: ObjectKey, outcome: string, reason?: string): Promise<void> {
    if (this.#file === undefined) return;
    const names = { type: nameToJson(type), bucket: nameToJson(bucket), key: nameToJson(key) };
    const line = `${JSON.stringify({ ...names, outcome, reason })}\n`;
    // One behind another: lines must not get mixed.
    const file = this.#file;
    const written = this.#last.then(() => file.appendFile(line));
    this.#last = written.catch(() => undefined);
    await written;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
  }
}
