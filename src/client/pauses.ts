/**
 * Pauses before a node that was overloaded is asked again.
 *
 * They grow with the attempts and are of uneven length, so that many clients do not come back at once:
 * what is refused would else be asked for several times as often, just where there is too much already.
 */

import type { Fault } from '../base/fault.ts';

const FIRST_MS = 50;
const MAX_MS = 5_000;

/** After the first attempt, the second, …: from half of the time that doubles with each, to one and a half. */
export function pauseMsAfter(attempt: number): number {
  return Math.min(MAX_MS, FIRST_MS * 2 ** (attempt - 1)) * (0.5 + Math.random());
}

export class Pauses {
  readonly #enders = new Set<(fault: Fault) => void>();

  get count(): number {
    return this.#enders.size;
  }

  /** Rejects when it is ended. */
  take(pauseMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#enders.delete(end);
        resolve();
      }, pauseMs);
      const end = (fault: Fault): void => {
        clearTimeout(timer);
        reject(fault);
      };
      this.#enders.add(end);
    });
  }

  /** All that are under way. */
  end(fault: Fault): void {
    for (const end of this.#enders) end(fault);
    this.#enders.clear();
  }
}
