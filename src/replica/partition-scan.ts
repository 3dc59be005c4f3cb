/**
 * Partition scans: the heads of a partition's objects, for who compares or moves them.
 *
 * Keys are read first and heads only of those that are wanted, so that an exchange of a few hash-tree
 * segments does not read a partition's values.
 */

import { isFault } from '../base/fault.ts';
import type { ObjectKey, Partition } from '../base/names.ts';
import { sliceSoundHead } from '../object/record.ts';
import type { KeyHead } from '../peer/messages.ts';
import { segmentOf } from '../storage/hash-tree.ts';
import { decodeObjectKey, partitionRange } from '../storage/keys.ts';
import { readable } from '../storage/readable.ts';
import type { Store } from '../storage/store.ts';
import { keyPages } from './key-pages.ts';

export interface HeadScan {
  readonly partition: Partition;
  readonly segments: ReadonlySet<number>;
  /** Whether the tree that is compared counts objects of this bucket. */
  readonly isCounted: (key: ObjectKey) => boolean;
}

const HEADS_PER_BATCH = 64;
/** Pages of keys without a match after which an empty batch tells that the scan goes on. */
const QUIET_PAGES_MAX = 64;

/**
 * In key order; batches may be empty, as a sign of life. Damaged copies are left out, and so are keys
 * that the store cannot name any more: who compares has them from elsewhere.
 */
export async function* scanHeads(store: Store, scan: HeadScan): AsyncIterableIterator<KeyHead[]> {
  let wanted: { readonly entry: Buffer; readonly key: ObjectKey }[] = [];
  let quietPages = 0;
  const pages = keyPages(store, partitionRange(scan.partition));
  for await (const page of readable(pages)) {
    for (const entry of page) {
      const { key } = decodeObjectKey(entry);
      if (!scan.segments.has(segmentOf(key)) || !scan.isCounted(key)) continue;
      wanted.push({ entry, key });
      if (wanted.length < HEADS_PER_BATCH) continue;
      yield await readHeads(store, wanted);
      wanted = [];
      quietPages = 0;
    }
    quietPages += 1;
    if (quietPages < QUIET_PAGES_MAX) continue;
    quietPages = 0;
    yield [];
  }
  if (wanted.length > 0) yield await readHeads(store, wanted);
}

async function readHeads(
  store: Store,
  wanted: readonly { readonly entry: Buffer; readonly key: ObjectKey }[],
): Promise<KeyHead[]> {
  const reads = await Promise.all(wanted.map(({ entry }) => readHead(store, entry)));
  const heads: KeyHead[] = [];
  for (const [index, head] of reads.entries()) {
    const key = wanted[index]?.key;
    if (key !== undefined && head !== undefined) heads.push({ key, head });
  }
  return heads;
}

async function readHead(store: Store, entry: Buffer): Promise<Buffer | undefined> {
  try {
    const bytes = await store.getHead(entry);
    return bytes && sliceSoundHead(bytes);
  } catch (error) {
    if (isFault(error, 'store-corrupt')) return undefined;
    throw error;
  }
}
