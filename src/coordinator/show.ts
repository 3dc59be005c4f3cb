/**
 * Showing an object to a client: as its bucket shows it, with the states of data types joined.
 */

import type { Clock } from '../base/host.ts';
import { runInSlices } from '../base/sliced.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import { hasStatesToJoin, joinShownStates } from '../object/sibling-states.ts';
import { showObject } from '../object/show.ts';
import type { StoredObject } from '../object/stored-object.ts';

/** `object` has its values. Large states are joined in slices. */
export function show(
  object: StoredObject,
  properties: BucketProperties,
  clock: Clock,
): StoredObject | Promise<StoredObject> {
  const shown = showObject(object, properties);
  return hasStatesToJoin(shown) ? runInSlices(joinShownStates(shown), clock) : shown;
}
