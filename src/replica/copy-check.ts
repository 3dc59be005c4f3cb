/**
 * Checking copies: every record of a partition is read as a whole, and its CRCs are counted again.
 *
 * A damaged value under a sound head is found by nothing else until a client reads it. Records are
 * read one by one and not by the scan, so that one that cannot be read at all hides no other.
 */

import { isFault } from '../base/fault.ts';
import type { ObjectKey, Partition } from '../base/names.ts';
import { isSoundRecord } from '../object/record.ts';
import { decodeObjectKey, keyAfter, partitionRange, type KeyRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { keyPages } from './key-pages.ts';

export interface CheckedCopies {
  readonly count: number;
  readonly sizeBytes: number;
  readonly damaged: readonly ObjectKey[];
}

/** Records in memory at once. */
const READS_MAX = 8;

/**
 * In key order, in small batches. Rejects with `store-corrupt` at the end if there are keys that the
 * store cannot even name.
 */
export async function* checkCopies(
  store: Store,
  partition: Partition,
): AsyncIterableIterator<CheckedCopies> {
  const { from: first, to } = partitionRange(partition);
  let unnamed: unknown;
  let from = first;
  for await (const page of keyPages(store, { from: first, to })) {
    const end = keyAfter(page.at(-1) as Buffer);
    unnamed ??= await findUnnamed(store, { from, to: end });
    from = end;
    yield* checkPage(store, page);
  }
  unnamed ??= await findUnnamed(store, { from, to });
  if (unnamed !== undefined) throw unnamed;
}

/** What a scan of all of the range says of keys that pages pass over. */
async function findUnnamed(store: Store, range: KeyRange): Promise<unknown> {
  try {
    for await (const _ of store.scan({ ...range, keysOnly: true }));
    return undefined;
  } catch (error) {
    if (!isFault(error, 'store-corrupt')) throw error;
    return error;
  }
}

async function* checkPage(store: Store, page: readonly Buffer[]): AsyncGenerator<CheckedCopies> {
  for (let from = 0; from < page.length; from += READS_MAX) {
    const entries = page.slice(from, from + READS_MAX);
    const sizes = await Promise.all(entries.map((entry) => soundSize(store, entry)));
    yield {
      count: entries.length,
      sizeBytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
      damaged: entries
        .filter((_, index) => sizes[index] === undefined)
        .map((entry) => decodeObjectKey(entry).key),
    };
  }
}

/** The size of the record, 0 if it has gone meanwhile; undefined: it is damaged. */
async function soundSize(store: Store, entry: Buffer): Promise<number | undefined> {
  try {
    const record = await store.get(entry);
    if (record === undefined) return 0;
    return isSoundRecord(record) ? record.length : undefined;
  } catch (error) {
    if (!isFault(error, 'store-corrupt')) throw error;
    return undefined;
  }
}
