/**
 * The newest lines of an audit log, for an operator to look at.
 */

import { join } from 'node:path';
import { CURRENT_NAME, findFile, numberedFiles, readLines } from './audit-files.ts';
import { decodeLine } from './audit-line.ts';

export type AuditEntry = Readonly<Record<string, unknown>>;

/** At most `limit`, of the file that is written and the one before it; the newest last. */
export async function newestEntries(folder: string, limit: number): Promise<readonly AuditEntry[]> {
  if (limit < 1) return [];
  const before = (await numberedFiles(folder)).at(-1)?.name;
  const current = (await findFile(join(folder, CURRENT_NAME))) && CURRENT_NAME;
  const entries: AuditEntry[] = [];
  for (const name of [before, current]) {
    if (name === undefined) continue;
    for await (const { line } of readLines(join(folder, name))) {
      const { previous: _previous, ...entry } = decodeLine(line) ?? { event: 'unreadable' };
      entries.push(entry);
      if (entries.length >= 2 * limit) entries.splice(0, limit);
    }
  }
  return entries.slice(-limit);
}
