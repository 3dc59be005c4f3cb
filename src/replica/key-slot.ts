/**
 * A slot: one key with a change under way.
 *
 * It holds the copy as it will be when all changes so far are durable, beside what the store was
 * last told, so that the next change goes on from there without reading again, and one write of the
 * store carries everything that came since the one before. Changes are applied in the order in which
 * they came. `WritePath` owns the slots and moves them on.
 */

import { byteStringToBytes, type ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import { emptied } from '../object/show.ts';
import type { ObjectHead, StoredObject } from '../object/stored-object.ts';
import type { HashTree } from '../storage/hash-tree.ts';
import type { IndexTerm } from '../storage/keys.ts';
import type { Copy, FoundCopy } from './copy.ts';
import type { StoredHead } from './recent-heads.ts';
import type { Placement } from './replica.ts';

/** One step of a key: what merges, client writes, reaps and hints have in common. */
export interface Change {
  /** What it holds in memory until it is settled. */
  readonly sizeBytes: number;
  /** Hints that it must know of: whether they are stored. */
  readonly hintTargets: readonly NodeId[];
  /**
   * Changes the slot's copy and hints; called when they are known. False: it has changed nothing
   * yet and needs the copy's values first; a promise: nothing yet, and it is at work. Then it is
   * called again, and finds the slot as it was.
   */
  apply(slot: KeySlot): boolean | Promise<void>;
  /** All that the slot held after `apply` is durable. */
  settle(): void;
  /** The store failed; whether the change is durable is not known. */
  fail(error: unknown): void;
}

/** A key and where it lives; its n_val says which hash tree counts it. */
export interface KeyPlace extends Placement {
  readonly key: ObjectKey;
}

const NO_HINTS: SlotChanges['hints'] = [];
const NO_ENTRIES: readonly IndexTerm[] = [];

export class KeySlot {
  readonly id: ByteString;
  readonly place: KeyPlace;
  /** Those that the newest change was planned with. */
  properties: BucketProperties;
  /** Not applied yet, the oldest first. */
  readonly queue: Change[] = [];
  /** Applied, and to be settled by the next write. */
  waiting: Change[] = [];
  /** To be settled by the write under way. */
  riding: Change[] = [];
  isLoading = false;
  isWriting = false;
  /** The store failed it: nothing more is done with it. */
  isAbandoned = false;
  /** Known when the slot is loaded. */
  tree: HashTree | undefined;
  /** The causal hash of `storedHead`, where it has been computed. */
  storedHash: Buffer | undefined;
  /** What it was loaded with, if that was not read. */
  recalled: StoredHead | undefined;
  #copy: Copy | undefined;
  #isLoaded = false;
  #storedHead: ObjectHead | undefined;
  #isStored = false;
  #isRefused = false;
  #isCopyChanged = false;
  #grave: StoredObject | undefined;
  /** Whether they are kept, after all changes so far and as the store was last told. */
  readonly #hints = new Map<NodeId, { isKept: boolean; isStored: boolean }>();
  #areHintsChanged = false;
  #suspectEntries = NO_ENTRIES;
  #isToBeRestored = false;

  constructor(id: ByteString, place: KeyPlace) {
    this.id = id;
    this.place = place;
    this.properties = place.properties;
  }

  /** Whether the copy, at least its head, is known. */
  get hasLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Whether there is something for the store to be told. */
  get isDirty(): boolean {
    if (this.#isCopyChanged || this.#areHintsChanged || this.#isToBeRestored) return true;
    return this.#suspectEntries.length > 0;
  }

  /** What index and tree stand for, as the store was last told; undefined: nothing, or unknown. */
  get storedHead(): ObjectHead | undefined {
    return this.#storedHead;
  }

  /** The readable copy after all changes so far. */
  get copy(): Copy | undefined {
    return this.#copy;
  }

  /** Whether there is one in its place that the disk refused to read. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** While there is no copy: the tombstone that was reaped from here. */
  get grave(): StoredObject | undefined {
    return this.#grave;
  }

  /** Takes in what the store holds, and the graveyard if that is nothing, before any change. */
  load(found: FoundCopy, grave: StoredObject | undefined): void {
    assert(!this.#isLoaded, 'a slot is loaded once');
    this.#isLoaded = true;
    this.#isStored = found.kind !== 'absent';
    if (found.kind === 'absent') this.#grave = grave;
    if (found.kind === 'copy') this.#storedHead = found.copy.head;
    if (found.kind === 'damaged') this.#storedHead = found.head;
    this.loadValues(found);
  }

  /** Takes in what the store is known to hold, instead of reading it. */
  recall(stored: StoredHead): void {
    const copy = { head: stored.head, record: undefined, object: undefined };
    this.load({ kind: 'copy', copy }, undefined);
    this.recalled = stored;
    this.storedHash = stored.hash === undefined ? undefined : byteStringToBytes(stored.hash);
  }

  /** Takes in the values too, where only the head was known. */
  loadValues(found: FoundCopy): void {
    assert(!this.#isCopyChanged, 'values are read of what the store holds');
    this.#copy = found.kind === 'copy' ? found.copy : undefined;
    this.#isRefused = found.kind === 'damaged' && found.isRefused === true;
  }

  replace(copy: Copy): void {
    this.#copy = copy;
    this.#isRefused = false;
    this.#grave = undefined;
    this.#isCopyChanged = true;
  }

  /** Removes a tombstone that all replicas have confirmed. */
  reap(): void {
    this.#grave = this.#copy && emptied(this.#copy.head);
    this.remove();
  }

  remove(): void {
    this.#copy = undefined;
    this.#isCopyChanged = true;
  }

  knowsHint(target: NodeId): boolean {
    return this.#hints.has(target);
  }

  loadHint(target: NodeId, isStored: boolean): void {
    this.#hints.set(target, { isKept: isStored, isStored });
  }

  /** Whether a hint is kept for any target that a change of this slot has named. */
  get isOwed(): boolean {
    for (const { isKept } of this.#hints.values()) if (isKept) return true;
    return false;
  }

  setHint(target: NodeId, isKept: boolean): void {
    const hint = this.#mustHint(target);
    if (hint.isKept === isKept) return;
    hint.isKept = isKept;
    this.#areHintsChanged = true;
  }

  /** Index entries that were found in the store: those that the copy does not have are to go. */
  suspectEntries(entries: readonly IndexTerm[]): void {
    this.#suspectEntries = entries;
  }

  /** Something is missing beside the copy: all that belongs there is written again. */
  restoreDerived(): void {
    this.#isToBeRestored = true;
  }

  /** What has changed since the store was last told; the caller tells it now. */
  takeChanges(): SlotChanges {
    const changes = {
      copy: this.#isCopyChanged
        ? {
            before: this.#storedHead,
            beforeHash: this.storedHash,
            after: this.#copy,
            wasStored: this.#isStored,
            reaped: this.#grave,
          }
        : undefined,
      hints: this.#takeHints(),
      suspectEntries: this.#suspectEntries,
      isToBeRestored: this.#isToBeRestored,
    };
    this.#suspectEntries = NO_ENTRIES;
    this.#isToBeRestored = false;
    if (this.#isCopyChanged) {
      this.#storedHead = this.#copy?.head;
      this.storedHash = undefined;
      this.#isStored = this.#copy !== undefined;
    }
    this.#isCopyChanged = false;
    return changes;
  }

  #takeHints(): SlotChanges['hints'] {
    if (!this.#areHintsChanged) return NO_HINTS;
    this.#areHintsChanged = false;
    const changed: { readonly target: NodeId; readonly isKept: boolean }[] = [];
    for (const [target, hint] of this.#hints) {
      if (hint.isKept === hint.isStored) continue;
      hint.isStored = hint.isKept;
      changed.push({ target, isKept: hint.isKept });
    }
    return changed;
  }

  #mustHint(target: NodeId): { isKept: boolean; isStored: boolean } {
    const hint = this.#hints.get(target);
    assert(hint !== undefined, 'a change names the hints that it looks at');
    return hint;
  }
}

export interface SlotChanges {
  readonly copy:
    | {
        /** What index and trees stand for; undefined: nothing, or nobody knows what. */
        readonly before: ObjectHead | undefined;
        /** Its causal hash, where it is known. */
        readonly beforeHash: Buffer | undefined;
        readonly after: Copy | undefined;
        /** Whether the store has an entry, readable or not. */
        readonly wasStored: boolean;
        /** The copy, if it was a tombstone that was reaped. */
        readonly reaped: StoredObject | undefined;
      }
    | undefined;
  readonly hints: readonly { readonly target: NodeId; readonly isKept: boolean }[];
  readonly suspectEntries: readonly IndexTerm[];
  /** Whether what derives from the copy is to be written, whatever is thought to be there. */
  readonly isToBeRestored: boolean;
}
