/**
 * Data types among an object's siblings.
 *
 * A data type's state is the value of an ordinary sibling, told by its content type. Replicas keep the
 * states that concurrent updates made side by side, as any siblings; they are joined when the object
 * is shown, and when the next update supersedes them. Bytes that are no state, whatever their content
 * type says, are an ordinary value.
 */

import { hash } from 'node:crypto';
import type { ByteString } from '../base/bytes.ts';
import type { Sliced } from '../base/sliced.ts';
import { compareDots } from '../clock/actor.ts';
import { decodeState, encodeState } from '../datatype/encoding.ts';
import type { DatatypeName } from '../datatype/operation.ts';
import { datatypeNameOf, emptyState, joinStates, type DatatypeState } from '../datatype/state.ts';
import type { ObjectHead, Sibling, SiblingHead, StoredObject } from './stored-object.ts';
import { base62 } from './vtag.ts';

const PREFIX = 'application/riak_';
const NAMES: readonly DatatypeName[] = ['counter', 'set', 'gset', 'map', 'hll'];
const NAME_BY_CONTENT_TYPE: ReadonlyMap<string, DatatypeName> = new Map(
  NAMES.map((name) => [PREFIX + name, name]),
);

export function datatypeContentType(name: DatatypeName): ByteString {
  return (PREFIX + name) as ByteString;
}

/** The data type whose content type the sibling has. */
export function datatypeOf({ metadata, isTombstone }: SiblingHead): DatatypeName | undefined {
  const { contentType } = metadata;
  if (isTombstone || contentType === undefined || !contentType.startsWith(PREFIX)) return undefined;
  return NAME_BY_CONTENT_TYPE.get(contentType);
}

/** Whether what is shown of the object is found by joining, for which all values are needed. */
export function hasStatesToJoin({ siblings }: ObjectHead): boolean {
  return siblings.length > 1 && siblings.some((sibling) => datatypeOf(sibling) !== undefined);
}

export interface JoinedStates {
  /** Empty if there were none. */
  readonly state: DatatypeState;
  /** The siblings whose states are in it, by dot. */
  readonly joined: readonly Sibling[];
}

/** The join of all states of one data type. */
export function* joinSiblings(
  siblings: readonly Sibling[],
  name: DatatypeName,
  hllPrecision: number,
): Sliced<JoinedStates> {
  let state: DatatypeState | undefined;
  const joined: Sibling[] = [];
  for (const sibling of siblings) {
    if (datatypeOf(sibling) !== name) continue;
    const decoded = yield* decodeState(sibling.value);
    if (decoded === undefined || datatypeNameOf(decoded) !== name) continue;
    state = state === undefined ? decoded : yield* joinStates(state, decoded);
    joined.push(sibling);
  }
  const empty = emptyState(name, hllPrecision);
  // A sketch is folded to the bucket's precision; the others gain nothing from an empty one.
  if (state !== undefined && name === 'hll') state = yield* joinStates(empty, state);
  return { state: state ?? empty, joined };
}

/**
 * The object with each data type's states as one sibling, and without the tombstones beside them.
 * Ordinary siblings stay. Equal objects are shown alike by every node.
 */
export function* joinShownStates(object: StoredObject): Sliced<StoredObject> {
  const names = new Set(object.siblings.map(datatypeOf));
  let siblings = object.siblings.filter(({ isTombstone }) => !isTombstone);
  for (const name of names) {
    if (name === undefined) continue;
    const { state, joined } = yield* joinSiblings(siblings, name, HIGHEST_PRECISION);
    if (joined.length < 2) continue;
    const one = asOneSibling(state, joined);
    siblings = [...siblings.filter((sibling) => !joined.includes(sibling)), one];
  }
  siblings.sort((left, right) => compareDots(left.dot, right.dot));
  return { context: object.context, siblings };
}

/** Folds nothing. */
const HIGHEST_PRECISION = 16;

function asOneSibling(state: DatatypeState, joined: readonly Sibling[]): Sibling {
  const newest = newestOf(joined);
  const value = encodeState(state);
  // The same states make the same tag, and others another.
  const vtag = base62(hash('md5', joined.map((sibling) => sibling.vtag).join(' '), 'buffer'));
  return { ...newest, vtag, value, valueSizeBytes: value.length };
}

/** By the coordinators' stamps, and then by dot. */
export function newestOf(siblings: readonly Sibling[]): Sibling {
  return siblings.reduce((best, sibling) =>
    sibling.lastModifiedMicros >= best.lastModifiedMicros ? sibling : best,
  );
}
