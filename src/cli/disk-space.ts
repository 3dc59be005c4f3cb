/**
 * The room on the file system that holds a folder.
 */

import { statfs } from 'node:fs/promises';
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
