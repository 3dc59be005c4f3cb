/**
 * `vertebra repair-store`: mends the store of a node that is stopped, after damage to its disk.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { mendLevelDb } from '../storage/mend-leveldb.ts';

/** `folder`: a node's data folder. Resolves with what was done; rejects with one sentence. */
export async function repairStore(folder: string): Promise<string> {
  const store = join(resolve(folder), 'store');
  if (!existsSync(store)) throw new Error(`${resolve(folder)} is no data folder: it has no store`);
  const { found, objects, dropped, lostBlocks, lostFiles } = await mendLevelDb(store);
  return [
    `${store} can be opened again: ${objects} objects, ${found} entries in all.`,
    `${dropped} entries were dropped, ${lostBlocks} blocks of tables were damaged; ` +
      `${lostFiles} files are in ${join(store, 'lost')}, as they were.`,
    'Start the node: it writes under a new name, compares every key with its peers, and mends its indexes.',
  ].join('\n');
}
