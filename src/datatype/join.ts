/**
 * Joining stores by their dots.
 *
 * A piece is present while one of its dots is. A dot that one state holds and the other's context
 * covers without holding it has been removed there, so a join keeps the dots that both hold and
 * those that the other has not seen. Adding marks with a new dot, removing drops the dots seen: so a
 * concurrent add survives, and no removed piece needs a tombstone.
 *
 * Source: Shapiro et al. 2011, "Conflict-free Replicated Data Types"; Baquero, Almeida, Cunha and
 * Ferreira 2017, "Composition of State-based CRDTs".
 */

import { assert } from '../base/fault.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import { EntryCursor, EntryWriter } from './collection.ts';
import { joinLeaves, keepOfLeaf, type LeafKind } from './leaf-store.ts';
import {
  COUNT_SIZE_BYTES,
  fieldKindAt,
  isCollection,
  isUnseen,
  unseen,
  type CollectionKind,
  type PackedDot,
  type Seen,
  type StoreKind,
} from './packed.ts';

/** Two states to be joined; positions are those of the joined context. */
export interface JoinScope {
  /** Where the right state's positions come to stand; undefined: where they are. */
  readonly rightPositions: readonly number[] | undefined;
  readonly leftSeen: Seen;
  readonly rightSeen: Seen;
}

/** What one side has that the other has not, or has removed. */
interface Side {
  readonly positions: readonly number[] | undefined;
  /** What the other side has seen. */
  readonly seen: Seen;
}

/** The joined context begins with the left one's actors, in their order. */
export function joinContexts(
  left: VersionVector,
  right: VersionVector,
): { readonly context: VersionVector; readonly scope: JoinScope } {
  const context = new Map<Actor, number>(left);
  for (const [actor, counter] of right) {
    context.set(actor, Math.max(context.get(actor) ?? 0, counter));
  }
  const actors = [...context.keys()];
  const positionByActor = new Map(actors.map((actor, position) => [actor, position]));
  const rightPositions = [...right.keys()].map((actor) => positionByActor.get(actor) as number);
  const isAligned = rightPositions.every((position, index) => position === index);
  const scope = {
    rightPositions: isAligned ? undefined : rightPositions,
    leftSeen: actors.map((actor) => left.get(actor)),
    rightSeen: actors.map((actor) => right.get(actor)),
  };
  return { context, scope };
}

/** The join of two stores of one kind; commutative, associative, idempotent but for positions. */
export function* joinStores(
  kind: StoreKind,
  stores: readonly [Buffer, Buffer],
  scope: JoinScope,
): Sliced<Buffer> {
  return isCollection(kind)
    ? yield* joinEntries(kind, stores, scope)
    : joinLeafStores(kind, stores, scope);
}

function joinLeafStores(
  kind: LeafKind,
  [left, right]: readonly [Buffer, Buffer],
  scope: JoinScope,
): Buffer {
  const leaves = [
    { bytes: left, positions: undefined },
    { bytes: right, positions: scope.rightPositions },
  ] as const;
  return joinLeaves(kind, leaves, (mine, theirs) => joinDotted(mine, theirs, scope));
}

function* joinEntries(
  kind: CollectionKind,
  [leftBytes, rightBytes]: readonly [Buffer, Buffer],
  scope: JoinScope,
): Sliced<Buffer> {
  const left = new EntryCursor(kind, leftBytes);
  const right = new EntryCursor(kind, rightBytes);
  const writer = new EntryWriter(Math.max(leftBytes.length, rightBytes.length));
  const leftSide: Side = { positions: undefined, seen: scope.rightSeen };
  const rightSide: Side = { positions: scope.rightPositions, seen: scope.leftSeen };
  const slice = new SliceBudget();
  while (!left.isAtEnd || !right.isAtEnd) {
    const order = left.compareWith(right);
    if (order === 0 && scope.rightPositions === undefined && left.hasSameRest(right)) {
      writer.copy(left);
    } else if (kind === 'map') {
      if (order === 0) yield* joinField(left, right, { scope, writer });
      else yield* keepField(order < 0 ? left : right, order < 0 ? leftSide : rightSide, writer);
    } else if (order === 0) joinElement(kind, [left, right], { scope, writer });
    else keepElement(kind, order < 0 ? left : right, order < 0 ? leftSide : rightSide, writer);
    const walked = order <= 0 ? left : right;
    if (slice.spend(walked.end - walked.start)) yield;
    if (order <= 0) left.advance();
    if (order >= 0) right.advance();
  }
  return writer.finish();
}

function joinElement(
  kind: 'set' | 'gset',
  [left, right]: readonly [EntryCursor, EntryCursor],
  { scope, writer }: { readonly scope: JoinScope; readonly writer: EntryWriter },
): void {
  if (kind === 'gset') {
    writer.copy(left);
    return;
  }
  const dots = joinDotted(left.dots(undefined), right.dots(scope.rightPositions), scope);
  if (dots.length > 0) writer.writeDotted(left, dots, undefined);
}

function* joinField(
  left: EntryCursor,
  right: EntryCursor,
  { scope, writer }: { readonly scope: JoinScope; readonly writer: EntryWriter },
): Sliced<void> {
  const dots = joinDotted(left.dots(undefined), right.dots(scope.rightPositions), scope);
  if (dots.length === 0) return;
  const kind = fieldKindOf(left);
  const contents = [left.content(), right.content()] as const;
  const content = isCollection(kind)
    ? yield* joinEntries(kind, contents, scope)
    : joinLeafStores(kind, contents, scope);
  writer.writeDotted(left, dots, content);
}

/** An element that the other side has not: its dots that that side has not seen. */
function keepElement(
  kind: 'set' | 'gset',
  cursor: EntryCursor,
  side: Side,
  writer: EntryWriter,
): void {
  if (kind === 'gset') {
    writer.copy(cursor);
    return;
  }
  const dots = cursor.dots(side.positions);
  const kept = unseen(dots, side.seen);
  if (kept === dots && side.positions === undefined) writer.copy(cursor);
  else if (kept.length > 0) writer.writeDotted(cursor, kept, undefined);
}

function* keepField(cursor: EntryCursor, side: Side, writer: EntryWriter): Sliced<void> {
  const kept = unseen(cursor.dots(side.positions), side.seen);
  if (kept.length === 0) return;
  const kind = fieldKindOf(cursor);
  const content = isCollection(kind)
    ? yield* keepUnseen(kind, cursor.content(), side)
    : keepUnseenLeaf(kind, cursor.content(), side);
  writer.writeDotted(cursor, kept, content);
}

/** What is left of a store when all that is seen is taken away. */
export function* keepUnseen(kind: StoreKind, bytes: Buffer, side: Side): Sliced<Buffer> {
  if (!isCollection(kind)) return keepUnseenLeaf(kind, bytes, side);
  if (bytes.length === COUNT_SIZE_BYTES) return bytes;
  const writer = new EntryWriter(bytes.length);
  const slice = new SliceBudget();
  for (const cursor = new EntryCursor(kind, bytes); !cursor.isAtEnd; cursor.advance()) {
    if (kind === 'map') yield* keepField(cursor, side, writer);
    else keepElement(kind, cursor, side, writer);
    if (slice.spend(cursor.end - cursor.start)) yield;
  }
  return writer.finish();
}

export function keepUnseenLeaf(kind: LeafKind, bytes: Buffer, side: Side): Buffer {
  const leaf = { bytes, positions: side.positions };
  return keepOfLeaf(kind, leaf, (entries) => unseen(entries, side.seen));
}

/** In the order of positions, so that equal stores of one context are packed alike. */
function joinDotted<T extends PackedDot>(
  left: readonly T[],
  right: readonly T[],
  { leftSeen, rightSeen }: JoinScope,
): readonly T[] {
  const joined = left.filter((entry) => {
    return isUnseen(entry, rightSeen) || right.some((other) => isSameDot(entry, other));
  });
  for (const entry of right) if (isUnseen(entry, leftSeen)) joined.push(entry);
  return joined.length > 1 ? joined.sort((one, other) => one.position - other.position) : joined;
}

function isSameDot(left: PackedDot, right: PackedDot): boolean {
  return left.position === right.position && left.counter === right.counter;
}

function fieldKindOf({ bytes, nameStart, nameEnd }: EntryCursor): StoreKind {
  const kind = fieldKindAt(bytes, nameStart, nameEnd);
  assert(kind !== undefined, 'a field key ends with its kind');
  return kind;
}
