/**
 * The room on the file system that holds a folder.
 */

import { stat, statfs } from 'node:fs/promises';
import { reserveOf } from '../node/disk-guard.ts';
import type { DiskSpace } from '../node/disk-guard.ts';

/** Undefined: it cannot be told; the store itself will meet what is wrong. Never rejects. */
export async function diskSpaceOf(folder: string): Promise<DiskSpace | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(folder);
    // Some file systems do not say how large they are.
    return blocks === 0 ? undefined : { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  } catch {
    return undefined;
  }
}

/**
 * What a node with its data in `dataDir` keeps free of the file system that holds `folder`: nothing of
 * another one. Rejects with the system's error.
 */
export async function reserveAt(
  folder: string,
  { dataDir, ...options }: { readonly dataDir: string; readonly reserveBytes: number },
): Promise<number> {
  const [there, data] = await Promise.all([stat(folder), stat(dataDir)]);
  if (there.dev !== data.dev) return 0;
  const space = await diskSpaceOf(dataDir);
  return space === undefined ? 0 : reserveOf(space.totalBytes, options);
}
