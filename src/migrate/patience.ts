/**
 * Patience with an end: nodes restart and are overloaded for a while, and a migration waits for them.
 *
 * What is done anew must be safe to do anew. The pauses double from a quarter of a second to five
 * seconds; when the patience for one piece of work is over, its last fault is the answer.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '../base/fault.ts';
import type { Fault } from '../base/fault.ts';
import { isTransient } from '../client/error-reply.ts';

const PAUSE_FIRST_MS = 250;
const PAUSE_MAX_MS = 5_000;

export class Patience {
  readonly #limitMs: number;
  /** How often something was begun anew. */
  retries = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    const endMs = performance.now() + this.#limitMs;
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, 2 * pauseMs)) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error) || performance.now() + pauseMs > endMs) throw error;
      }
      this.retries += 1;
      await sleep(pauseMs);
    }
  }
}

function isPassing(error: unknown): error is Fault {
  return isFault(error) && (isTransient(error) || UNMET.test(error.message));
}

/** Quorums that a node which is down leaves unmet. */
const UNMET = /^\{?(\w+_val_unsatisfied|too_many_fails|insufficient_vnodes)/;
