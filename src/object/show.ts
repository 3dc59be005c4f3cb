/**
 * Showing: what a client sees of an object.
 *
 * Replicas keep every sibling that no write has superseded; the bucket's properties say, at the
 * last moment, how many of them are shown. Where it is one, it is the newest by the coordinators'
 * stamps, and every node shows the same one.
 */

import { compareDots } from '../clock/actor.ts';
import { keepsSiblings } from './bucket-properties.ts';
import type { BucketProperties } from './bucket-properties.ts';
import { withValue } from './record.ts';
import type { ObjectHead, SiblingHead, StoredObject } from './stored-object.ts';

/**
 * All siblings, or the newest where the bucket keeps none; the context stays whole. States of a data
 * type are still to be joined where there are several (`sibling-states.ts`).
 */
export function showObject(object: StoredObject, properties: BucketProperties): StoredObject {
  return showsAll(object, properties)
    ? object
    : { context: object.context, siblings: [newest(object.siblings)] };
}

/** As `showObject`, for heads: the same sibling is shown. */
export function showHead(head: ObjectHead, properties: BucketProperties): ObjectHead {
  return showsAll(head, properties)
    ? head
    : { context: head.context, siblings: [newest(head.siblings)] };
}

/** Whether what is shown says 'not found': nothing but tombstones. */
export function isTombstone(shown: ObjectHead): boolean {
  return shown.siblings.every((sibling) => sibling.isTombstone);
}

function showsAll(head: ObjectHead, properties: BucketProperties): boolean {
  return head.siblings.length === 1 || keepsSiblings(properties);
}

function newest<S extends SiblingHead>(siblings: readonly S[]): S {
  return siblings.reduce((best, sibling) => (isNewer(sibling, best) ? sibling : best));
}

/** At the same microsecond a value goes before a tombstone; then the dot decides, for all alike. */
function isNewer(left: SiblingHead, right: SiblingHead): boolean {
  if (left.lastModifiedMicros !== right.lastModifiedMicros) {
    return left.lastModifiedMicros > right.lastModifiedMicros;
  }
  if (left.isTombstone !== right.isTombstone) return right.isTombstone;
  return compareDots(left.dot, right.dot) < 0;
}

const NO_VALUE = Buffer.alloc(0);

/** A head as an object whose values are left out. */
export function withoutValues(head: ObjectHead): StoredObject {
  return {
    context: head.context,
    siblings: head.siblings.map((sibling) => withValue(sibling, NO_VALUE)),
  };
}

/**
 * A tombstone's head as a tombstone that can be stored: a client may have marked as deleted what has a value,
 * and that is left behind.
 */
export function emptied({ context, siblings }: ObjectHead): StoredObject {
  return {
    context,
    siblings: siblings.map((head) => withValue({ ...head, valueSizeBytes: 0 }, NO_VALUE)),
  };
}
