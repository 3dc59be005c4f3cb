/**
 * Suspicions: segments of two hash trees that differed although no object in them does.
 *
 * Once means little, for a write may have been on its way. The same bits again mean that one of the
 * trees is wrong. What is remembered is bounded: on a busy cluster writes raise suspicions all the
 * time, and the oldest, which nothing has confirmed since, makes room for the newest.
 */

import { AgedMap } from '../base/aged-map.ts';

export class Suspicions {
  readonly #max: number;
  /** segment → the bits by which it differed */
  readonly #bitsByName = new AgedMap<string, string>();

  /** `max`: how many are remembered. */
  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#bitsByName.size;
  }

  /** Whether the segment differed by the same bits the last time; that is forgotten then. */
  confirm(name: string, bits: string): boolean {
    const isSame = this.#bitsByName.get(name) === bits;
    if (isSame) this.#bitsByName.delete(name);
    else this.#remember(name, bits);
    return isSame;
  }

  #remember(name: string, bits: string): void {
    this.#bitsByName.set(name, bits);
    const oldest = this.#bitsByName.oldest();
    if (this.#bitsByName.size > this.#max && oldest !== undefined) {
      this.#bitsByName.delete(oldest.key);
    }
  }
}
