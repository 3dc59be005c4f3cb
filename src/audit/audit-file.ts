/**
 * The file that is written: opened, continued after a crash, changed for a new one when it is full.
 *
 * A line that was not written to its end was acknowledged to nobody; it is cut off, and said. A file that
 * is not as it was left is not trusted: the chain goes on from what the node remembers, so that the break shows.
 */

import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CURRENT_NAME,
  findFile,
  findLineBefore,
  numberedFiles,
  numberedName,
  readFirstLine,
  readLastLine,
  readTail,
  syncFolder,
} from './audit-files.ts';
import { decodeLine, encodeLine, hashLine, NO_LINE, type AuditEvent } from './audit-line.ts';

export interface AuditFileOptions {
  readonly folder: string;
  readonly node: string;
  /** From there on a file is full; the events of one write may reach beyond. */
  readonly fileMaxBytes: number;
  /** All together; the oldest go. */
  readonly filesMax: number;
  /** ISO 8601. */
  readonly now: () => string;
}

export class AuditFile {
  readonly #options: AuditFileOptions;
  readonly #handle: FileHandle;
  readonly #number: number;
  readonly #inode: number;
  #sizeBytes: number;
  #lastHash: string;

  private constructor(
    options: AuditFileOptions,
    handle: FileHandle,
    at: {
      readonly number: number;
      readonly inode: number;
      readonly sizeBytes: number;
      readonly lastHash: string;
    },
  ) {
    this.#options = options;
    this.#handle = handle;
    this.#number = at.number;
    this.#inode = at.inode;
    this.#sizeBytes = at.sizeBytes;
    this.#lastHash = at.lastHash;
  }

  /** Goes on where the file ends, or begins one. `remembered`: the hash that comes next, if known. */
  static async open(options: AuditFileOptions, remembered?: string): Promise<AuditFile> {
    const { folder } = options;
    const handle = await open(join(folder, CURRENT_NAME), 'a+', 0o600);
    try {
      const { size, ino } = await handle.stat();
      const { line, tornBytes } = await readTail(handle, size);
      if (tornBytes > 0) await handle.truncate(size - tornBytes);
      const newest = (await numberedFiles(folder)).at(-1);
      const before = newest?.number ?? 0;
      if (line !== undefined) {
        const first = await readFirstLine(handle);
        const number = first === undefined ? undefined : decodeLine(first)?.['number'];
        const file = new AuditFile(options, handle, {
          // The name of a full file is never given again, whatever was put here.
          number: typeof number === 'number' && number > before ? number : before + 1,
          inode: ino,
          sizeBytes: size - tornBytes,
          lastHash: remembered ?? hashLine(line),
        });
        if (tornBytes > 0) await file.append([{ event: 'torn-line-cut', bytes: tornBytes }]);
        return file;
      }
      const last = newest && (await readLastLine(folder, newest.name));
      const number = before + 1;
      const lastHash = remembered ?? (last === undefined ? NO_LINE : hashLine(last));
      const file = new AuditFile(options, handle, { number, inode: ino, sizeBytes: 0, lastHash });
      await file.append([{ event: 'file-begun', number }]);
      await syncFolder(folder);
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Of the last line. */
  get lastHash(): string {
    return this.#lastHash;
  }

  /** Whether the file under its name is this one, as long as it was left. */
  async isUntouched(): Promise<boolean> {
    const found = await findFile(join(this.#options.folder, CURRENT_NAME));
    return found?.ino === this.#inode && found.size === this.#sizeBytes;
  }

  /** Whether all of its lines are still there, under its name or, once full, its number. */
  async isKept(): Promise<boolean> {
    for (const name of [CURRENT_NAME, numberedName(this.#number)]) {
      const line = await findLineBefore(join(this.#options.folder, name), this.#sizeBytes);
      if (line !== undefined && hashLine(line) === this.#lastHash) return true;
    }
    return false;
  }

  get isFull(): boolean {
    return this.#sizeBytes >= this.#options.fileMaxBytes;
  }

  /** On stable storage when it resolves. */
  async append(events: readonly AuditEvent[]): Promise<void> {
    const { node, now } = this.#options;
    let previous = this.#lastHash;
    const lines = events.map((event) => {
      const line = encodeLine({ previous, time: now(), node }, event);
      previous = hashLine(line.subarray(0, -1));
      return line;
    });
    const bytes = Buffer.concat(lines);
    await this.#handle.appendFile(bytes);
    await this.#handle.datasync();
    this.#sizeBytes += bytes.length;
    this.#lastHash = previous;
  }

  /** Gives the file its number, and begins the next. This one is closed. */
  async change(): Promise<AuditFile> {
    const { folder, filesMax } = this.#options;
    await this.#handle.close();
    await rename(join(folder, CURRENT_NAME), join(folder, numberedName(this.#number)));
    const next = await AuditFile.open(this.#options, this.#lastHash);
    try {
      const full = await numberedFiles(folder);
      for (const { name } of full.slice(0, Math.max(0, full.length - (filesMax - 1)))) {
        await rm(join(folder, name));
      }
    } catch (error) {
      await next.close();
      throw error;
    }
    return next;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
