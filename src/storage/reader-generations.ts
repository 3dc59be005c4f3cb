/**
 * Who may still read what is to be removed.
 *
 * A scan reads a snapshot, and a get may have just read where its body is: both may yet go to a segment
 * that nothing points to any more. Readers enter the present generation; a removal ends it and waits
 * until its readers and those of all generations before have left. Readers that come later cannot
 * know of what is removed. (Epoch-based reclamation, Fraser 2004.)
 */

import { assert } from '../base/fault.ts';

/** What `enter` gives, for `leave`. */
export interface Generation {
  readerCount: number;
  readonly removals: (() => void)[];
}

export class ReaderGenerations {
  /** The oldest first; the last is the present one. */
  readonly #generations: Generation[] = [newGeneration()];
  #waitingCount = 0;

  /** Removals that wait for readers. */
  get waitingCount(): number {
    return this.#waitingCount;
  }

  enter(): Generation {
    const present = this.#generations[this.#generations.length - 1] as Generation;
    present.readerCount += 1;
    return present;
  }

  leave(generation: Generation): void {
    assert(generation.readerCount > 0, 'a reader leaves once');
    generation.readerCount -= 1;
    if (generation.readerCount === 0 && this.#waitingCount > 0) this.#sweep();
  }

  /** Runs `remove` when all who have entered by now have left; at once if there is nobody. */
  whenLeft(remove: () => void): void {
    const present = this.#generations[this.#generations.length - 1] as Generation;
    present.removals.push(remove);
    this.#waitingCount += 1;
    this.#generations.push(newGeneration());
    this.#sweep();
  }

  #sweep(): void {
    for (;;) {
      const oldest = this.#generations[0] as Generation;
      if (this.#generations.length === 1 || oldest.readerCount > 0) return;
      this.#generations.shift();
      this.#waitingCount -= oldest.removals.length;
      for (const remove of oldest.removals) remove();
    }
  }
}

function newGeneration(): Generation {
  return { readerCount: 0, removals: [] };
}
