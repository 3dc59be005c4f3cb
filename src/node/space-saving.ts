/**
 * The heaviest items of a stream, in bounded memory: the Space-Saving sketch, with halving.
 *
 * As many items are counted as there is capacity. One that is not among them takes the place of the least,
 * and its count: so it may be overestimated by as much, and never under. Halving all counts now and
 * then makes them sums in which what is old weighs less; the guarantees hold for those sums.
 *
 * Invariants, for `total` the weight of all items and `f` that of one: it is counted with
 * count − error ≤ f ≤ count and error ≤ total / capacity; what is not counted has f ≤ total / capacity.
 *
 * Source: Metwally, Agrawal, El Abbadi 2005, "Efficient computation of frequent and top-k elements".
 */

export interface HeavyItem {
  readonly item: string;
  readonly count: number;
  /** By how much the count may be too high. */
  readonly error: number;
}

interface Counter {
  item: string;
  count: number;
  error: number;
  /** Its place in the heap. */
  place: number;
}

export class SpaceSaving {
  readonly capacity: number;
  readonly #counterByItem = new Map<string, Counter>();
  /** A binary heap, the least count first. */
  readonly #heap: Counter[] = [];
  #total = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** The weight of all items. */
  get total(): number {
    return this.#total;
  }

  /** Counts one occurrence: O(log capacity). */
  add(item: string): void {
    this.#total += 1;
    const counter = this.#counterByItem.get(item) ?? this.#admit(item);
    counter.count += 1;
    this.#sink(counter);
  }

  halve(): void {
    // What was in order stays in order.
    for (const counter of this.#heap) {
      counter.count /= 2;
      counter.error /= 2;
    }
    this.#total /= 2;
  }

  /** All that is counted, the heaviest first. */
  items(): readonly HeavyItem[] {
    return this.#heap
      .map(({ item, count, error }) => ({ item, count, error }))
      .sort((left, right) => right.count - left.count || left.error - right.error);
  }

  /** A counter for an item that has none: a new one while there is room, or else the least. */
  #admit(item: string): Counter {
    const least = this.#heap[0];
    let counter: Counter;
    if (least === undefined || this.#heap.length < this.capacity) {
      counter = { item, count: 0, error: 0, place: this.#heap.length };
      this.#heap.push(counter);
      this.#rise(counter);
    } else {
      counter = least;
      this.#counterByItem.delete(counter.item);
      counter.item = item;
      counter.error = counter.count;
    }
    this.#counterByItem.set(item, counter);
    return counter;
  }

  #rise(counter: Counter): void {
    while (counter.place > 0) {
      const parent = this.#heap[(counter.place - 1) >> 1] as Counter;
      if (parent.count <= counter.count) return;
      this.#swap(parent, counter);
    }
  }

  #sink(counter: Counter): void {
    for (;;) {
      const left = this.#heap[2 * counter.place + 1];
      const right = this.#heap[2 * counter.place + 2];
      const lesser = right !== undefined && left !== undefined && right.count < left.count;
      const child = lesser ? right : left;
      if (child === undefined || child.count >= counter.count) return;
      this.#swap(counter, child);
    }
  }

  #swap(upper: Counter, lower: Counter): void {
    const { place } = upper;
    upper.place = lower.place;
    lower.place = place;
    this.#heap[upper.place] = upper;
    this.#heap[lower.place] = lower;
  }
}
