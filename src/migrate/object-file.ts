/**
 * Files of objects: appended to in pieces that survive a broken-off export, read line by line.
 *
 * Beside a file that is being written stands `FILE.progress`: how many of its bytes are sound, and
 * where the walk goes on from there. Whoever resumes cuts off what is behind them. A compressed file is a row
 * of gzip members, which is a gzip file, so that it can be cut between them. The objects of patients
 * are nobody else's business: files are made for their owner alone.
 */

import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { ReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip, gzip } from 'node:zlib';
import { Fault } from '../base/fault.ts';
import { HEADER_LINE, encodeEndLine } from './object-line.ts';
import { cursorToText, textToCursor } from './walk.ts';
import type { Cursor, CursorText } from './walk.ts';

const compress = promisify(gzip);

const PIECE_SIZE_BYTES = 4 * 1024 * 1024;
/** A line holds all siblings of an object, in base64. */
const LINE_SIZE_MAX_BYTES = 256 * 1024 * 1024;

interface Progress {
  readonly format: 1;
  /** Which opening of the file writes to it; each draws its own. */
  readonly writer?: string;
  readonly scope: string;
  readonly sizeBytes: number;
  readonly objects: number;
  /** Objects that could not be read; absent: none. */
  readonly failed?: number;
  readonly cursor?: CursorText;
}

export class ObjectFileWriter {
  readonly #path: string;
  readonly #scope: string;
  readonly #file: FileHandle;
  readonly #id = randomUUID();
  #sizeBytes: number;
  #lines: string[] = [];
  #linesSize = 0;
  /** Pieces are written one behind another. */
  #last: Promise<void> = Promise.resolve();
  readonly isResumed: boolean;
  readonly cursor: Cursor | undefined;
  objects: number;
  /** Objects that could not be read, before it was broken off too. */
  failed: number;

  private constructor(
    path: string,
    file: FileHandle,
    progress: Progress | undefined,
    scope: string,
  ) {
    this.#path = path;
    this.#scope = scope;
    this.#file = file;
    this.#sizeBytes = progress?.sizeBytes ?? 0;
    this.objects = progress?.objects ?? 0;
    this.failed = progress?.failed ?? 0;
    this.isResumed = progress !== undefined;
    this.cursor = progress?.cursor && textToCursor(progress.cursor);
  }

  /** Goes on with a file of the same scope that was broken off; else there must be none. */
  static async open(path: string, scope: string): Promise<ObjectFileWriter> {
    const progress = await readProgress(path);
    if (progress !== undefined && progress.scope !== scope) {
      throw new Fault(
        'config',
        `${path} was begun with other types or buckets; remove ${progressPath(path)} and it, to begin anew`,
      );
    }
    const file = await open(path, progress === undefined ? 'wx' : 'r+', 0o600).catch(
      (error: NodeJS.ErrnoException) => {
        throw new Fault(
          'config',
          error.code === 'EEXIST'
            ? `${path} is there already, and no export is to be gone on with`
            : `${path} cannot be written: ${error.code}`,
        );
      },
    );
    const writer = new ObjectFileWriter(path, file, progress, scope);
    // What is missing would be filled with zeros.
    if ((await file.stat()).size < writer.#sizeBytes) {
      await file.close();
      throw new Fault(
        'config',
        `${path} is shorter than it was; remove ${progressPath(path)} and it, to begin anew`,
      );
    }
    await file.truncate(writer.#sizeBytes);
    if (progress === undefined) writer.#push(HEADER_LINE);
    await writer.#flush();
    await writer.#note(writer.cursor);
    return writer;
  }

  /** Resolves when there is room for more. */
  async add(line: string): Promise<void> {
    this.objects += 1;
    this.#push(line);
    if (this.#linesSize >= PIECE_SIZE_BYTES) await this.#flush();
  }

  /**
   * What was added is on disk, and an export that is broken off goes on at the cursor. Rejects with `config` if another
   * export has gone on with the file.
   */
  async checkpoint(cursor: Cursor | undefined): Promise<void> {
    await this.#mustBeOurs();
    await this.#flush();
    await this.#note(cursor);
  }

  /** The file is whole; resolves with its size in bytes. Rejects as `checkpoint`. */
  async finish(): Promise<number> {
    this.#push(encodeEndLine(this.objects));
    await this.#mustBeOurs();
    await this.#flush();
    // Another one's writes may lie behind it.
    await this.#file.truncate(this.#sizeBytes);
    await this.#file.sync();
    await rm(progressPath(this.#path), { force: true });
    return this.#sizeBytes;
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#file.close();
  }

  async #note(cursor: Cursor | undefined): Promise<void> {
    await this.#file.sync();
    const progress: Progress = {
      format: 1,
      writer: this.#id,
      scope: this.#scope,
      sizeBytes: this.#sizeBytes,
      objects: this.objects,
      failed: this.failed,
      ...(cursor !== undefined && { cursor: cursorToText(cursor) }),
    };
    const path = progressPath(this.#path);
    await writeFile(`${path}.new`, JSON.stringify(progress), { mode: 0o600, flush: true });
    await rename(`${path}.new`, path);
  }

  async #mustBeOurs(): Promise<void> {
    if ((await readProgress(this.#path))?.writer === this.#id) return;
    throw new Fault('config', `another export goes on with ${this.#path}, or has ended it`);
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#linesSize += line.length + 1;
  }

  #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    this.#linesSize = 0;
    this.#last = this.#last.then(() => this.#write(lines));
    return this.#last;
  }

  async #write(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const plain = Buffer.from(`${lines.join('\n')}\n`);
    const piece = isCompressed(this.#path) ? await compress(plain) : plain;
    await writeWhole(this.#file, piece, this.#sizeBytes);
    this.#sizeBytes += piece.length;
  }
}

export interface FileLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

export class ObjectFileReader {
  readonly #path: string;
  readonly sizeBytes: number;
  #file: ReadStream | undefined;

  private constructor(path: string, sizeBytes: number) {
    this.#path = path;
    this.sizeBytes = sizeBytes;
  }

  static async open(path: string): Promise<ObjectFileReader> {
    const { size } = await stat(path).catch((error: NodeJS.ErrnoException) => {
      throw new Fault('config', `${path} cannot be read: ${error.code}`);
    });
    return new ObjectFileReader(path, size);
  }

  /** How much of the file has been read, from 0 to 1. */
  get share(): number {
    return this.sizeBytes === 0 ? 0 : (this.#file?.bytesRead ?? 0) / this.sizeBytes;
  }

  /** Without empty lines. Throws `malformed` with the number of the line. */
  async *lines(): AsyncGenerator<FileLine> {
    let number = 1;
    let rest: Buffer[] = [];
    let restSize = 0;
    try {
      for await (const piece of this.#pieces()) {
        let start = 0;
        for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
          const bytes = Buffer.concat([...rest, piece.subarray(start, end)]);
          rest = [];
          restSize = 0;
          start = end + 1;
          if (bytes.length > 0) yield { number, bytes };
          number += 1;
        }
        rest.push(piece.subarray(start));
        restSize += piece.length - start;
        if (restSize > LINE_SIZE_MAX_BYTES) {
          throw lineFault(this.#path, number, 'it is longer than 256 MiB');
        }
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code?.startsWith('Z_') !== true) throw error;
      throw lineFault(this.#path, number, 'the file is no gzip from here on, or cut off');
    }
    if (restSize > 0) throw lineFault(this.#path, number, 'it has no end: the file is cut off');
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    const file = createReadStream(this.#path, { highWaterMark: 256 * 1024 });
    this.#file = file;
    // The error of either comes out of the loop.
    const source = isCompressed(this.#path)
      ? pipeline(file, createGunzip(), () => undefined)
      : file;
    for await (const piece of source) yield piece as Buffer;
  }
}

export function lineFault(path: string, number: number, why: string): Fault {
  return new Fault('malformed', `${path}, line ${number}: ${why}`);
}

async function readProgress(path: string): Promise<Progress | undefined> {
  let text: string;
  try {
    text = await readFile(progressPath(path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const progress = JSON.parse(text) as Progress;
    if (progress.format === 1 && Number.isSafeInteger(progress.sizeBytes)) return progress;
  } catch {
    // Said below.
  }
  throw new Fault('config', `${progressPath(path)} cannot be read; remove it and ${path}`);
}

async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const rest = bytes.length - written;
    const { bytesWritten } = await file.write(bytes, written, rest, position + written);
    written += bytesWritten;
  }
}

function progressPath(path: string): string {
  return `${path}.progress`;
}

function isCompressed(path: string): boolean {
  return path.endsWith('.gz');
}
