/**
 * Version vectors and dots.
 *
 * A dot (actor, counter) names the one write that made a sibling. A version vector says, for each
 * actor, up to which counter its dots have been seen; that is sound because an actor's dots on a key
 * are one chain 1, 2, 3, … (ARCHITECTURE.md, invariant 3). Both are immutable values.
 *
 * Source: Preguiça, Baquero, Almeida et al. 2010, "Dotted Version Vectors"; Almeida et al. 2014,
 * "Scalable and Accurate Causality Tracking for Eventually Consistent Stores".
 */

import type { ByteString } from '../base/bytes.ts';

/** The bytes of (node identity, actor epoch, key epoch); see `actor.ts`. */
export type Actor = ByteString & { readonly __actor: unique symbol };

export interface Dot {
  readonly actor: Actor;
  /** From 1, without gaps for one actor on one key. */
  readonly counter: number;
}

/** actor → highest counter seen; an actor that was not seen is not in it. */
export type VersionVector = ReadonlyMap<Actor, number>;

export const EMPTY_VERSION_VECTOR: VersionVector = new Map();

/** Whether the write that `dot` names has been seen. */
export function covers(vector: VersionVector, dot: Dot): boolean {
  return (vector.get(dot.actor) ?? 0) >= dot.counter;
}

/** Whether `left` has seen everything that `right` has; equal vectors descend each other. */
export function descends(left: VersionVector, right: VersionVector): boolean {
  if (left.size < right.size) return false;
  for (const [actor, counter] of right) {
    if ((left.get(actor) ?? 0) < counter) return false;
  }
  return true;
}

export function equals(left: VersionVector, right: VersionVector): boolean {
  if (left.size !== right.size) return false;
  for (const [actor, counter] of right) {
    if (left.get(actor) !== counter) return false;
  }
  return true;
}

/** Whether neither has seen all of the other. */
export function concurrent(left: VersionVector, right: VersionVector): boolean {
  return !descends(left, right) && !descends(right, left);
}

/** The least vector that descends both; one of the arguments itself where that suffices. */
export function merge(left: VersionVector, right: VersionVector): VersionVector {
  if (descends(left, right)) return left;
  if (descends(right, left)) return right;
  const merged = new Map(left);
  for (const [actor, counter] of right) {
    if ((merged.get(actor) ?? 0) < counter) merged.set(actor, counter);
  }
  return merged;
}

/** The vector that has seen `dot` too. */
export function withDot(vector: VersionVector, dot: Dot): VersionVector {
  if (covers(vector, dot)) return vector;
  const next = new Map(vector);
  next.set(dot.actor, dot.counter);
  return next;
}

export function dotToString(dot: Dot): string {
  return `${dot.counter}:${dot.actor}`;
}
