/**
 * Recounting a hash tree: what its segments would be if they were made from the copies now.
 *
 * A tree is exact as long as what is taken out of it is known. It is not after a copy was lost
 * whose very head was damaged, or when a bucket's n_val changed, which moves its objects to another
 * tree. Such an error stays, always the same, and shows as segments that differ between replicas
 * whose copies do not.
 *
 * The count is taken over a snapshot; for keys with a change under way at that moment, what the tree
 * stood for is taken instead; what cannot be read is no copy. The difference between the count and the
 * tree of that moment is then toggled into the tree of the present, so that changes may go on all the while.
 */

import { assert } from '../base/fault.ts';
import { keyToString } from '../base/names.ts';
import type { ObjectKey } from '../base/names.ts';
import { causalHash } from '../object/causality.ts';
import { recordCausalHash } from '../object/record.ts';
import { entryHash, SEGMENT_SIZE, segmentOf } from '../storage/hash-tree.ts';
import type { HashTree } from '../storage/hash-tree.ts';
import { decodeObjectKey, partitionRange } from '../storage/keys.ts';
import { readable } from '../storage/readable.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import type { KeySlot } from './key-slot.ts';

export interface Recount {
  readonly tree: HashTree;
  readonly segments: ReadonlySet<number>;
  /** Whether the tree counts objects of this bucket. */
  readonly isCounted: (key: ObjectKey) => boolean;
  /** The keys with a change under way now whose next write the tree counts. */
  readonly slots: () => Iterable<KeySlot>;
  /** Waits until so many entries more may be read; false: give it up. */
  readonly keepPace: (entryCount: number) => Promise<boolean>;
}

/** How many segments were wrong; they are right, durably, when it resolves. Given up: 0. */
export async function recountTree(store: Store, recount: Recount): Promise<number> {
  const { tree, segments } = recount;
  const counted = new Map<number, Buffer>();
  for (const segment of segments) counted.set(segment, Buffer.alloc(SEGMENT_SIZE));
  const add = (key: ObjectKey, hash: Buffer): void => {
    const count = counted.get(segmentOf(key));
    if (count !== undefined) toggle(count, entryHash(key, hash));
  };

  // One moment: the tree, the changes under way, and the snapshot, which is taken at the first step
  // of the loop below.
  const before = tree.segments();
  const underWay = new Set<string>();
  for (const slot of recount.slots()) {
    if (!slot.hasLoaded) continue;
    underWay.add(slot.id);
    if (slot.storedHead !== undefined) add(slot.place.key, causalHash(slot.storedHead));
  }
  const heads = store.scan({ ...partitionRange(tree.partition), headsOnly: true });
  for await (const batch of readable(heads)) {
    for (const entry of batch) {
      const { key } = decodeObjectKey(entry.key);
      if (!segments.has(segmentOf(key)) || !recount.isCounted(key)) continue;
      if (underWay.has(keyToString(key))) continue;
      const hash = recordCausalHash(entry.value);
      if (hash !== undefined) add(key, hash);
    }
    if (!(await recount.keepPace(batch.length))) return 0;
  }

  const refusal = store.refusal();
  if (refusal !== undefined) throw refusal;
  const operations: WriteOperation[] = [];
  for (const [segment, count] of counted) {
    toggle(count, before.subarray(segment * SEGMENT_SIZE, (segment + 1) * SEGMENT_SIZE));
    if (count.some((byte) => byte !== 0)) operations.push(tree.correct(segment, count));
  }
  await store.write(operations);
  return operations.length;
}

function toggle(bytes: Buffer, by: Buffer): void {
  assert(bytes.length === by.length, 'segments are of one size');
  for (let offset = 0; offset < bytes.length; offset += 4) {
    bytes.writeInt32BE(bytes.readInt32BE(offset) ^ by.readInt32BE(offset), offset);
  }
}
