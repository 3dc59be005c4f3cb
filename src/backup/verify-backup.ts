/**
 * Verifies a backup: reads all of it, and compares with its manifest what is there.
 *
 * Needs no node. A file too many is told too: a backup that a node was started on is no backup any more.
 */

import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { checksumFile, diskFault, filesBelow } from './backup-files.ts';
import { MANIFEST_NAME, readManifest } from './backup-manifest.ts';
import type { BackupFile, BackupManifest } from './backup-manifest.ts';

export interface BackupVerdict {
  readonly isSound: boolean;
  readonly manifest: BackupManifest;
  readonly bytes: number;
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** Rejects with a fault where there is no backup to verify. */
export async function verifyBackup(folder: string): Promise<BackupVerdict> {
  const manifest = await readManifest(folder);
  const problems: string[] = [];
  let bytes = 0;
  const expected = new Set([MANIFEST_NAME]);
  for (const file of manifest.files) {
    expected.add(file.path);
    const problem = await problemOf(folder, file);
    if (problem === undefined) bytes += file.sizeBytes;
    else problems.push(problem);
  }
  for (const path of await filesBelow(folder)) {
    if (!expected.has(path)) problems.push(`${path} does not belong to it`);
  }
  return { isSound: problems.length === 0, manifest, bytes, problems };
}

async function problemOf(folder: string, file: BackupFile): Promise<string | undefined> {
  const { path, sizeBytes, sha256 } = file;
  let found: BackupFile | undefined;
  try {
    // The name of something elsewhere is no copy of it, and a pipe would never end.
    if (!(await lstat(join(folder, path))).isFile()) return `${path} is no file`;
    found = await checksumFile(folder, path, { isSynced: false, passed: async () => true });
  } catch (error) {
    const fault = diskFault(error);
    return `${path} cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`;
  }
  if (found?.sizeBytes !== sizeBytes) {
    return `${path} has ${found?.sizeBytes} bytes instead of ${sizeBytes}`;
  }
  return found.sha256 === sha256 ? undefined : `${path} is damaged: its checksum is wrong`;
}
