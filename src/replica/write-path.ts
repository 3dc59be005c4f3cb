/**
 * The write path: every change to a copy, one after the other for a key, many keys at once.
 *
 * Read, merge, write durably: the first change to a key reads its copy, the changes that come while
 * one is under way go on from the state in memory, and while one write of the store carries what is
 * there, the next gathers. A change is settled when all that it found or made is durable, also when
 * it made nothing new: what it found may still be on its way to the disk.
 *
 * Bounded: changes and bytes under way; past them a change is refused with `overload` at once.
 */

import { assert, Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { keyToString } from '../base/names.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import { withoutValues } from '../object/show.ts';
import type { StoredObject } from '../object/stored-object.ts';
import { bytesToByteString, type ByteString } from '../base/bytes.ts';
import { PassingMap } from '../base/passing-map.ts';
import { headSize } from '../object/record.ts';
import { encodeHintKey, encodeObjectKey } from '../storage/keys.ts';
import type { HashTrees } from '../storage/hash-tree.ts';
import type { Store, WriteOperation } from '../storage/store.ts';
import { readHead, readWhole } from './copy.ts';
import type { FoundCopy } from './copy.ts';
import type { DamagedCopies } from './damaged-copies.ts';
import { KeySlot } from './key-slot.ts';
import type { Change, KeyPlace, SlotChanges } from './key-slot.ts';
import { Passing } from './passing.ts';
import { RecentHeads } from './recent-heads.ts';

export interface WritePathOptions {
  /** Changes that are not settled yet, over all keys. */
  readonly changesMax: number;
  /** What they hold in memory. */
  readonly bytesMax: number;
  /** Heads of idle copies that are remembered, at most 1 KiB each. */
  readonly recentHeadsMax: number;
}

export interface WritePathPorts {
  /** The n_val of the tree that counts what is written of this key now. */
  nValOf(key: ObjectKey): number;
  /** The operations that make the store hold what the slot holds; they are written at once. */
  operations(slot: KeySlot, changes: SlotChanges): readonly WriteOperation[];
  /** What was taken from the slot is durable. */
  written(slot: KeySlot, changes: SlotChanges): void;
  /** The store refused or failed: what the slot held may never be in it. */
  lost(slot: KeySlot): void;
  /** The tombstone that was reaped from this key not long ago. */
  graveOf(id: ByteString): StoredObject | undefined;
  readonly damaged: DamagedCopies;
}

/** A record's head: causality, metadata, index entries. */
const RECENT_HEAD_SIZE_MAX_BYTES = 1024;

export class WritePath {
  readonly #host: Host;
  readonly #store: Store;
  readonly #trees: HashTrees;
  readonly #ports: WritePathPorts;
  readonly #damaged: DamagedCopies;
  readonly #options: WritePathOptions;
  readonly #slots = new PassingMap<ByteString, KeySlot>();
  readonly #recent: RecentHeads;
  #changeCount = 0;
  #sizeBytes = 0;
  #isClosed = false;
  #whenIdle: (() => void) | undefined;

  constructor(
    host: Host,
    stored: { readonly store: Store; readonly trees: HashTrees },
    ports: WritePathPorts & { readonly options: WritePathOptions },
  ) {
    this.#host = host;
    this.#store = stored.store;
    this.#trees = stored.trees;
    this.#ports = ports;
    this.#damaged = ports.damaged;
    this.#options = ports.options;
    this.#recent = new RecentHeads(ports.options.recentHeadsMax);
  }

  /** The keys with a change under way. */
  slots(): IterableIterator<KeySlot> {
    return this.#slots.values();
  }

  /** Takes a change on its way; it is settled or fails, once, a refused one before this returns. */
  submit(place: KeyPlace, change: Change): void {
    const refusal = this.#refusal(change);
    if (refusal !== undefined) {
      change.fail(refusal);
      return;
    }
    this.#changeCount += 1;
    this.#sizeBytes += change.sizeBytes;
    const id = keyToString(place.key);
    let slot = this.#slots.get(id);
    if (slot === undefined) {
      slot = new KeySlot(id, place);
      this.#slots.set(id, slot);
    } else if (slot.place.partition !== place.partition) {
      // The bucket's hash function has just changed; a slot is of one entry.
      this.#fail(change, new Fault('overload', 'the key is changed in another partition'));
      return;
    }
    slot.properties = place.properties;
    slot.queue.push(change);
    this.#advance(slot);
  }

  /**
   * Resolves when what is under way now for these keys is durable or has failed: what a replica was told
   * before a scan, another may have confirmed to the client that scans.
   */
  async settled(isMeant: (key: ObjectKey) => boolean): Promise<void> {
    const slots: KeySlot[] = [];
    for (const slot of this.#slots.values()) if (isMeant(slot.place.key)) slots.push(slot);
    if (slots.length > 0) await this.#passed(slots);
  }

  /** As `settled`, for one key; undefined: nothing is under way for it. */
  settledKey(key: ObjectKey): Promise<void> | undefined {
    if (this.#slots.size === 0) return undefined;
    const slot = this.#slots.get(keyToString(key));
    return slot && this.#passed([slot]);
  }

  #passed(slots: readonly KeySlot[]): Promise<void> {
    return new Promise((resolve) => {
      const passing = new Passing(resolve);
      // All enter before the first can be through.
      for (const slot of slots) {
        passing.enter();
        slot.queue.push(passing);
      }
      for (const slot of slots) this.#advance(slot);
    });
  }

  /** The next change of this key reads its copy. */
  forgetHead(id: ByteString): void {
    this.#recent.take(id);
  }

  /** Takes no more changes and waits for those under way. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#slots.size === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#whenIdle;
      this.#whenIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  #refusal(change: Change): Fault | undefined {
    if (this.#isClosed) return new Fault('closed', 'the replica is closed');
    const refusal = this.#store.refusal();
    if (refusal !== undefined) return refusal;
    const { changesMax, bytesMax } = this.#options;
    const isFull = this.#changeCount >= changesMax || this.#sizeBytes + change.sizeBytes > bytesMax;
    // One change alone always fits, however large.
    if (!isFull || this.#changeCount === 0) return undefined;
    this.#host.metrics.count('replica_overload');
    return new Fault('overload', 'too many changes are under way');
  }

  /** Applies what can be applied, and writes what can be written. */
  #advance(slot: KeySlot): void {
    if (slot.isAbandoned) return;
    while (!slot.isLoading) {
      const change = slot.queue[0];
      if (change === undefined || this.#findsNoRoom(slot)) break;
      if (!isReady(slot, change) && !this.#recall(slot, change)) {
        this.#startRead(slot, this.#load(slot, change));
        break;
      }
      const applied = change.apply(slot);
      if (applied !== true) {
        this.#startRead(slot, applied === false ? this.#readValues(slot) : applied);
        break;
      }
      slot.queue.shift();
      if (slot.isDirty) slot.waiting.push(change);
      else if (slot.isWriting) slot.riding.push(change);
      else this.#settle(change);
    }
    if (slot.isDirty && !slot.isWriting) this.#write(slot);
    this.#release(slot);
  }

  /** While nothing is lost with it: a dot that is issued and not stored ends its chain. */
  #findsNoRoom(slot: KeySlot): boolean {
    if (slot.isDirty || slot.isWriting) return false;
    const refusal = this.#store.refusal();
    if (refusal === undefined) return false;
    for (const change of slot.queue.splice(0)) this.#fail(change, refusal);
    return true;
  }

  #release(slot: KeySlot): void {
    if (slot.isLoading || slot.isWriting || slot.queue.length > 0 || slot.isAbandoned) return;
    assert(!slot.isDirty && slot.waiting.length === 0, 'an idle slot has nothing to write');
    this.#remember(slot);
    this.#forget(slot);
  }

  /** Makes the slot ready without a read, if its head is known still. */
  #recall(slot: KeySlot, change: Change): boolean {
    if (slot.hasLoaded) return false;
    const stored = this.#recent.take(slot.id);
    const { partition, properties } = slot.place;
    if (stored?.partition !== partition || this.#damaged.has(slot.id)) return false;
    this.#host.metrics.count('replica_heads_recalled_total');
    slot.recall(stored);
    slot.tree ??= this.#trees.find(partition, properties.n_val);
    return isReady(slot, change);
  }

  /** What the store holds now, for the next change of the key. */
  #remember(slot: KeySlot): void {
    const { id, copy, place, storedHead, recalled, storedHash } = slot;
    if (recalled !== undefined && recalled.head === storedHead) {
      this.#recent.keep(id, recalled);
      return;
    }
    const size = copy?.record && headSize(copy.record);
    if (storedHead === undefined || size === undefined || size > RECENT_HEAD_SIZE_MAX_BYTES) return;
    const head = withoutValues(storedHead);
    const hash = storedHash && bytesToByteString(storedHash);
    this.#recent.keep(id, { partition: place.partition, head, hash });
  }

  #forget(slot: KeySlot): void {
    // After a failed write the key may have a slot anew while the old one's read still ends.
    if (this.#slots.get(slot.id) !== slot) return;
    this.#slots.take(slot.id);
    if (this.#slots.size > 0) return;
    this.#whenIdle?.();
    this.#whenIdle = undefined;
  }

  #startRead(slot: KeySlot, reading: Promise<unknown>): void {
    slot.isLoading = true;
    reading.then(
      () => {
        slot.isLoading = false;
        this.#advance(slot);
      },
      (error: unknown) => {
        slot.isLoading = false;
        for (const change of slot.queue.splice(0)) this.#fail(change, error);
        this.#release(slot);
      },
    );
  }

  #load(slot: KeySlot, change: Change): Promise<unknown> {
    const { partition, properties } = slot.place;
    slot.tree ??= this.#trees.find(partition, properties.n_val);
    const isAlone = slot.tree !== undefined && change.hintTargets.length === 0;
    return isAlone ? this.#readCopy(slot) : this.#loadAll(slot, change);
  }

  async #loadAll(slot: KeySlot, change: Change): Promise<void> {
    const { key, partition, properties } = slot.place;
    const readHint = async (target: NodeId): Promise<void> => {
      const hint = await this.#store.get(encodeHintKey(target, partition, key));
      slot.loadHint(target, hint !== undefined);
    };
    const reads = await Promise.allSettled([
      slot.hasLoaded ? undefined : this.#readCopy(slot),
      this.#trees.load(partition, properties.n_val).then((tree) => {
        slot.tree = tree;
      }),
      ...change.hintTargets.filter((target) => !slot.knowsHint(target)).map(readHint),
    ]);
    // All have ended, so that none of them comes late into what a later read found.
    for (const read of reads) if (read.status === 'rejected') throw read.reason;
  }

  async #readCopy(slot: KeySlot): Promise<void> {
    const { key, partition } = slot.place;
    const objectKey = encodeObjectKey(partition, key);
    const found = this.#damaged.has(slot.id)
      ? await this.#readWhole(slot, objectKey)
      : await this.#read(slot, () => this.#store.getHead(objectKey), readHead);
    slot.load(found, this.#ports.graveOf(slot.id));
  }

  async #readValues(slot: KeySlot): Promise<void> {
    const { key, partition } = slot.place;
    const objectKey = encodeObjectKey(partition, key);
    slot.loadValues(await this.#readWhole(slot, objectKey));
  }

  async #readWhole(slot: KeySlot, objectKey: Buffer): Promise<FoundCopy> {
    const found = await this.#read(slot, () => this.#store.get(objectKey), readWhole);
    if (found.kind !== 'damaged' || found.head !== undefined) return found;
    // Where the body alone cannot be read, the head still tells what index and tree stand for.
    const head = await this.#read(slot, () => this.#store.getHead(objectKey), readHead);
    return { ...found, head: head.kind === 'copy' ? head.copy.head : undefined };
  }

  async #read(
    slot: KeySlot,
    read: () => Promise<Buffer | undefined>,
    decode: (bytes: Buffer | undefined) => FoundCopy,
  ): Promise<FoundCopy> {
    let found: FoundCopy;
    try {
      found = decode(await read());
    } catch (error) {
      // The store itself may find the entry damaged.
      if (!isFault(error, 'store-corrupt')) throw error;
      found = { kind: 'damaged', head: undefined, isRefused: error.cause !== undefined };
    }
    if (found.kind === 'damaged') this.#damaged.note(slot.id);
    return found;
  }

  #write(slot: KeySlot): void {
    const { key, partition } = slot.place;
    // Not that of the plan: the n_val may have changed since, and the trees have been recounted.
    const nVal = this.#ports.nValOf(key);
    const tree = slot.tree?.nVal === nVal ? slot.tree : this.#trees.find(partition, nVal);
    if (tree === undefined) {
      this.#loadTree(slot, nVal);
      return;
    }
    slot.tree = tree;
    const refusal = this.#store.refusal();
    if (refusal !== undefined) {
      this.#abandon(slot, refusal);
      return;
    }
    const changes = slot.takeChanges();
    slot.riding = slot.waiting;
    slot.waiting = [];
    slot.isWriting = true;
    this.#store.write(this.#ports.operations(slot, changes)).then(
      () => {
        slot.isWriting = false;
        this.#ports.written(slot, changes);
        for (const change of slot.riding.splice(0)) this.#settle(change);
        this.#advance(slot);
      },
      (error: unknown) => this.#abandon(slot, error),
    );
  }

  /** The first step of its write. */
  #loadTree(slot: KeySlot, nVal: number): void {
    slot.isWriting = true;
    this.#trees.load(slot.place.partition, nVal).then(
      () => {
        slot.isWriting = false;
        this.#advance(slot);
      },
      (error: unknown) => this.#abandon(slot, error),
    );
  }

  /** What the slot holds is not what the store holds: it goes, with all that built on it. */
  #abandon(slot: KeySlot, error: unknown): void {
    slot.isAbandoned = true;
    this.#ports.lost(slot);
    this.#forget(slot);
    const changes = [...slot.riding.splice(0), ...slot.waiting.splice(0), ...slot.queue.splice(0)];
    for (const change of changes) this.#fail(change, error);
  }

  #settle(change: Change): void {
    this.#discount(change);
    change.settle();
  }

  #fail(change: Change, error: unknown): void {
    this.#discount(change);
    change.fail(error);
  }

  #discount(change: Change): void {
    if (change instanceof Passing) return;
    this.#changeCount -= 1;
    this.#sizeBytes -= change.sizeBytes;
  }
}

function isReady(slot: KeySlot, change: Change): boolean {
  if (!slot.hasLoaded || slot.tree === undefined) return false;
  return change.hintTargets.every((target) => slot.knowsHint(target));
}
