/**
 * What opening finds of the value log: its accounts beside its files.
 *
 * Nothing is read but the names of the files and the accounts, so it takes as long for ten million keys
 * as for ten. A file without an account is what a crash left between its making and the first batch
 * that points to it, or between the end of its account and its removal: it is collected, which asks the
 * pointers first. An account without a file is a loss: its bodies are missing, are found so when they
 * are read, and are repaired from other replicas; their heads are not lost.
 */

import type { Host } from '../base/host.ts';
import { decodeLogSegmentKey, logSegmentsRange } from './keys.ts';
import type { LevelDatabase } from './level-database.ts';
import type { SegmentFolder } from './segment-folder.ts';
import { decodeAccount, SegmentLedger } from './segment-ledger.ts';
import type { LedgerOptions } from './segment-ledger.ts';

export interface RecoveredLog {
  readonly ledger: SegmentLedger;
  /** Above all that are there, or were. */
  readonly firstSegment: number;
}

const ACCOUNTS_PER_READ = 1_000;

export async function recoverLog(
  host: Host,
  { database, folder }: { readonly database: LevelDatabase; readonly folder: SegmentFolder },
  options: LedgerOptions,
): Promise<RecoveredLog> {
  const ledger = new SegmentLedger(options);
  const areAccountsKnown = await readAccounts(host, database, ledger);
  const files = new Set(await folder.list());
  let missingCount = 0;
  for (const segment of ledger.segments()) {
    if (files.has(segment)) continue;
    ledger.lock(segment);
    if ((ledger.find(segment)?.liveBytes ?? 0) > 0) missingCount += 1;
  }
  if (missingCount > 0) host.log.error('store.segments_missing', { count: missingCount });
  host.metrics.count('store_log_segments_locked_total', missingCount);
  for (const segment of files) {
    if (ledger.find(segment) !== undefined) continue;
    const sizeBytes = await folder.sizeBytes(segment);
    if (areAccountsKnown) ledger.openOrphan(segment, sizeBytes);
    else ledger.open(segment, { sizeBytes, liveBytes: sizeBytes });
  }
  let last = 0;
  for (const segment of ledger.segments()) last = Math.max(last, segment);
  return { ledger, firstSegment: last + 1 };
}

/** False: some of them cannot be read. */
async function readAccounts(
  host: Host,
  database: LevelDatabase,
  ledger: SegmentLedger,
): Promise<boolean> {
  const { from, to } = logSegmentsRange();
  const iterator = database.iterator({
    gte: from,
    lt: to,
    reverse: false,
    limit: Infinity,
    values: true,
    highWaterMarkBytes: 1024 * 1024,
  });
  try {
    for (;;) {
      const entries = await iterator.nextv(ACCOUNTS_PER_READ);
      if (entries.length === 0) return true;
      for (const [key, row] of entries) {
        const segment = decodeLogSegmentKey(key);
        const account = row && decodeAccount(row);
        // Without its account a segment is an orphan, which is collected with care.
        if (segment !== undefined && account !== undefined) ledger.open(segment, account);
      }
    }
  } catch (error) {
    // Damaged tables cost their own entries; these can be done without.
    const reason = error instanceof Error ? error.message : String(error);
    host.log.error('store.segment_accounts_unreadable', { reason });
    return false;
  } finally {
    await iterator.close();
  }
}
