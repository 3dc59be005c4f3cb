/**
 * The index sweep: finds the index entries that damaged copies have left behind.
 *
 * A write removes the entries of the copy it replaces. Of a copy whose head cannot be read nobody
 * knows which they were; so the entries of its bucket are gone through, and those of the key that
 * its copy does not have any more are removed in the key's turn like any other change.
 *
 * A bucket may have a hundred million entries, at 3.4 µs of the event loop each, and a damaged block of the
 * store leaves many copies without their heads. So all keys of a bucket that wait are swept together, and
 * most of the time is left to others. Bounded: past the end of the queue a key keeps its stale entries until
 * it is damaged again.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';
import { bucketIndexRange, decodeIndexKey, type IndexTerm } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Settlement } from './changes.ts';
import { keyPages } from './key-pages.ts';
import type { Change, KeyPlace, KeySlot } from './key-slot.ts';

const QUEUE_MAX = 1_024;
/** A fifth of the time is worked. */
const REST_PER_WORK = 4;
/** Shorter rests are put together. */
const REST_MIN_MS = 20;
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
  /** Of rests that are yet to be taken. */
  #owedMs = 0;
  #endRest: (() => void) | undefined;

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
    this.#endRest?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let [first] = this.#queue; first !== undefined; [first] = this.#queue) {
      const places = this.#takeAll(first.key);
      try {
        await this.#sweep(first.key, places);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#host.metrics.count('replica_index_sweeps_failed', places.length);
      }
    }
  }

  /** Those that wait of this key's bucket. */
  #takeAll({ type, bucket }: ObjectKey): KeyPlace[] {
    const isMeant = ({ key }: KeyPlace): boolean => key.bucket === bucket && key.type === type;
    const places = this.#queue.filter(isMeant);
    const others = this.#queue.filter((place) => !isMeant(place));
    this.#queue.splice(0, this.#queue.length, ...others);
    return places;
  }

  async #sweep(bucket: ObjectKey, places: readonly KeyPlace[]): Promise<void> {
    const entriesByName = new Map<string, IndexTerm[]>();
    for (const { partition, key } of places) entriesByName.set(nameOf(partition, key), []);
    const { clock } = this.#host;
    let startedMs = clock.monotonicMs();
    for await (const page of keyPages(this.#ports.store, bucketIndexRange(bucket))) {
      for (const bytes of page) {
        const { partition, key, entry } = decodeIndexKey(bytes);
        entriesByName.get(nameOf(partition, key))?.push(entry);
      }
      await this.#rest(clock.monotonicMs() - startedMs);
      if (this.#isClosed) return;
      startedMs = clock.monotonicMs();
    }
    for (const place of places) {
      const entries = entriesByName.get(nameOf(place.partition, place.key)) ?? [];
      await new Promise<void>((resolve, reject) => {
        this.#ports.submit(place, new SweptChange(entries, { resolve, reject }));
      });
      this.#host.metrics.count('replica_index_sweeps');
    }
  }

  /** In proportion to what a page took. Ends early when it is closed. */
  async #rest(tookMs: number): Promise<void> {
    this.#owedMs += tookMs * REST_PER_WORK;
    if (this.#owedMs < REST_MIN_MS || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#host.clock.after(this.#owedMs, resolve);
      this.#endRest = () => {
        cancel();
        resolve();
      };
    });
    this.#owedMs = 0;
  }
}

/** All of one bucket. */
function nameOf(partition: Partition, { key }: ObjectKey): string {
  return `${partition}/${key}`;
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
