/**
 * The trace of a copy: what this node holds of a key, as its operator wants to see it.
 *
 * Unlike a read it hides nothing: a damaged copy is told from an absent one, and the whole record is
 * checked, its body too, although only the head is shown.
 */

import { isFault } from '../base/fault.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { isSoundRecord, sliceSoundHead } from '../object/record.ts';
import type { CopyTrace } from '../peer/messages.ts';
import { encodeHintKey, encodeObjectKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

export interface TracedKey {
  readonly key: ObjectKey;
  readonly partition: Partition;
  /** Everyone that hints are kept for. */
  readonly hintTargets: readonly NodeId[];
}

export async function traceCopy(store: Store, traced: TracedKey): Promise<CopyTrace> {
  const { key, partition, hintTargets } = traced;
  const isKept = await Promise.all(
    hintTargets.map(async (target) => {
      return (await store.get(encodeHintKey(target, partition, key))) !== undefined;
    }),
  );
  const hintsFor = hintTargets.filter((_, index) => isKept[index]);
  let record: Buffer | undefined;
  try {
    record = await store.get(encodeObjectKey(partition, key));
  } catch (error) {
    if (!isFault(error, 'store-corrupt')) throw error;
    return { state: 'damaged', head: undefined, sizeBytes: 0, hintsFor };
  }
  if (record === undefined) return { state: 'absent', head: undefined, sizeBytes: 0, hintsFor };
  return {
    state: isSoundRecord(record) ? 'whole' : 'damaged',
    head: sliceSoundHead(record),
    sizeBytes: record.length,
    hintsFor,
  };
}
