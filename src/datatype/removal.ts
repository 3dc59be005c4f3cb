/**
 * Removing what a client has seen: elements of a set, fields of a map, a flag; at the top of a value or
 * within nested maps.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Sliced } from '../base/sliced.ts';
import type { Actor, VersionVector } from '../clock/version-vector.ts';
import { editEntries, findEntries, packRest, type Entry, type EntryEdit } from './collection.ts';
import { sortNames } from './sorted-names.ts';
import { keepUnseen, keepUnseenLeaf } from './join.ts';
import { fieldKeyToField, unseen, type Seen, type StoreKind } from './packed.ts';

/** Elements, or field keys, to remove once all that `context` covers has arrived. */
export interface DeferredRemoval {
  readonly context: VersionVector;
  /** Where in nested maps: field keys from the top; empty for the top itself. */
  readonly path: readonly ByteString[];
  readonly pieces: readonly ByteString[];
}

interface Removal {
  readonly path: readonly ByteString[];
  readonly pieces: readonly ByteString[];
  readonly seen: Seen;
}

/** What a version vector has seen of each of these actors, by position. */
export function seenAt(actors: Iterable<Actor>, seen: VersionVector): Seen {
  return Array.from(actors, (actor) => seen.get(actor));
}

/** The store without the dots seen, on the removal's pieces only; itself where that is all of it. */
export function* removeAlong(kind: StoreKind, bytes: Buffer, removal: Removal): Sliced<Buffer> {
  const [key, ...path] = removal.path;
  if (key === undefined) return yield* removePieces(kind, bytes, removal);
  if (kind !== 'map') return bytes;
  const field = (yield* findEntries(kind, bytes, [key])).get(key);
  if (field === undefined) return bytes;
  const inner = { ...removal, path };
  const content = yield* removeAlong(fieldKeyToField(key).kind, field.content, inner);
  if (content === field.content) return bytes;
  return yield* editEntries(kind, bytes, [
    { name: key, rest: packRest(kind, { dots: field.dots, content }) },
  ]);
}

function* removePieces(kind: StoreKind, bytes: Buffer, removal: Removal): Sliced<Buffer> {
  const { pieces, seen } = removal;
  if (kind === 'flag') return keepUnseenLeaf(kind, bytes, { positions: undefined, seen });
  if (kind !== 'set' && kind !== 'map') return bytes;
  const names = yield* sortNames(pieces);
  const edits: EntryEdit[] = [];
  for (const [name, entry] of yield* findEntries(kind, bytes, names)) {
    if (kind === 'set' && unseen(entry.dots, seen) === entry.dots) continue;
    const left = yield* entryWithoutSeen(kind, [name, entry], seen);
    edits.push({ name, rest: left && packRest(kind, left) });
  }
  return edits.length === 0 ? bytes : yield* editEntries(kind, bytes, edits);
}

/** Undefined when nothing of the entry is left. */
export function* entryWithoutSeen(
  kind: 'set' | 'map',
  [name, { dots, content }]: readonly [ByteString, Entry],
  seen: Seen,
): Sliced<Entry | undefined> {
  const kept = unseen(dots, seen);
  if (kept.length === 0) return undefined;
  if (kind === 'set') return { dots: kept, content };
  const fieldKind = fieldKeyToField(name).kind;
  const side = { positions: undefined, seen };
  return { dots: kept, content: yield* keepUnseen(fieldKind, content, side) };
}
