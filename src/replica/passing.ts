/**
 * A passing: a change that changes nothing, put behind what is under way for some keys.
 *
 * It is through when, for each of them, all that came before it is durable or has failed.
 */

import type { NodeId } from '../base/names.ts';
import type { Change } from './key-slot.ts';

export class Passing implements Change {
  readonly sizeBytes = 0;
  readonly hintTargets: readonly NodeId[] = [];
  readonly #through: () => void;
  #left = 0;

  /** `through` is called when the last of the slots that it entered has let it pass. */
  constructor(through: () => void) {
    this.#through = through;
  }

  /** Before it is queued in one slot more. */
  enter(): void {
    this.#left += 1;
  }

  apply(): boolean {
    return true;
  }

  settle(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#through();
  }

  fail(): void {
    this.settle();
  }
}
