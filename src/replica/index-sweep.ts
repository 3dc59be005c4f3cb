/**
 * The index sweep: finds the index entries that a damaged copy has left behind.
 *
 * A write removes the entries of the copy it replaces. Of a copy whose head cannot be read nobody
 * knows which they were; so the entries of its bucket are gone through once, and those of the key that
 * its copy does not have any more are removed in the key's turn like any other change.
 *
 * Bounded: keys wait in a queue and are swept one after the other; past its end a key keeps its stale
 * entries until it is damaged again.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import { bucketIndexRange, decodeIndexKey, type IndexTerm } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Settlement } from './changes.ts';
import type { Change, KeyPlace, KeySlot } from './key-slot.ts';

const QUEUE_MAX = 1_024;
const OVERHEAD_BYTES = 512;

export interface IndexSweepPorts {
  readonly store: Store;
  /** Takes the change on its way, as any other of the key. */
  readonly submit: (place: KeyPlace, change: Change) => void;
}

export class IndexSweep {
  readonly #host: Host;
  readonly #ports: IndexSweepPorts;
  readonly #queue: KeyPlace[] = [];
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(host: Host, ports: IndexSweepPorts) {
    this.#host = host;
    this.#ports = ports;
  }

  /** A copy that could not be read has been replaced. */
  add(place: KeyPlace): void {
    if (this.#isClosed) return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#host.metrics.count('replica_index_sweeps_dropped');
      return;
    }
    this.#queue.push(place);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends at the next step. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let place = this.#queue.shift(); place !== undefined; place = this.#queue.shift()) {
      try {
        await this.#sweep(place);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#host.metrics.count('replica_index_sweeps_failed');
      }
    }
  }

  async #sweep(place: KeyPlace): Promise<void> {
    const entries: IndexTerm[] = [];
    for await (const batch of this.#ports.store.scan({
      ...bucketIndexRange(place.key),
      keysOnly: true,
    })) {
      if (this.#isClosed) return;
      for (const { key: bytes } of batch) {
        const { partition, key, entry } = decodeIndexKey(bytes);
        if (key.key === place.key.key && partition === place.partition) entries.push(entry);
      }
    }
    await new Promise<void>((resolve, reject) => {
      this.#ports.submit(place, new SweptChange(entries, { resolve, reject }));
    });
    this.#host.metrics.count('replica_index_sweeps');
  }
}

/** Removes those of the entries that the copy does not have. */
export class SweptChange implements Change {
  readonly sizeBytes: number;
  readonly hintTargets: readonly NodeId[] = [];
  readonly #entries: readonly IndexTerm[];
  readonly #settlement: Settlement<void>;

  constructor(entries: readonly IndexTerm[], settlement: Settlement<void>) {
    this.sizeBytes = OVERHEAD_BYTES * (1 + entries.length);
    this.#entries = entries;
    this.#settlement = settlement;
  }

  apply(slot: KeySlot): boolean {
    slot.suspectEntries(this.#entries);
    return true;
  }

  settle(): void {
    this.#settlement.resolve();
  }

  fail(error: unknown): void {
    this.#settlement.reject(error);
  }
}
