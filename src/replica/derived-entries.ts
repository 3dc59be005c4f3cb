/**
 * Derived entries: what the store holds beside a copy because of it, and whether it still does.
 *
 * Index entries, the note of a tombstone and the place in a segment change in the copy's own batch. A
 * damaged block of the store takes some without the others, though, and no later change notices: a
 * write leaves alone what the copy before it had too. So copies are gone through page by page, what
 * belongs beside them is looked up, and where something is missing the key is given a turn in which
 * all of it is written again. Hash trees are sums, and are counted again (`tree-recount.ts`).
 *
 * The other way round index entries are gone through, and those go that their copy does not have.
 * Nothing is held open between two pages, so that a walk may take hours and go on at any key.
 */

import { isFault } from '../base/fault.ts';
import { keyToString, type NodeId, type ObjectKey, type Partition } from '../base/names.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import { decodeHead, recordCausalHash } from '../object/record.ts';
import type { ObjectHead } from '../object/stored-object.ts';
import {
  allIndexRange,
  decodeIndexKey,
  decodeObjectKey,
  encodeObjectKey,
  keyAfter,
  partitionRange,
  type IndexTerm,
  type KeyRange,
} from '../storage/keys.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import type { Settlement } from './changes.ts';
import { entriesBeside, indexKeysOf } from './copy-operations.ts';
import { SweptChange } from './index-sweep.ts';
import { keyPages } from './key-pages.ts';
import type { Change, KeyPlace, KeySlot } from './key-slot.ts';

export interface DerivedPorts {
  readonly store: Store;
  readonly propertiesOf: (key: ObjectKey) => BucketProperties;
  /** Takes the change on its way, as any other of the key. */
  readonly submit: (place: KeyPlace, change: Change) => void;
}

/** What was looked at since the page before. */
export interface DerivedPage {
  /** Where to go on: as `after`. */
  readonly last: Buffer;
  /** Copies, or index entries, that were looked at. */
  readonly count: number;
  /** Reads of the store, or what takes as long: 13 µs of the event loop. */
  readonly lookups: number;
  /** Copies beside which something was missing, or index entries that nobody has; neither any more. */
  readonly mended: number;
}

const KEYS_PER_PAGE = 128;
/** Entries that are looked up at once. */
const LOOKUPS_MAX = 512;
/** What an index entry costs: its copy's head is read, and made to index entries. */
const LOOKUPS_PER_ENTRY = 3;
const OVERHEAD_BYTES = 512;

/** Goes on behind `after`, a key of the store. Rejects with `store-corrupt` where keys cannot be read. */
export async function* restoreDerived(
  ports: DerivedPorts,
  partition: Partition,
  after: Buffer | undefined,
): AsyncIterableIterator<DerivedPage> {
  for await (const page of pagesOf(ports.store, partitionRange(partition), after)) {
    const heads = await Promise.all(page.map((entry) => readHead(ports.store, entry)));
    const copies = heads.flatMap((head, index): CheckedCopy[] => {
      // What is damaged is the scrub's; the merge that brings it back writes all of it.
      if (typeof head !== 'object') return [];
      const { key } = decodeObjectKey(page[index] as Buffer);
      const place = { key, partition, properties: ports.propertiesOf(key) };
      return [{ place, wanted: entriesBeside(place, head.head, head.hash) }];
    });
    let lookups = page.length;
    let mended = 0;
    for (const group of groupsOf(copies)) {
      lookups += group.reduce((sum, { wanted }) => sum + wanted.length, 0);
      const restored = await Promise.all(group.map((copy) => restore(ports, copy)));
      mended += restored.filter(Boolean).length;
    }
    yield { last: page.at(-1) as Buffer, count: page.length, lookups, mended };
  }
}

/** A copy, and what the store is to hold beside it. */
interface CheckedCopy {
  readonly place: KeyPlace;
  readonly wanted: readonly WriteOperation[];
}

/** In order, as many together as are looked up at once; more than that for one copy alone. */
function groupsOf(copies: readonly CheckedCopy[]): CheckedCopy[][] {
  const groups: CheckedCopy[][] = [];
  let lookups = LOOKUPS_MAX;
  for (const copy of copies) {
    lookups += copy.wanted.length;
    if (lookups > LOOKUPS_MAX) {
      groups.push([]);
      lookups = copy.wanted.length;
    }
    groups.at(-1)?.push(copy);
  }
  return groups;
}

/** Whether something was missing; it is there, durably, when it resolves. */
async function restore(ports: DerivedPorts, { place, wanted }: CheckedCopy): Promise<boolean> {
  const found = await Promise.all(wanted.map((operation) => isThere(ports.store, operation)));
  if (found.every(Boolean)) return false;
  await submitted(ports, place, (settlement) => new RestoreChange(settlement));
  return true;
}

/** Of these partitions. Goes on behind `after`; rejects as `restoreDerived`. */
export async function* sweepIndexes(
  ports: DerivedPorts,
  partitions: ReadonlySet<Partition>,
  after: Buffer | undefined,
): AsyncIterableIterator<DerivedPage> {
  for await (const page of pagesOf(ports.store, allIndexRange(), after)) {
    const suspects = await suspectsOf(ports, partitions, page);
    let mended = 0;
    for (const { key, partition, terms } of suspects.values()) {
      const place = { key, partition, properties: ports.propertiesOf(key) };
      mended += terms.length;
      await submitted(ports, place, (settlement) => new SweptChange(terms, settlement));
    }
    const lookups = page.length * LOOKUPS_PER_ENTRY;
    yield { last: page.at(-1) as Buffer, count: page.length, lookups, mended };
  }
}

interface Suspect {
  readonly key: ObjectKey;
  readonly partition: Partition;
  readonly terms: IndexTerm[];
}

/** By copy, those of the entries that it does not have as it is now. */
async function suspectsOf(
  { store, propertiesOf }: DerivedPorts,
  partitions: ReadonlySet<Partition>,
  page: readonly Buffer[],
): Promise<Map<string, Suspect>> {
  const found = page
    .map((bytes) => ({ bytes, ...decodeIndexKey(bytes) }))
    .filter(({ partition }) => partitions.has(partition));
  const heads = await Promise.all(
    found.map(({ partition, key }) => readHead(store, encodeObjectKey(partition, key))),
  );
  const suspects = new Map<string, Suspect>();
  for (const [index, { bytes, partition, key, entry }] of found.entries()) {
    const head = heads[index];
    // Of what is damaged nobody knows; its merge takes away what the new copy has not.
    if (head === 'damaged') continue;
    const place = { key, partition, properties: propertiesOf(key) };
    const own = head === undefined ? [] : indexKeysOf(place, head.head);
    if (own.some((each) => each.equals(bytes))) continue;
    const id = `${partition}/${keyToString(key)}`;
    const suspect = suspects.get(id) ?? { key, partition, terms: [] };
    suspects.set(id, suspect);
    suspect.terms.push(entry);
  }
  return suspects;
}

function pagesOf(
  store: Store,
  { from, to }: KeyRange,
  after: Buffer | undefined,
): AsyncGenerator<readonly Buffer[]> {
  const rest = { from: after === undefined ? from : keyAfter(after), to };
  return keyPages(store, rest, KEYS_PER_PAGE);
}

type FoundHead = { readonly head: ObjectHead; readonly hash: Buffer } | 'damaged' | undefined;

async function readHead(store: Store, entry: Buffer): Promise<FoundHead> {
  try {
    const bytes = await store.getHead(entry);
    if (bytes === undefined) return undefined;
    const [head, hash] = [decodeHead(bytes), recordCausalHash(bytes)];
    return head === undefined || hash === undefined ? 'damaged' : { head, hash };
  } catch (error) {
    if (isFault(error, 'store-corrupt')) return 'damaged';
    throw error;
  }
}

/** Whether the store holds what the operation would make it hold. */
async function isThere(store: Store, wanted: WriteOperation): Promise<boolean> {
  try {
    const value = await store.get(wanted.key);
    if (wanted.kind === 'remove') return value === undefined;
    return value?.equals(wanted.head) === true;
  } catch (error) {
    if (isFault(error, 'store-corrupt')) return false;
    throw error;
  }
}

function submitted(
  { submit }: DerivedPorts,
  place: KeyPlace,
  changeOf: (settlement: Settlement<void>) => Change,
): Promise<void> {
  return new Promise((resolve, reject) => {
    submit(place, changeOf({ resolve, reject }));
  });
}

/** Writes again what belongs beside the copy, as it is in the key's turn. */
class RestoreChange implements Change {
  readonly sizeBytes = OVERHEAD_BYTES;
  readonly hintTargets: readonly NodeId[] = [];
  readonly #settlement: Settlement<void>;

  constructor(settlement: Settlement<void>) {
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    slot.restoreDerived();
    return true;
  }

  settle(): void {
    this.#settlement.resolve();
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}
