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
import { keyPages } from './key-pages.ts';

export interface RecordScan {
  readonly partition: Partition;
  /** Strictly after this key; from the first one if undefined. */
  readonly after: ObjectKey | undefined;
  /** Whether the objects of this bucket are wanted. */
  readonly isWanted: (key: ObjectKey) => boolean;
  /** A copy that cannot be read, and is left out. */
  readonly damaged: (key: ObjectKey) => void;
}

/** A batch is full when it has reached one of these. */
const BATCH_BYTES = 256 * 1024;
const BATCH_COUNT = 64;
/** At once: few, for each may be as large as an object can be. */
const READS_MAX = 8;

/** In key order; batches may be empty, as a sign of life. */
export async function* scanRecords(
  store: Store,
  scan: RecordScan,
): AsyncIterableIterator<KeyRecord[]> {
  const { partition, after } = scan;
  const { from: first, to } = partitionRange(partition);
  const from = after === undefined ? first : keyAfter(encodeObjectKey(partition, after));
  for await (const page of keyPages(store, { from, to })) {
    const wanted = page
      .map((entry): PageKey => ({ entry, key: decodeObjectKey(entry).key }))
      .filter(({ key }) => scan.isWanted(key));
    if (wanted.length === 0) yield [];
    while (wanted.length > 0) yield await takeBatch(store, scan, wanted);
  }
}

interface PageKey {
  readonly entry: Buffer;
  readonly key: ObjectKey;
}

/** The records of the first of `wanted`, which go from it; a full one has at most one large record. */
async function takeBatch(store: Store, scan: RecordScan, wanted: PageKey[]): Promise<KeyRecord[]> {
  const batch: KeyRecord[] = [];
  let sizeBytes = 0;
  const isFull = (): boolean => sizeBytes >= BATCH_BYTES || batch.length >= BATCH_COUNT;
  while (wanted.length > 0 && !isFull()) {
    const reads = wanted.slice(0, READS_MAX);
    const found = await Promise.all(reads.map(({ entry }) => readSound(store, entry)));
    for (const [index, { key }] of reads.entries()) {
      // What was read beyond is read again: by the time it is asked for it may be another.
      if (isFull()) break;
      wanted.shift();
      const record = found[index];
      if (record === undefined) continue;
      if (record === 'damaged') {
        scan.damaged(key);
        continue;
      }
      batch.push({ key, record });
      sizeBytes += record.length;
    }
  }
  return batch;
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
