/**
 * The files of a backup: written and read in chunks, with their checksums, and brought to stable
 * storage, their names too.
 */

import { createHash } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, isFault } from '../base/fault.ts';
import type { BackupFile } from './backup-manifest.ts';

const CHUNK_SIZE = 256 * 1024;

/** Called after each chunk; false ends the work. */
export type Passed = (sizeBytes: number) => Promise<boolean>;

/** Fills the buffer from `position` on; fewer bytes only at the end. */
export type ReadAt = (position: number, into: Buffer) => Promise<number>;

/** Undefined: ended by `passed`. */
export async function checksumFile(
  folder: string,
  path: string,
  { isSynced, passed }: { readonly isSynced: boolean; readonly passed: Passed },
): Promise<BackupFile | undefined> {
  const hash = createHash('sha256');
  const file = await open(join(folder, path), 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
    let sizeBytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length, sizeBytes);
      if (bytesRead === 0) break;
      hash.update(chunk.subarray(0, bytesRead));
      sizeBytes += bytesRead;
      if (!(await passed(bytesRead))) return undefined;
    }
    if (isSynced) await file.sync();
    return { path, sizeBytes, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

/** Copies up to `sizeBytes`, as many as there are, to stable storage. Undefined: ended by `passed`. */
export async function copyFile(
  source: { readonly readAt: ReadAt; readonly sizeBytes: number },
  { folder, path, passed }: { folder: string; path: string; passed: Passed },
): Promise<BackupFile | undefined> {
  const hash = createHash('sha256');
  const file = await open(join(folder, path), 'wx', 0o600);
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
    let position = 0;
    while (position < source.sizeBytes) {
      const wanted = chunk.subarray(0, Math.min(chunk.length, source.sizeBytes - position));
      const bytes = wanted.subarray(0, await source.readAt(position, wanted));
      if (bytes.length === 0) break;
      hash.update(bytes);
      await file.writeFile(bytes);
      position += bytes.length;
      if (!(await passed(bytes.length))) return undefined;
    }
    await file.sync();
    return { path, sizeBytes: position, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

export async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
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

/** The paths of all files below, with `/`, in order. */
export async function filesBelow(folder: string, below = ''): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) paths.push(...(await filesBelow(folder, path)));
    else paths.push(path);
  }
  return paths.sort();
}

/** The fault that the disk's or LevelDB's refusal is; other errors are bugs and stay what they are. */
export function diskFault(error: unknown): unknown {
  const code = codeOf(error);
  if (isFault(error) || !(error instanceof Error) || typeof code !== 'string') return error;
  const isOfDisk = /^E[A-Z0-9]+$/.test(code) || /^LEVEL_(IO_ERROR|CORRUPTION|LOCKED)/.test(code);
  const isOpening = code === 'LEVEL_DATABASE_NOT_OPEN' && error.cause !== undefined;
  if (!isOfDisk && !isOpening) return error;
  const reason = isOpening && error.cause instanceof Error ? error.cause.message : error.message;
  return new Fault(code === 'ENOSPC' ? 'disk-full' : 'config', reason, { cause: error });
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
