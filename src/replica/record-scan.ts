/**
 * Record scans: the whole copies of a partition, for who is to hold them too.
 *
 * Nothing is held open between two batches: each is read from the store as it is then. A snapshot of
 * the beginning would, at the end of a long transfer, deliver copies older than tombstones that have
 * been reaped meanwhile. Batches are bounded in bytes whatever the size of the values.
 */

import { isFault } from '../base/fault.ts';
import type { ObjectKey, Partition } from '../base/names.ts';
import { isSoundRecord } from '../object/record.ts';
import type { KeyRecord } from '../peer/messages.ts';
import { decodeObjectKey, encodeObjectKey, keyAfter, partitionRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

export interface RecordScan {
  readonly partition: Partition;
  /** Strictly after this key; from the first one if undefined. */
  readonly after: ObjectKey | undefined;
  /** Whether the objects of this bucket are wanted. */
  readonly isWanted: (key: ObjectKey) => boolean;
  /** A copy that cannot be read, and is left out. */
  readonly damaged: (key: ObjectKey) => void;
}

const KEYS_PER_PAGE = 256;
const BATCH_BYTES = 256 * 1024;
const READS_MAX = 64;
/** Before anything is known of the values' size. */
const READS_AT_FIRST = 4;

/** In key order; batches may be empty, as a sign of life. */
export async function* scanRecords(
  store: Store,
  scan: RecordScan,
): AsyncIterableIterator<KeyRecord[]> {
  const { partition, after } = scan;
  const range = partitionRange(partition);
  let from = after === undefined ? range.from : keyAfter(encodeObjectKey(partition, after));
  let readCount = READS_AT_FIRST;
  for (;;) {
    const page = await readPage(store, { from, to: range.to });
    const last = page.at(-1);
    if (last === undefined) return;
    from = keyAfter(last.entry);
    const wanted = page.filter(({ key }) => scan.isWanted(key));
    if (wanted.length === 0) yield [];
    while (wanted.length > 0) {
      const reads = wanted.splice(0, readCount);
      const batch = await readRecords(store, scan, reads);
      const sizeBytes = batch.reduce((sum, { record }) => sum + record.length, 0);
      const meanBytes = Math.max(1, sizeBytes / reads.length);
      readCount = Math.max(1, Math.min(READS_MAX, Math.floor(BATCH_BYTES / meanBytes)));
      yield batch;
    }
  }
}

interface PageKey {
  readonly entry: Buffer;
  readonly key: ObjectKey;
}

async function readPage(
  store: Store,
  range: { readonly from: Buffer; readonly to: Buffer },
): Promise<PageKey[]> {
  const page: PageKey[] = [];
  for await (const batch of store.scan({ ...range, limit: KEYS_PER_PAGE, keysOnly: true })) {
    for (const { key: entry } of batch) page.push({ entry, key: decodeObjectKey(entry).key });
  }
  return page;
}

async function readRecords(
  store: Store,
  scan: RecordScan,
  reads: readonly PageKey[],
): Promise<KeyRecord[]> {
  const found = await Promise.all(reads.map(({ entry }) => readSound(store, entry)));
  const records: KeyRecord[] = [];
  for (const [index, record] of found.entries()) {
    const key = reads[index]?.key;
    if (key === undefined || record === undefined) continue;
    if (record === 'damaged') scan.damaged(key);
    else records.push({ key, record });
  }
  return records;
}

async function readSound(store: Store, entry: Buffer): Promise<Buffer | 'damaged' | undefined> {
  try {
    const bytes = await store.get(entry);
    return bytes === undefined || isSoundRecord(bytes) ? bytes : 'damaged';
  } catch (error) {
    if (isFault(error, 'store-corrupt')) return 'damaged';
    throw error;
  }
}
