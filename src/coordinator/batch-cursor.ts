/**
 * One source of an ordered merge: batches in order, asked for one ahead.
 *
 * A cursor holds one batch and has asked for the next, so all sources of a merge work side by side
 * while no more than two batches of each are in memory.
 */

import { assert } from '../base/fault.ts';

type Arrival<T> =
  | { readonly kind: 'batch'; readonly items: readonly T[] }
  | { readonly kind: 'end' }
  | { readonly kind: 'fault'; readonly error: unknown };

export class BatchCursor<T, Source> {
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
