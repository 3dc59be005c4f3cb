/**
 * How much a partition holds, without reading it: some of its entries show how large one is, and the
 * store knows about how much room all of them take. An estimate, for an operator who wants to know
 * whether a move takes minutes or days.
 */

import type { Partition } from '../base/names.ts';
import type { PartitionSize } from '../peer/messages.ts';
import { allObjectsRange, partitionRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

/** Entries that are counted, and of these, read. */
const COUNTED_MAX = 1_024;
const READ_MAX = 32;

export async function estimatePartition(
  store: Store,
  partition: Partition,
): Promise<PartitionSize> {
  const range = partitionRange(partition);
  let keys = 0;
  let lastKey = range.from;
  for await (const batch of store.scan({ ...range, limit: COUNTED_MAX, keysOnly: true })) {
    keys += batch.length;
    lastKey = batch.at(-1)?.key ?? lastKey;
  }
  let readCount = 0;
  let readBytes = 0;
  for await (const batch of store.scan({ ...range, limit: READ_MAX })) {
    readCount += batch.length;
    for (const { value } of batch) readBytes += value.length;
  }
  if (keys === COUNTED_MAX) {
    const countedBytes = await store.approximateSizeBytes({ from: range.from, to: lastKey });
    const allBytes = await store.approximateSizeBytes(range);
    if (countedBytes > 0) keys = Math.round(keys * Math.max(1, allBytes / countedBytes));
  }
  return { keys, sizeBytes: Math.round((keys * readBytes) / Math.max(1, readCount)) };
}

export async function holdsNothing(store: Store): Promise<boolean> {
  for await (const batch of store.scan({ ...allObjectsRange(), limit: 1, keysOnly: true })) {
    if (batch.length > 0) return false;
  }
  return true;
}
