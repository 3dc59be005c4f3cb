/**
 * The segments of the value log as files: `00000001.vlog` and on, in a folder of their own.
 *
 * Files being read stay open, up to a bound, the longest unused closed first; one that is being read
 * is closed when that has ended. A new file counts when the folder that names it is synced too.
 */

import { close, constants, openSync, read, readSync } from 'node:fs';
import { mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../base/fault.ts';
import type { SegmentFolder, SegmentWriter } from './segment-folder.ts';

export interface SegmentFilesOptions {
  /** Files held open for reading. */
  readonly openFilesMax: number;
}

interface OpenFile {
  readonly descriptor: number;
  readerCount: number;
  /** Closed as soon as nobody reads it. */
  isDropped: boolean;
}

const NAME = /^(\d{8,10})\.vlog$/;
const NAME_DIGITS = 8;

/** In the folder of the segments. */
export function segmentFileName(segment: number): string {
  return `${String(segment).padStart(NAME_DIGITS, '0')}.vlog`;
}

export class SegmentFiles implements SegmentFolder {
  readonly #path: string;
  readonly #options: SegmentFilesOptions;
  /** The longest unused first. */
  readonly #openFiles = new Map<number, OpenFile>();
  #isClosed = false;

  private constructor(path: string, options: SegmentFilesOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Makes the folder if it is not there; its parent must be. */
  static async open(path: string, options: SegmentFilesOptions): Promise<SegmentFiles> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return new SegmentFiles(path, options);
  }

  async list(): Promise<number[]> {
    const names = await readdir(this.#path);
    return names.flatMap((name) => {
      const digits = NAME.exec(name)?.[1];
      return digits === undefined ? [] : [Number(digits)];
    });
  }

  async sizeBytes(segment: number): Promise<number> {
    const { size } = await stat(this.#pathOf(segment));
    return size;
  }

  async create(segment: number): Promise<SegmentWriter> {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_APPEND;
    const file = await open(this.#pathOf(segment), flags, 0o600);
    const folder = await open(this.#path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return new FileWriter(file);
  }

  async read(segment: number, position: number, into: Buffer): Promise<number> {
    const file = this.#openFile(segment);
    file.readerCount += 1;
    try {
      let filled = 0;
      while (filled < into.length) {
        const count = await readOnce(file.descriptor, into.subarray(filled), position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    } finally {
      file.readerCount -= 1;
      if (file.isDropped) closeUnread(file);
    }
  }

  readNow(segment: number, position: number, into: Buffer): number {
    const { descriptor } = this.#openFile(segment);
    try {
      let filled = 0;
      while (filled < into.length) {
        const count = readSync(descriptor, into, filled, into.length - filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    } catch (error) {
      throw readFault(error);
    }
  }

  async remove(segment: number): Promise<void> {
    const file = this.#openFiles.get(segment);
    if (file !== undefined) this.#drop(segment, file);
    try {
      await unlink(this.#pathOf(segment));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const [segment, file] of this.#openFiles) this.#drop(segment, file);
    return Promise.resolve();
  }

  #openFile(segment: number): OpenFile {
    if (this.#isClosed) throw new Fault('store-closed', 'the store is closed');
    const found = this.#openFiles.get(segment);
    if (found !== undefined) {
      this.#openFiles.delete(segment);
      this.#openFiles.set(segment, found);
      return found;
    }
    let descriptor: number;
    try {
      descriptor = openSync(this.#pathOf(segment), 'r');
    } catch (error) {
      throw readFault(error);
    }
    const file = { descriptor, readerCount: 0, isDropped: false };
    this.#openFiles.set(segment, file);
    for (const [oldest, unused] of this.#openFiles) {
      if (this.#openFiles.size <= this.#options.openFilesMax) break;
      this.#drop(oldest, unused);
    }
    return file;
  }

  #drop(segment: number, file: OpenFile): void {
    this.#openFiles.delete(segment);
    file.isDropped = true;
    closeUnread(file);
  }

  #pathOf(segment: number): string {
    return join(this.#path, segmentFileName(segment));
  }
}

class FileWriter implements SegmentWriter {
  readonly #file: FileHandle;
  #isClosed = false;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written);
      written += bytesWritten;
    }
  }

  sync(): Promise<void> {
    return this.#file.datasync();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}

function readOnce(descriptor: number, into: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, into, 0, into.length, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(readFault(error));
    });
  });
}

function closeUnread(file: OpenFile): void {
  if (file.readerCount > 0) return;
  // It was only read: whether closing it succeeds changes nothing.
  close(file.descriptor, () => {});
}

/** What the system's refusal to read means; other errors are bugs and stay what they are. */
function readFault(error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  switch (codeOf(error)) {
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return new Fault('overload', 'the system has no more files or memory to give', {
        cause: error,
      });
    case 'ENOENT':
      return new Fault('store-corrupt', 'a segment of the value log is missing', { cause: error });
    default:
      return new Fault('store-corrupt', `the value log cannot be read: ${error.message}`, {
        cause: error,
      });
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
