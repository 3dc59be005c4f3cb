/**
 * The hint ledger: which nodes are owed something, and how much.
 *
 * The hints themselves are entries of the store, changed in the batch of the copy they speak of;
 * here is only their number for each target, counted once when the store is opened.
 */

import type { NodeId } from '../base/names.ts';
import { allHintsRange, decodeHintKey, hintRange } from '../storage/keys.ts';
import { readable } from '../storage/readable.ts';
import type { Store } from '../storage/store.ts';
import { keyPages } from './key-pages.ts';
import type { Hint } from './replica.ts';

export class HintLedger {
  readonly #store: Store;
  readonly #countByTarget = new Map<NodeId, number>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<HintLedger> {
    const ledger = new HintLedger(store);
    // Of hints that cannot be read anti-entropy finds what they would have told.
    for await (const batch of readable(store.scan({ ...allHintsRange(), keysOnly: true }))) {
      for (const { key } of batch) ledger.note(decodeHintKey(key).target, true);
    }
    return ledger;
  }

  /** A hint has become durable, or has gone. */
  note(target: NodeId, isKept: boolean): void {
    const count = (this.#countByTarget.get(target) ?? 0) + (isKept ? 1 : -1);
    if (count > 0) this.#countByTarget.set(target, count);
    else this.#countByTarget.delete(target);
  }

  /** Targets with at least one hint. */
  counts(): ReadonlyMap<NodeId, number> {
    return this.#countByTarget;
  }

  async *hintsFor(target: NodeId): AsyncIterableIterator<readonly Hint[]> {
    for await (const page of keyPages(this.#store, hintRange(target))) {
      yield page.map(decodeHintKey);
    }
  }
}
