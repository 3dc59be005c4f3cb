/**
 * Bytes that many may hold together: what is above the limit is refused, not waited for.
 */

import { assert } from '../../base/fault.ts';

export class ByteBudget {
  readonly #limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether `sizeBytes` more are granted; then they must be given back. */
  take(sizeBytes: number): boolean {
    if (this.#usedBytes + sizeBytes > this.#limitBytes) return false;
    this.#usedBytes += sizeBytes;
    return true;
  }

  giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    assert(this.#usedBytes >= 0, 'what is given back was taken');
  }
}
