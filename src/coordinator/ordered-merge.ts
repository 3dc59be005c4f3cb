/**
 * Merging ordered streams: many sorted sources, one sorted result, bounded memory.
 *
 * A binary heap of cursors by their next item. Each cursor holds one batch and has asked for the
 * next, so all sources work side by side while no more than two batches of each are in memory. An
 * item of a source is given out only when every other source has shown its next one.
 */

import { assert } from '../base/fault.ts';

/** Ascending: negative if `left` comes first, 0 only for equal items. */
export type Order<T> = (left: T, right: T) => number;

type Arrival<T> =
  | { readonly kind: 'batch'; readonly items: readonly T[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'fault'; readonly error: unknown };

/** One source: batches in order, asked for one ahead. */
export class Cursor<T, Source> {
  /** What the opener knows it by. */
  readonly source: Source;
  readonly #batches: AsyncIterator<readonly T[]>;
  #arrival: Promise<Arrival<T>>;
  #items: readonly T[] = [];
  #index = 0;
  #last: T | undefined;

  constructor(source: Source, batches: AsyncIterator<readonly T[]>) {
    this.source = source;
    this.#batches = batches;
    this.#arrival = this.#ask();
  }

  /** The next item; undefined when the batch is used up: then `fill`. */
  get head(): T | undefined {
    return this.#items[this.#index];
  }

  /** The last item that came in at all. */
  get last(): T | undefined {
    return this.#last;
  }

  take(): T {
    const item = this.#items[this.#index];
    assert(item !== undefined, 'an item is taken only after it was seen');
    this.#index += 1;
    return item;
  }

  /** Waits for the next batch; false: the source has ended. Throws the source's fault. */
  async fill(): Promise<boolean> {
    for (;;) {
      const arrival = await this.#arrival;
      if (arrival.kind === 'end') return false;
      if (arrival.kind === 'fault') throw arrival.error;
      this.#arrival = this.#ask();
      if (arrival.items.length === 0) continue;
      this.#items = arrival.items;
      this.#index = 0;
      this.#last = arrival.items.at(-1);
      return true;
    }
  }

  /** Stops the source; what it still sends is dropped. */
  close(): void {
    this.#batches.return?.().catch(() => undefined);
  }

  /** Settles always, so that a fault nobody waits for yet is kept and not unhandled. */
  #ask(): Promise<Arrival<T>> {
    return this.#batches.next().then(
      (result): Arrival<T> => {
        return result.done === true ? { kind: 'end' } : { kind: 'batch', items: result.value };
      },
      (error: unknown): Arrival<T> => ({ kind: 'fault', error }),
    );
  }
}

/** The cursors that have an item, the least one first. */
export class CursorHeap<T, Source> {
  readonly #order: Order<T>;
  readonly #cursors: Cursor<T, Source>[] = [];

  constructor(order: Order<T>) {
    this.#order = order;
  }

  get least(): Cursor<T, Source> | undefined {
    return this.#cursors[0];
  }

  /** `cursor` must have an item. */
  add(cursor: Cursor<T, Source>): void {
    const cursors = this.#cursors;
    let index = cursors.length;
    cursors.push(cursor);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** The least cursor has moved on, and has an item still. */
  settleLeast(): void {
    const { length } = this.#cursors;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let least = index;
      if (left < length && this.#isBefore(left, least)) least = left;
      if (right < length && this.#isBefore(right, least)) least = right;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  removeLeast(): void {
    const last = this.#cursors.pop();
    if (last === undefined || this.#cursors.length === 0) return;
    this.#cursors[0] = last;
    this.settleLeast();
  }

  /** All cursors, in no order. */
  all(): readonly Cursor<T, Source>[] {
    return this.#cursors;
  }

  #isBefore(index: number, other: number): boolean {
    const head = this.#cursors[index]?.head;
    const otherHead = this.#cursors[other]?.head;
    assert(head !== undefined && otherHead !== undefined, 'a cursor in the heap has an item');
    return this.#order(head, otherHead) < 0;
  }

  #swap(index: number, other: number): void {
    const cursor = this.#cursors[index];
    const otherCursor = this.#cursors[other];
    assert(cursor !== undefined && otherCursor !== undefined, 'both are in the heap');
    this.#cursors[index] = otherCursor;
    this.#cursors[other] = cursor;
  }
}
