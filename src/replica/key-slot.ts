/**
 * A slot: one key with a change under way.
 *
 * It holds the copy as it will be when all changes so far are durable, beside what the store was
 * last told, so that the next change goes on from there without reading again, and one write of the
 * store carries everything that came since the one before. Changes are applied in the order in which
 * they came. `WritePath` owns the slots and moves them on.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { BucketProperties } from '../object/bucket-properties.ts';
import type { ObjectHead } from '../object/stored-object.ts';
import type { HashTree } from '../storage/hash-tree.ts';
import type { Copy, FoundCopy } from './copy.ts';
import type { Placement } from './replica.ts';

/** One step of a key: what merges, client writes, reaps and hints have in common. */
export interface Change {
  /** What it holds in memory until it is settled. */
  readonly sizeBytes: number;
  /** Hints that it must know of: whether they are stored. */
  readonly hintTargets: readonly NodeId[];
  /**
   * Changes the slot's copy and hints; called when they are known. False: it has changed nothing
   * yet and needs the copy's values first; then it is called again.
   */
  apply(slot: KeySlot): boolean;
  /** All that the slot held after `apply` is durable. */
  settle(): void;
  /** The store failed; whether the change is durable is not known. */
  fail(error: unknown): void;
}

/** A key and where it lives; its n_val says which hash tree counts it. */
export interface KeyPlace extends Placement {
  readonly key: ObjectKey;
}

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
  #copy: Copy | undefined;
  #isLoaded = false;
  #storedHead: ObjectHead | undefined;
  #isStored = false;
  #isCopyChanged = false;
  readonly #hints = new Map<NodeId, boolean>();
  readonly #changedHints = new Set<NodeId>();

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
    return this.#isCopyChanged || this.#changedHints.size > 0;
  }

  /** What index and tree stand for, as the store was last told; undefined: nothing, or unknown. */
  get storedHead(): ObjectHead | undefined {
    return this.#storedHead;
  }

  /** The readable copy after all changes so far. */
  get copy(): Copy | undefined {
    return this.#copy;
  }

  /** Takes in what the store holds, before any change. */
  load(found: FoundCopy): void {
    assert(!this.#isLoaded, 'a slot is loaded once');
    this.#isLoaded = true;
    this.#isStored = found.kind !== 'absent';
    if (found.kind === 'copy') this.#storedHead = found.copy.head;
    if (found.kind === 'damaged') this.#storedHead = found.head;
    this.loadValues(found);
  }

  /** Takes in the values too, where only the head was known. */
  loadValues(found: FoundCopy): void {
    assert(!this.#isCopyChanged, 'values are read of what the store holds');
    this.#copy = found.kind === 'copy' ? found.copy : undefined;
  }

  replace(copy: Copy): void {
    this.#copy = copy;
    this.#isCopyChanged = true;
  }

  remove(): void {
    this.#copy = undefined;
    this.#isCopyChanged = true;
  }

  knowsHint(target: NodeId): boolean {
    return this.#hints.has(target);
  }

  loadHint(target: NodeId, isStored: boolean): void {
    this.#hints.set(target, isStored);
  }

  /** Whether a hint for `target` is kept; only for targets that the change asked for. */
  hasHint(target: NodeId): boolean {
    const isKept = this.#hints.get(target);
    assert(isKept !== undefined, 'a change names the hints that it looks at');
    return isKept;
  }

  setHint(target: NodeId, isKept: boolean): void {
    if (this.hasHint(target) === isKept) return;
    this.#hints.set(target, isKept);
    // Twice turned is as it was.
    if (!this.#changedHints.delete(target)) this.#changedHints.add(target);
  }

  /** What has changed since the store was last told; the caller tells it now. */
  takeChanges(): SlotChanges {
    const changes = {
      copy: this.#isCopyChanged
        ? { before: this.#storedHead, after: this.#copy, wasStored: this.#isStored }
        : undefined,
      hints: [...this.#changedHints].map((target) => ({ target, isKept: this.hasHint(target) })),
    };
    if (this.#isCopyChanged) {
      this.#storedHead = this.#copy?.head;
      this.#isStored = this.#copy !== undefined;
    }
    this.#isCopyChanged = false;
    this.#changedHints.clear();
    return changes;
  }
}

export interface SlotChanges {
  readonly copy:
    | {
        /** What index and trees stand for; undefined: nothing, or nobody knows what. */
        readonly before: ObjectHead | undefined;
        readonly after: Copy | undefined;
        /** Whether the store has an entry, readable or not. */
        readonly wasStored: boolean;
      }
    | undefined;
  readonly hints: readonly { readonly target: NodeId; readonly isKept: boolean }[];
}
