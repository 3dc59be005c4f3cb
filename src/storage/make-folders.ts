/**
 * Folders, with those above them.
 *
 * One step for each folder of the path, where that of Node tries again without end while the system says that a folder
 * cannot be made because another is missing, as it does below `/proc`.
 */

import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The first that was not there; throws what the system says. Those that are there stay as they are. */
export function makeFolders(folder: string, mode = 0o777): string | undefined {
  const missing: string[] = [];
  for (let path = resolve(folder); !existsSync(path); path = dirname(path)) missing.push(path);
  for (const path of missing.toReversed()) makeFolder(path, mode);
  return missing.at(-1);
}

function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have been here.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
