/**
 * Sorting many items without keeping the node from other work.
 *
 * Short runs are sorted one at a time, with turns for others between them; then the runs are merged
 * while the result is read, batch by batch.
 */

import type { QueryTime } from './query-time.ts';

export type Order<T> = (left: T, right: T) => number;

const RUN_LENGTH = 4_096;
const BATCH_LENGTH = 1_000;

/** Batches of all items in order. Rejects with the fault `timeout`, also while they are read. */
export async function sortInTurns<T>(
  items: Iterable<T>,
  order: Order<T>,
  time: QueryTime,
): Promise<AsyncIterableIterator<readonly T[]>> {
  const runs: T[][] = [];
  let run: T[] = [];
  for (const item of items) {
    run.push(item);
    if (run.length < RUN_LENGTH) continue;
    runs.push(run.sort(order));
    run = [];
    await time.pass();
  }
  runs.push(run.sort(order));
  return mergeRuns(runs, order, time);
}

async function* mergeRuns<T>(
  runs: readonly (readonly T[])[],
  order: Order<T>,
  time: QueryTime,
): AsyncIterableIterator<readonly T[]> {
  const cursors = runs.filter((run) => run.length > 0).map((items) => ({ items, index: 0 }));
  const heap = new CursorHeap(cursors, order);
  for (;;) {
    const batch: T[] = [];
    while (batch.length < BATCH_LENGTH && !heap.isEmpty) batch.push(heap.take());
    if (batch.length === 0) return;
    const resume = time.pause();
    yield batch;
    resume();
    await time.pass();
  }
}

interface Cursor<T> {
  readonly items: readonly T[];
  index: number;
}

/** A binary heap of cursors by their next items. */
class CursorHeap<T> {
  readonly #cursors: Cursor<T>[];
  readonly #order: Order<T>;

  constructor(cursors: Cursor<T>[], order: Order<T>) {
    this.#cursors = cursors;
    this.#order = order;
    for (let index = cursors.length >> 1; index >= 0; index -= 1) this.#sink(index);
  }

  get isEmpty(): boolean {
    return this.#cursors.length === 0;
  }

  /** The least of all items; the heap is not empty. */
  take(): T {
    const cursor = this.#cursors[0] as Cursor<T>;
    const item = cursor.items[cursor.index] as T;
    cursor.index += 1;
    if (cursor.index === cursor.items.length) {
      const last = this.#cursors.pop() as Cursor<T>;
      if (last !== cursor) this.#cursors[0] = last;
    }
    this.#sink(0);
    return item;
  }

  #sink(start: number): void {
    const cursors = this.#cursors;
    let index = start;
    for (;;) {
      let least = index;
      if (this.#isBefore(2 * index + 1, least)) least = 2 * index + 1;
      if (this.#isBefore(2 * index + 2, least)) least = 2 * index + 2;
      if (least === index) return;
      const moved = cursors[index] as Cursor<T>;
      cursors[index] = cursors[least] as Cursor<T>;
      cursors[least] = moved;
      index = least;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const one = this.#cursors[left];
    const other = this.#cursors[right];
    if (one === undefined || other === undefined) return false;
    return this.#order(one.items[one.index] as T, other.items[other.index] as T) < 0;
  }
}
