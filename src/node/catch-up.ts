/**
 * Catching up: a node that hears of a newer epoch fetches that state before it acts again.
 *
 * One fetch at a time, from whoever was heard to be ahead. A request that arrives meanwhile waits for
 * it; a fetch ends in bounded time, with or without the state, for no request may hang on a peer that
 * has gone away.
 */

import type { Epoch, NodeId } from '../base/names.ts';
import type { StateKeeper } from '../membership/state-keeper.ts';

export class CatchUp {
  readonly #keeper: StateKeeper;
  #fetch: Promise<void> | undefined;

  constructor(keeper: StateKeeper) {
    this.#keeper = keeper;
  }

  /** The fetch under way; undefined: this node is not known to be behind. */
  get underWay(): Promise<void> | undefined {
    return this.#fetch;
  }

  /** `node` says that it acts on `epoch`. */
  heard(node: NodeId, epoch: Epoch): void {
    if (epoch > this.#keeper.state().epoch) void this.fetchFrom(node);
  }

  /** Asks `node` for a newer state; a peer that cannot be reached changes nothing. */
  fetchFrom(node: NodeId): Promise<void> {
    this.#fetch ??= this.#keeper.fetchFrom(node).finally(() => {
      this.#fetch = undefined;
    });
    return this.#fetch;
  }
}
