/**
 * Bytes that many may hold together: what is above the limit is refused, not waited for.
 */

import { assert } from './fault.ts';

export class ByteBudget {
  readonly #limitBytes: number;
  #takenBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether `sizeBytes` more are granted; then they must be given back. */
  tryTake(sizeBytes: number): boolean {
    if (this.#takenBytes + sizeBytes > this.#limitBytes) return false;
    this.#takenBytes += sizeBytes;
    return true;
  }

  giveBack(sizeBytes: number): void {
    this.#takenBytes -= sizeBytes;
    assert(this.#takenBytes >= 0, 'what is given back was taken');
  }
}
