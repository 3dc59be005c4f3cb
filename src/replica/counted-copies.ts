/**
 * Counted copies: what the hash tree of a partition and an n_val stands for, and the tree itself.
 *
 * A tree counts the copies of its partition whose bucket has its n_val. Who reads them here judges by
 * the n_val of now; the tree has counted each by that of its last write, so between a change of n_val
 * and the recount the two may differ, as they do where a copy was lost with its head. Which trees are
 * owed a recount is known to `repair/replica-count-ledger.ts`.
 */

import type { Host } from '../base/host.ts';
import { keyToString, type ObjectKey, type Partition } from '../base/names.ts';
import type { KeyHash, KeyHead, KeyRecord } from '../peer/messages.ts';
import type { HashTree, HashTrees } from '../storage/hash-tree.ts';
import { allObjectsRange, treeRange, type KeyRange } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { DamagedCopies } from './damaged-copies.ts';
import type { KeySlot } from './key-slot.ts';
import { scanHeads } from './partition-scan.ts';
import { scanRecords } from './record-scan.ts';
import type { RecountOptions } from './replica.ts';
import { scanHashes } from './segment-members.ts';
import { recountTree } from './tree-recount.ts';

export interface CountedCopiesPorts {
  readonly store: Store;
  readonly trees: HashTrees;
  readonly damaged: DamagedCopies;
  /** The keys with a change under way. */
  readonly slots: () => Iterable<KeySlot>;
  readonly nValOf: (key: ObjectKey) => number;
}

/** Each method as that of `Replica`. */
export class CountedCopies {
  readonly #host: Host;
  readonly #ports: CountedCopiesPorts;
  #recounting: Promise<unknown> = Promise.resolve();

  constructor(host: Host, ports: CountedCopiesPorts) {
    this.#host = host;
    this.#ports = ports;
  }

  holdsCopies(): Promise<boolean> {
    return this.#hasEntries(allObjectsRange());
  }

  holdsAny(partition: Partition, nVal: number): Promise<boolean> {
    return this.#hasEntries(treeRange(partition, nVal));
  }

  async #hasEntries(range: KeyRange): Promise<boolean> {
    for await (const batch of this.#ports.store.scan({ ...range, limit: 1, keysOnly: true })) {
      return batch.length > 0;
    }
    return false;
  }

  records(
    partition: Partition,
    nVal: number,
    after: ObjectKey | undefined,
  ): AsyncIterableIterator<readonly KeyRecord[]> {
    const { store, damaged } = this.#ports;
    return scanRecords(store, {
      partition,
      after,
      isWanted: (key) => this.#isCounted(key, nVal),
      damaged: (key) => damaged.note(keyToString(key)),
    });
  }

  async tree(partition: Partition, nVal: number): Promise<Buffer> {
    const tree = await this.#ports.trees.load(partition, nVal);
    return tree.segments();
  }

  hashes(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<KeyHash[]> {
    const { store, damaged } = this.#ports;
    return scanHashes(store, {
      partition,
      segments,
      isListed: (key) => this.#isCounted(key, nVal) && !damaged.hasKey(key),
    });
  }

  heads(
    partition: Partition,
    nVal: number,
    segments: readonly number[],
  ): AsyncIterableIterator<KeyHead[]> {
    return scanHeads(this.#ports.store, {
      partition,
      segments: new Set(segments),
      isCounted: (key) => this.#isCounted(key, nVal),
    });
  }

  async recountTree(
    partition: Partition,
    nVal: number,
    { segments, keepPace }: RecountOptions,
  ): Promise<number> {
    const { store, trees } = this.#ports;
    const tree = await trees.load(partition, nVal);
    // Two counts at once would correct the same error twice.
    const recount = this.#recounting.then(() =>
      recountTree(store, {
        tree,
        segments: new Set(segments),
        isCounted: (key) => this.#isCounted(key, nVal),
        slots: () => this.#slotsOf(tree),
        keepPace,
      }),
    );
    this.#recounting = recount.catch(() => {});
    const count = await recount;
    this.#host.metrics.count('replica_segments_corrected', count);
    return count;
  }

  /** Whose next write this tree counts, whatever tree has counted the last. */
  *#slotsOf({ partition, nVal }: HashTree): Iterable<KeySlot> {
    for (const slot of this.#ports.slots()) {
      const { place } = slot;
      if (place.partition === partition && this.#isCounted(place.key, nVal)) yield slot;
    }
  }

  #isCounted(key: ObjectKey, nVal: number): boolean {
    return this.#ports.nValOf(key) === nVal;
  }
}
