/**
 * A rate limit: so many objects a second, over all who take turns.
 */

import { setTimeout as sleep } from 'node:timers/promises';

/** Lets them through evenly; undefined: as fast as they come. */
export class ObjectRateLimit {
  readonly #intervalMs: number;
  #nextMs = 0;

  constructor(perSecond: number | undefined) {
    this.#intervalMs = perSecond === undefined ? 0 : 1000 / perSecond;
  }

  async turn(): Promise<void> {
    if (this.#intervalMs === 0) return;
    const nowMs = performance.now();
    const dueMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = dueMs + this.#intervalMs;
    if (dueMs > nowMs) await sleep(dueMs - nowMs);
  }
}
