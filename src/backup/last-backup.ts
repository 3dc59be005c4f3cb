/**
 * When this node was last backed up: a line in its data folder, so that an alert on the age of backups outlives
 * a restart. No backup has it: a node that was started from one has not been backed up since.
 */

import { readFile, rename, writeFile } from 'node:fs/promises';

/** Seconds since 1970; undefined: never, or nobody knows. */
export async function readLastBackup(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'latin1').catch(() => '');
  const ms = Date.parse(text.trim());
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1_000);
}

/** Rejects with the system's error. What is read afterwards is the old line or the new one. */
export async function writeLastBackup(path: string, seconds: number): Promise<void> {
  const unfinished = `${path}.new`;
  await writeFile(unfinished, `${new Date(seconds * 1_000).toISOString()}\n`, { mode: 0o600 });
  await rename(unfinished, path);
}
