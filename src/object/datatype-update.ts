/**
 * An update of a data type at its coordinating replica: what it makes of the copy.
 *
 * The states among the copy's siblings are joined, the operation is applied under the write's own dot,
 * and the result is one sibling that supersedes them, and any tombstone, for it holds all they held.
 * Ordinary siblings stay. The client's context is about the data type's content alone: the object's
 * context takes in nothing but the new dot.
 */

import type { Sliced } from '../base/sliced.ts';
import { compareDots } from '../clock/actor.ts';
import { merge, withDot, type Dot, type VersionVector } from '../clock/version-vector.ts';
import { applyOperation, type ApplicationRefusal } from '../datatype/apply.ts';
import { encodeState } from '../datatype/encoding.ts';
import type { DatatypeName, DatatypeOperation } from '../datatype/operation.ts';
import { assert } from '../base/fault.ts';
import { stampAbove } from './reconcile.ts';
import { datatypeContentType, joinSiblings, newestOf } from './sibling-states.ts';
import type { Sibling, StoredObject } from './stored-object.ts';

export interface DatatypeUpdate {
  readonly datatype: DatatypeName;
  /** That of the bucket; of a HyperLogLog only. */
  readonly hllPrecision: number;
  /** Of that data type, and within the limits of `operation-limits.ts`. */
  readonly operation: DatatypeOperation;
  /** What the client had seen of the data type; undefined if it did not say. */
  readonly context: VersionVector | undefined;
}

export interface UpdateStamp {
  /** Never used before; see `nextDot`. */
  readonly dot: Dot;
  /** What the new context covers beside the copy's own: nothing of it comes back. */
  readonly past: VersionVector;
  readonly nowMicros: number;
  readonly vtag: string;
}

export type UpdateOutcome =
  { readonly kind: 'applied'; readonly object: StoredObject } | ApplicationRefusal;

/** `local` has its values. */
export function* applyUpdate(
  local: StoredObject | undefined,
  update: DatatypeUpdate,
  stamp: UpdateStamp,
): Sliced<UpdateOutcome> {
  const siblings = local?.siblings ?? [];
  const { state, joined } = yield* joinSiblings(siblings, update.datatype, update.hllPrecision);
  const { dot, past, vtag } = stamp;
  const lastModifiedMicros = stampAbove(siblings, stamp.nowMicros);
  const outcome = yield* applyOperation(state, update.operation, {
    dot,
    context: update.context,
    nowMicros: lastModifiedMicros,
  });
  assert(outcome.kind !== 'wrong-type', 'who asks for an update has checked its type');
  if (outcome.kind !== 'applied') return outcome;

  const contentType = datatypeContentType(update.datatype);
  const value = encodeState(outcome.state);
  const sibling: Sibling = {
    dot,
    lastModifiedMicros,
    vtag,
    metadata: joined.length > 0 ? newestOf(joined).metadata : { contentType },
    isTombstone: false,
    valueSizeBytes: value.length,
    value,
  };
  const kept = siblings.filter((one) => !one.isTombstone && !joined.includes(one));
  return {
    kind: 'applied',
    object: {
      context: withDot(local === undefined ? past : merge(local.context, past), dot),
      siblings: [...kept, sibling].sort((left, right) => compareDots(left.dot, right.dot)),
    },
  };
}
