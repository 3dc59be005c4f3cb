/**
 * Reconciling: how copies of an object become one, and what a write makes of a copy.
 *
 * An object is a dotted version vector set. Its context covers the dot of every write it ever took
 * in; its siblings are those of them that nothing has superseded. So a dot that a context covers and
 * no sibling carries was superseded, and merging needs nothing else: it is commutative, associative
 * and idempotent, whatever the order in which copies meet. Contexts are never pruned.
 *
 * Source: Almeida et al. 2014, "Scalable and Accurate Causality Tracking for Eventually Consistent
 * Stores".
 */

import { compareDots } from '../clock/actor.ts';
import { covers, descends, merge, withDot } from '../clock/version-vector.ts';
import { keepsSiblings } from './bucket-properties.ts';
import type { Dot, VersionVector } from '../clock/version-vector.ts';
import type { BucketProperties } from './bucket-properties.ts';
import type { NewContent } from './requests.ts';
import type { ObjectHead, Sibling, SiblingHead, StoredObject } from './stored-object.ts';

interface SiblingSet<S extends SiblingHead> {
  readonly context: VersionVector;
  readonly siblings: readonly S[];
}

/** Everything both have seen; one of the arguments itself where the other adds nothing to it. */
export function mergeObjects(left: StoredObject, right: StoredObject): StoredObject {
  return mergeSets<Sibling>(left, right);
}

/** As `mergeObjects`, for heads. */
export function mergeHeads(left: ObjectHead, right: ObjectHead): ObjectHead {
  return mergeSets<SiblingHead>(left, right);
}

function mergeSets<S extends SiblingHead>(
  left: SiblingSet<S>,
  right: SiblingSet<S>,
): SiblingSet<S> {
  const context = merge(left.context, right.context);
  const siblings = survivors(left, right);
  if (context === left.context && sameDots(siblings, left.siblings)) return left;
  if (context === right.context && sameDots(siblings, right.siblings)) return right;
  if (siblings.length > 0) return { context, siblings };
  // Contexts that no server gave out can claim each side superseded; then nothing may go.
  return { context, siblings: [...left.siblings, ...right.siblings].sort(bySiblingDot) };
}

/** Siblings that both have, or that one has and the other has not seen. Both lists are sorted. */
function survivors<S extends SiblingHead>(left: SiblingSet<S>, right: SiblingSet<S>): S[] {
  const kept: S[] = [];
  let leftIndex = 0;
  let rightIndex = 0;
  for (;;) {
    const mine = left.siblings[leftIndex];
    const theirs = right.siblings[rightIndex];
    if (mine === undefined && theirs === undefined) return kept;
    const order = compareHeads(mine, theirs);
    if (order === 0 && mine !== undefined) {
      kept.push(mine);
    } else if (order < 0 && mine !== undefined) {
      if (!covers(right.context, mine.dot)) kept.push(mine);
    } else if (theirs !== undefined && !covers(left.context, theirs.dot)) {
      kept.push(theirs);
    }
    if (order <= 0) leftIndex += 1;
    if (order >= 0) rightIndex += 1;
  }
}

/** A side that has come to its end sorts last. */
function compareHeads(left: SiblingHead | undefined, right: SiblingHead | undefined): number {
  if (left === undefined) return 1;
  if (right === undefined) return -1;
  return compareDots(left.dot, right.dot);
}

function bySiblingDot(left: SiblingHead, right: SiblingHead): number {
  return compareDots(left.dot, right.dot);
}

function sameDots(left: readonly SiblingHead[], right: readonly SiblingHead[]): boolean {
  return (
    left.length === right.length &&
    left.every((sibling, index) => compareHeads(sibling, right[index]) === 0)
  );
}

export interface Write {
  /** What the client had seen; the empty vector for nothing. */
  readonly context: VersionVector;
  readonly content: NewContent;
  /** Never used before; see `nextDot`. */
  readonly dot: Dot;
  readonly properties: BucketProperties;
  readonly nowMicros: number;
  readonly vtag: string;
}

/**
 * The coordinator's copy after a client's write. Its context has seen what the copy and the client
 * had, and the write; the write's time is above that of every sibling it met, so that where one
 * value is shown a clock that was set back does not hide it.
 */
export function applyWrite(local: StoredObject | undefined, write: Write): StoredObject {
  const { content, dot } = write;
  const sibling: Sibling = {
    dot,
    lastModifiedMicros: stampAbove(local?.siblings ?? [], write.nowMicros),
    vtag: write.vtag,
    metadata: content.metadata,
    isTombstone: content.isTombstone,
    valueSizeBytes: content.value.length,
    value: content.value,
  };
  if (local === undefined) return { context: withDot(write.context, dot), siblings: [sibling] };
  const context = withDot(merge(write.context, local.context), dot);
  const kept = keptSiblings(local, write);
  return {
    context,
    siblings: kept.length === 0 ? [sibling] : [...kept, sibling].sort(bySiblingDot),
  };
}

/** Of now, or above all that it meets, whichever is later; within what a record holds, whatever the clock says. */
export function stampAbove(siblings: readonly SiblingHead[], nowMicros: number): number {
  let micros = Math.max(0, nowMicros);
  for (const { lastModifiedMicros } of siblings) micros = Math.max(micros, lastModifiedMicros + 1);
  return Math.min(micros, Number.MAX_SAFE_INTEGER);
}

/** The siblings that the write does not supersede. */
function keptSiblings(local: StoredObject, write: Write): readonly Sibling[] {
  if (!keepsSiblings(write.properties)) return [];
  if (write.properties.dvv_enabled) {
    return local.siblings.filter((sibling) => !covers(write.context, sibling.dot));
  }
  return descends(write.context, local.context) ? [] : local.siblings;
}
