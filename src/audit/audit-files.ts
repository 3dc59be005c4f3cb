/**
 * The files of the audit log: `audit.log`, which is written, and `audit.NNNNNN.log`, which are full.
 *
 * Numbers only rise, and the first line of each file says which it is; the oldest files go when there are
 * too many. Reading streams a file line by line, whatever its size.
 */

import { createReadStream } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isFileMissing } from './disk-errors.ts';

export const CURRENT_NAME = 'audit.log';
/** More than any line. */
const BLOCK_BYTES = 64 * 1024;
const LINE_END = 0x0a;

export interface NumberedFile {
  readonly name: string;
  readonly number: number;
}

export function numberedName(number: number): string {
  return `audit.${`${number}`.padStart(6, '0')}.log`;
}

/** The full ones, the oldest first. */
export async function numberedFiles(folder: string): Promise<readonly NumberedFile[]> {
  return (await readdir(folder))
    .flatMap((name) => {
      const [, digits] = /^audit\.(\d{6,15})\.log$/.exec(name) ?? [];
      return digits === undefined ? [] : [{ name, number: Number(digits) }];
    })
    .sort((left, right) => left.number - right.number);
}

/** Each line without its end; what follows the last end comes last, as `torn`. */
export async function* readLines(
  path: string,
): AsyncGenerator<{ readonly line: Buffer; readonly isTorn: boolean }> {
  let rest: Buffer[] = [];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_END, start);
      if (end < 0) break;
      yield { line: Buffer.concat([...rest, chunk.subarray(start, end)]), isTorn: false };
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield { line: Buffer.concat(rest), isTorn: true };
}

/** The first line of a file, without its end; undefined: there is no whole one. */
export async function readFirstLine(file: FileHandle): Promise<Buffer | undefined> {
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(BLOCK_BYTES), position: 0 });
  const end = buffer.subarray(0, bytesRead).indexOf(LINE_END);
  return end < 0 ? undefined : buffer.subarray(0, end);
}

export interface Tail {
  /** The last whole line, without its end; undefined: there is none. */
  readonly line: Buffer | undefined;
  /** Bytes behind it: of a line that was not written to its end. */
  readonly tornBytes: number;
}

/** What ends at `sizeBytes`. Looks back as far as it takes: behind the last line may be much. */
export async function readTail(file: FileHandle, sizeBytes: number): Promise<Tail> {
  const end = await findLineEnd(file, sizeBytes);
  if (end === undefined) return { line: undefined, tornBytes: sizeBytes };
  const start = ((await findLineEnd(file, end)) ?? -1) + 1;
  const { buffer, bytesRead } = await file.read({
    buffer: Buffer.alloc(end - start),
    position: start,
  });
  return { line: buffer.subarray(0, bytesRead), tornBytes: sizeBytes - end - 1 };
}

/** Where the last end of a line before `position` is. */
async function findLineEnd(file: FileHandle, position: number): Promise<number | undefined> {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let end = position; end > 0;) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read({ buffer: block, length: end - start, position: start });
    const found = block.subarray(0, bytesRead).lastIndexOf(LINE_END);
    if (found >= 0) return start + found;
    end = start;
  }
  return undefined;
}

/** The last line of the newest full file. */
export async function readLastLine(folder: string, name: string): Promise<Buffer | undefined> {
  const file = await open(join(folder, name), 'r');
  try {
    return (await readTail(file, (await file.stat()).size)).line;
  } finally {
    await file.close();
  }
}

/** The line whose end is the last of the first `sizeBytes`; undefined: there is none, or no such file. */
export async function findLineBefore(path: string, sizeBytes: number): Promise<Buffer | undefined> {
  return ifThere(path, async (file) => {
    const { line, tornBytes } = await readTail(file, sizeBytes);
    return tornBytes === 0 ? line : undefined;
  });
}

/** Its size and inode, or undefined: it is not there. */
export async function findFile(path: string) {
  return ifThere(path, async (file) => {
    const { size, ino } = await file.stat();
    return { size, ino };
  });
}

async function ifThere<T>(
  path: string,
  read: (file: FileHandle) => Promise<T>,
): Promise<T | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      return await read(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isFileMissing(error)) return undefined;
    throw error;
  }
}

/** What names the files in it is on stable storage. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
