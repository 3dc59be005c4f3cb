/**
 * A map of what is there for moments: entries come and go all the time, and hold much.
 *
 * V8 makes the table of a `Map` anew after as many deletions as half of it has room for, and the old
 * table keeps what was in it then, and points to the new one. As soon as one of these tables has come
 * into the old generation, it keeps all that follow alive for the collector of the young one, and
 * with them whatever was under way when each was left, until the whole heap is marked. A node kept
 * every buffer that passed through it that way. So each value lies in a box here, which is emptied
 * when its entry goes.
 */

interface Box<V> {
  value: V | undefined;
}

export class PassingMap<K, V extends object> {
  readonly #boxes = new Map<K, Box<V>>();

  get size(): number {
    return this.#boxes.size;
  }

  get(key: K): V | undefined {
    return this.#boxes.get(key)?.value;
  }

  set(key: K, value: V): void {
    const box = this.#boxes.get(key);
    if (box === undefined) this.#boxes.set(key, { value });
    else box.value = value;
  }

  /** What was there. */
  take(key: K): V | undefined {
    const box = this.#boxes.get(key);
    if (box === undefined) return undefined;
    this.#boxes.delete(key);
    const { value } = box;
    box.value = undefined;
    return value;
  }

  /** In the order in which the keys came. */
  *values(): IterableIterator<V> {
    for (const { value } of this.#boxes.values()) if (value !== undefined) yield value;
  }

  clear(): void {
    for (const box of this.#boxes.values()) box.value = undefined;
    this.#boxes.clear();
  }
}
