/**
 * Whether a copy is still the one that was read.
 *
 * What is to be sent waits for a rate that may be low, behind objects that may be large. In that time the
 * copy may have been deleted and the tombstone reaped, from here too; and where nobody remembers it any
 * more, the record that was read before would bring the deleted back.
 */

import type { ObjectKey, Partition } from '../base/names.ts';
import { recordCausalHash } from '../object/record.ts';
import type { Replica } from '../replica/replica.ts';

export async function isStillHeld(
  replica: Replica,
  { key, partition }: { readonly key: ObjectKey; readonly partition: Partition },
  record: Buffer,
): Promise<boolean> {
  const head = await replica.getRecord(key, partition, true);
  const [now, then] = [head && recordCausalHash(head), recordCausalHash(record)];
  return now !== undefined && then?.equals(now) === true;
}
