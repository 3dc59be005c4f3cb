/**
 * What the store is told when a copy changes: the object, its index entries, its hash-tree segment
 * and its place in it, all in one batch, so that none of them can be true without the others.
 *
 * Index entries are what the bucket shows, and its properties may have changed since the copy was
 * stored. So entries of every sibling of the old copy are removed that the new one has not, and an
 * entry is taken as there already only if the old copy had one sibling, which is always shown.
 */

import type { Metrics } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import { causalHash } from '../object/causality.ts';
import { indexEntriesOf } from '../object/index-entries.ts';
import { bodyCrcOf, recordCausalHash, sliceHead } from '../object/record.ts';
import { isTombstone } from '../object/show.ts';
import type { IndexEntry, ObjectHead } from '../object/stored-object.ts';
import { assert } from '../base/fault.ts';
import { segmentOf, type HashTree } from '../storage/hash-tree.ts';
import {
  encodeHintKey,
  encodeIndexKey,
  encodeMemberKey,
  encodeObjectKey,
  encodeTombKey,
  type IndexTerm,
} from '../storage/keys.ts';
import type { WriteOperation } from '../storage/store.ts';
import type { Copy } from './copy.ts';
import { termCodec } from './index-order.ts';
import type { KeyPlace, KeySlot, SlotChanges } from './key-slot.ts';

const EMPTY = Buffer.alloc(0);
const NO_OPERATIONS: readonly WriteOperation[] = [];
const NO_ENTRIES: readonly IndexEntry[] = [];

/** The operations that make the store hold what the slot holds. */
export function slotOperations(
  slot: KeySlot,
  changes: SlotChanges,
  metrics: Metrics,
): WriteOperation[] {
  const { key, partition } = slot.place;
  const operations = changes.copy === undefined ? [] : copyOperations(slot, changes.copy, metrics);
  for (const { target, isKept } of changes.hints) {
    const hintKey = encodeHintKey(target, partition, key);
    operations.push(
      isKept ? { kind: 'put', key: hintKey, head: EMPTY } : { kind: 'remove', key: hintKey },
    );
  }
  if (changes.suspectEntries.length > 0) {
    operations.push(...staleEntryOperations(slot, changes.suspectEntries));
  }
  const { copy } = slot;
  if (changes.isToBeRestored && copy !== undefined) {
    const place = { ...slot.place, properties: slot.properties };
    operations.push(...entriesBeside(place, copy.head, hashOf(copy)));
  }
  return operations;
}

/** What is beside a copy in the store but for the hash trees, whatever the store holds of it. */
export function entriesBeside(place: KeyPlace, head: ObjectHead, hash: Buffer): WriteOperation[] {
  const { key, partition } = place;
  const member = encodeMemberKey(encodeObjectKey(partition, key), segmentOf(key));
  const tomb = encodeTombKey(partition, key);
  return [
    { kind: 'put', key: member, head: hash },
    isTombstone(head) ? { kind: 'put', key: tomb, head: EMPTY } : { kind: 'remove', key: tomb },
    ...indexKeysOf(place, head).map((entry): WriteOperation => {
      return { kind: 'put', key: entry, head: EMPTY };
    }),
  ];
}

/** The keys of a copy's index entries. */
export function indexKeysOf(place: KeyPlace, head: ObjectHead): Buffer[] {
  return indexEntriesOf(head, place.properties).map((entry) => indexKey(place, entry));
}

function copyOperations(
  slot: KeySlot,
  change: NonNullable<SlotChanges['copy']>,
  metrics: Metrics,
): WriteOperation[] {
  const { after, wasStored } = change;
  const operations: WriteOperation[] = [];
  const objectKey = encodeObjectKey(slot.place.partition, slot.place.key);
  if (after !== undefined) operations.push(objectPut(objectKey, after));
  else if (wasStored) operations.push({ kind: 'remove', key: objectKey });

  const indexOperations = indexOperationsOf(slot, change);
  if (indexOperations.length > 0) {
    countIndexWork(indexOperations, metrics);
    operations.push(...indexOperations);
  }
  addTombOperation(operations, slot, change);

  addTreeOperations(operations, slot, { objectKey, change });
  return operations;
}

function addTreeOperations(
  operations: WriteOperation[],
  slot: KeySlot,
  { objectKey, change }: { objectKey: Buffer; change: NonNullable<SlotChanges['copy']> },
): void {
  const { place, tree } = slot;
  const { before, beforeHash, after, wasStored } = change;
  assert(tree !== undefined, 'a slot that is changed has its tree');
  const hash = after && hashOf(after);
  slot.storedHash = hash;
  const isUnknown = wasStored && before === undefined;
  const hashBefore = isUnknown
    ? hashOfUnknown(tree, place.key, hash)
    : (beforeHash ?? (before && causalHash(before)));
  const changed = tree.update(place.key, { before: hashBefore, after: hash });
  if (changed !== undefined) operations.push(changed.row);
  if (hash === undefined) {
    if (!wasStored) return;
    const member = encodeMemberKey(objectKey, changed?.segment ?? segmentOf(place.key));
    operations.push({ kind: 'remove', key: member });
  } else if (changed !== undefined || isUnknown) {
    const member = encodeMemberKey(objectKey, changed?.segment ?? segmentOf(place.key));
    operations.push({ kind: 'put', key: member, head: hash });
  }
}

/**
 * What was counted of a copy that nobody can read: where the segment stands for the new one alone, that
 * very copy. Counted twice it would come to nothing, and whoever looks for copies in the tree would find none.
 */
function hashOfUnknown(tree: HashTree, key: ObjectKey, hash: Buffer | undefined) {
  return hash !== undefined && tree.countsOnly(key, hash) ? hash : undefined;
}

/** The record holds the causality as the hash wants it. */
function hashOf({ head, record }: Copy): Buffer {
  return (record && recordCausalHash(record)) ?? causalHash(head);
}

/** The removal of those entries that the slot's copy does not have. */
function staleEntryOperations(
  { place, properties, copy, storedHead }: KeySlot,
  suspectEntries: readonly IndexTerm[],
): WriteOperation[] {
  // Of a copy whose body alone is damaged the entries stay as they are.
  const head = copy?.head ?? storedHead;
  const own = head === undefined ? NO_ENTRIES : indexEntriesOf(head, properties);
  const kept = new Set(own.map((entry) => entryName(ordered(entry))));
  return suspectEntries
    .filter((entry) => !kept.has(entryName(entry)))
    .map((entry) => ({ kind: 'remove', key: encodeIndexKey(place.partition, place.key, entry) }));
}

function objectPut(key: Buffer, { record }: Copy): WriteOperation {
  assert(record !== undefined, 'a copy that is stored is whole');
  const head = sliceHead(record);
  assert(head !== undefined, 'what is stored is a record');
  const body = record.subarray(head.length);
  return { kind: 'put', key, head, body, bodyCrc: bodyCrcOf(head) };
}

function addTombOperation(
  operations: WriteOperation[],
  { place }: KeySlot,
  { before, after, wasStored }: NonNullable<SlotChanges['copy']>,
): void {
  // Of a copy that cannot be read nobody knows whether it was one.
  const wasTombstone = before === undefined ? wasStored : isTombstone(before);
  const isNowTombstone = after !== undefined && isTombstone(after.head);
  if (isNowTombstone) {
    if (before !== undefined && wasTombstone) return;
    operations.push({ kind: 'put', key: encodeTombKey(place.partition, place.key), head: EMPTY });
  } else if (wasTombstone) {
    operations.push({ kind: 'remove', key: encodeTombKey(place.partition, place.key) });
  }
}

/** Under Riak's names: copies whose entries change, and the entries. */
function countIndexWork(operations: readonly WriteOperation[], metrics: Metrics): void {
  const written = operations.filter(({ kind }) => kind === 'put').length;
  const removed = operations.length - written;
  if (written > 0) metrics.count('vnode_index_writes');
  if (removed > 0) metrics.count('vnode_index_deletes');
  metrics.count('vnode_index_writes_postings', written);
  metrics.count('vnode_index_deletes_postings', removed);
}

function indexOperationsOf(
  slot: KeySlot,
  { before, after }: NonNullable<SlotChanges['copy']>,
): readonly WriteOperation[] {
  const { place, properties } = slot;
  const oldEntries = before === undefined ? NO_ENTRIES : allEntriesOf(before);
  const newEntries = after === undefined ? NO_ENTRIES : indexEntriesOf(after.head, properties);
  if (oldEntries.length === 0 && newEntries.length === 0) return NO_OPERATIONS;

  const operations: WriteOperation[] = [];
  const newNames = new Set(newEntries.map(entryName));
  for (const entry of oldEntries) {
    if (newNames.has(entryName(entry))) continue;
    operations.push({ kind: 'remove', key: indexKey(place, entry) });
  }
  const isOldShown = before?.siblings.length === 1;
  const kept = new Set(isOldShown ? oldEntries.map(entryName) : []);
  for (const entry of newEntries) {
    if (kept.has(entryName(entry))) continue;
    operations.push({ kind: 'put', key: indexKey(place, entry), head: EMPTY });
  }
  return operations;
}

/** Of every sibling, whatever the bucket shows; may hold duplicates. */
function allEntriesOf(head: ObjectHead): readonly IndexEntry[] {
  const [only] = head.siblings;
  if (head.siblings.length === 1 && only !== undefined) {
    return only.isTombstone ? NO_ENTRIES : (only.metadata.indexes ?? NO_ENTRIES);
  }
  return head.siblings.flatMap((sibling) =>
    sibling.isTombstone ? NO_ENTRIES : (sibling.metadata.indexes ?? NO_ENTRIES),
  );
}

function entryName({ field, term }: IndexEntry): string {
  return `${field.length}:${field}${term}`;
}

function indexKey({ partition, key }: KeySlot['place'], entry: IndexEntry): Buffer {
  return encodeIndexKey(partition, key, ordered(entry));
}

function ordered({ field, term }: IndexEntry): IndexTerm {
  return { field, term: termCodec(field).encode(term) };
}
