/**
 * The changes that a copy undergoes: a peer's record, a reap, a drop, a hint given and one settled.
 *
 * Each decides from the slot alone, with the rules of `object/reconcile.ts`, and looks at values
 * only where siblings of both sides live on. A client's write is in `client-write.ts`.
 */

import { assert } from '../base/fault.ts';
import type { Metrics } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { Span } from '../base/span.ts';
import { covers, descends, merge } from '../clock/version-vector.ts';
import { causalHash } from '../object/causality.ts';
import { mergeHeads, mergeObjects } from '../object/reconcile.ts';
import type { StoredObject } from '../object/stored-object.ts';
import { isTombstone } from '../object/show.ts';
import { copyOf, objectOf } from './copy.ts';
import type { Copy } from './copy.ts';
import type { Change, KeySlot } from './key-slot.ts';
import { ChangeSteps } from './change-steps.ts';
import type { OwnChains } from './own-chains.ts';

/** Whom a change answers to. */
export interface Settlement<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

const NO_TARGETS: readonly NodeId[] = [];

/** What a slot weighs beside the bytes it was given: names, contexts, promises. */
const OVERHEAD_BYTES = 512;

/** Merges a peer's object into the copy; keeps a hint for `hintFor` if it is named. */
export class MergeChange implements Change {
  readonly sizeBytes: number;
  readonly hintTargets: readonly NodeId[];
  readonly #record: Buffer;
  readonly #remote: StoredObject;
  readonly #metrics: Metrics;
  readonly #chains: OwnChains;
  readonly #settlement: Settlement<void>;
  readonly #steps: ChangeSteps | undefined;

  constructor(
    source: { readonly record: Buffer; readonly object: StoredObject },
    hintFor: NodeId | undefined,
    ports: {
      readonly metrics: Metrics;
      readonly chains: OwnChains;
      readonly settlement: Settlement<void>;
      readonly span: Span | undefined;
    },
  ) {
    this.sizeBytes = source.record.length + OVERHEAD_BYTES;
    this.hintTargets = hintFor === undefined ? NO_TARGETS : [hintFor];
    this.#record = source.record;
    this.#remote = source.object;
    this.#metrics = ports.metrics;
    this.#chains = ports.chains;
    this.#settlement = ports.settlement;
    this.#steps = ports.span && new ChangeSteps(ports.span);
  }

  apply(slot: KeySlot): boolean {
    const local = slot.copy;
    if (local === undefined) this.#arrive(slot);
    else if (!this.#mergeInto(slot, local)) return false;
    this.#steps?.applied();
    for (const target of this.hintTargets) slot.setHint(target, true);
    return true;
  }

  /** Becomes the copy where there is none; what a reaped tombstone had superseded stays dead. */
  #arrive(slot: KeySlot): void {
    const remote = this.#remote;
    const { grave } = slot;
    this.#chains.meet(slot.id, grave?.context, remote.context);
    const object = grave === undefined ? remote : risenFrom(grave, remote);
    slot.replace(
      object === remote ? { head: remote, record: this.#record, object: remote } : copyOf(object),
    );
  }

  /** False: the values of the copy are needed. */
  #mergeInto(slot: KeySlot, local: Copy): boolean {
    const remote = this.#remote;
    const merged = mergeHeads(local.head, remote);
    if (merged === local.head) return true;
    const object = merged === remote ? remote : objectOf(local);
    if (object === undefined) return false;
    if (object !== remote) this.#metrics.count('object_merge');
    this.#chains.meet(slot.id, local.head.context, remote.context);
    slot.replace(
      object === remote
        ? { head: remote, record: this.#record, object: remote }
        : copyOf(mergeObjects(object, remote)),
    );
    return true;
  }

  settle(): void {
    this.#steps?.settled();
    this.#settlement.resolve();
  }

  fail(error: unknown): void {
    this.#steps?.failed(error);
    this.#settlement.reject(error);
  }
}

/** Removes the copy if it is exactly the tombstone with this causal hash. */
export class ReapChange implements Change {
  readonly sizeBytes = OVERHEAD_BYTES;
  readonly hintTargets = NO_TARGETS;
  readonly #tombstoneHash: Buffer;
  readonly #settlement: Settlement<boolean>;
  #isGone = false;

  constructor(tombstoneHash: Buffer, settlement: Settlement<boolean>) {
    this.#tombstoneHash = tombstoneHash;
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    const { copy } = slot;
    this.#isGone = copy === undefined;
    if (copy === undefined) return true;
    if (!isTombstone(copy.head) || !isSame(copy, this.#tombstoneHash)) return true;
    slot.reap();
    this.#isGone = true;
    return true;
  }

  settle(): void {
    this.#settlement.resolve(this.#isGone);
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}

/** Keeps a hint. */
export class HintChange implements Change {
  readonly sizeBytes = OVERHEAD_BYTES;
  readonly hintTargets: readonly NodeId[];
  readonly #target: NodeId;
  readonly #settlement: Settlement<void>;

  constructor(target: NodeId, settlement: Settlement<void>) {
    this.hintTargets = [target];
    this.#target = target;
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    slot.setHint(this.#target, true);
    return true;
  }

  settle(): void {
    this.#settlement.resolve();
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}

export interface HintSettlement {
  /** Whose hint it is; the first of `targets`. */
  readonly target: NodeId;
  /** Everyone hints are kept for: the copy stays while it is owed to another. */
  readonly targets: readonly NodeId[];
  /** The causal hash of what the target has confirmed; undefined: there was no copy. */
  readonly confirmedHash: Buffer | undefined;
  readonly dropCopy: boolean;
}

/** Removes a hint, and with it the copy if that is wished, unless the copy has changed since. */
export class SettleHintChange implements Change {
  readonly sizeBytes = OVERHEAD_BYTES;
  readonly hintTargets: readonly NodeId[];
  readonly #request: HintSettlement;
  readonly #settlement: Settlement<void>;

  constructor(request: HintSettlement, settlement: Settlement<void>) {
    assert(request.targets.includes(request.target), 'a hint is among those that are kept');
    this.hintTargets = request.dropCopy ? request.targets : [request.target];
    this.#request = request;
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    const { target, confirmedHash, dropCopy } = this.#request;
    const { copy } = slot;
    if (copy !== undefined && !isSame(copy, confirmedHash)) return true;
    slot.setHint(target, false);
    // Also to whom the change before this one has just begun to owe it.
    if (dropCopy && copy !== undefined && !slot.isOwed) slot.remove();
    return true;
  }

  settle(): void {
    this.#settlement.resolve();
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}

/**
 * Removes the copy, and what is owed of it, if all its replicas have confirmed to hold what it holds;
 * or, with no hash, if it was read and is damaged.
 */
export class DropChange implements Change {
  readonly sizeBytes = OVERHEAD_BYTES;
  readonly hintTargets: readonly NodeId[];
  readonly #confirmedHash: Buffer | undefined;
  readonly #settlement: Settlement<boolean>;
  #isGone = false;

  /** `targets`: everyone hints are kept for. */
  constructor(
    confirmedHash: Buffer | undefined,
    targets: readonly NodeId[],
    settlement: Settlement<boolean>,
  ) {
    this.hintTargets = targets;
    this.#confirmedHash = confirmedHash;
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    const { copy } = slot;
    // Perhaps nobody else holds what the disk refuses now, and it reads it tomorrow.
    this.#isGone = copy === undefined ? !slot.isRefused : isSame(copy, this.#confirmedHash);
    if (!this.#isGone) return true;
    for (const target of this.hintTargets) slot.setHint(target, false);
    slot.remove();
    return true;
  }

  settle(): void {
    this.#settlement.resolve(this.#isGone);
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}

function isSame(copy: Copy, hash: Buffer | undefined): boolean {
  return hash !== undefined && causalHash(copy.head).equals(hash);
}

/** What lives of `object` beside a reaped tombstone; where nothing does, the tombstone again. */
function risenFrom(tombstone: StoredObject, object: StoredObject): StoredObject {
  const past = tombstone.context;
  if (descends(object.context, past)) return object;
  const siblings = object.siblings.filter(({ dot }) => !covers(past, dot));
  if (siblings.length === 0) return mergeObjects(tombstone, object);
  return { context: merge(object.context, past), siblings };
}
