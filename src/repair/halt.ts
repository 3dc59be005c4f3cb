/**
 * A halt: what ends a piece of background work early, and every wait in it.
 */

import type { Clock } from '../base/host.ts';

export class Halt {
  #isSet = false;
  readonly #waiters = new Set<() => void>();

  get isSet(): boolean {
    return this.#isSet;
  }

  set(): void {
    this.#isSet = true;
    for (const end of this.#waiters) end();
  }

  /** Resolves after `delayMs`, or at the halt; false: there was a halt. */
  async wait(clock: Clock, delayMs: number): Promise<boolean> {
    if (!this.#isSet && delayMs > 0) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          cancel();
          this.#waiters.delete(end);
          resolve();
        };
        const cancel = clock.after(delayMs, end);
        this.#waiters.add(end);
      });
    }
    return !this.#isSet;
  }
}
