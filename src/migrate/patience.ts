/**
 * Patience with an end: nodes restart and are overloaded for a while, and a migration waits for them.
 *
 * What is done anew must be safe to do anew. The pauses double from a quarter of a second to five
 * seconds. When the patience for one piece of work is over, its last fault is the answer; where the end
 * has long served nothing else either, that is `Silence`, which is no matter of one object.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, isFault } from '../base/fault.ts';
import { isTransient } from '../client/error-reply.ts';

const PAUSE_FIRST_MS = 250;
const PAUSE_MAX_MS = 5_000;

/** An end serves nobody any more. */
export class Silence extends Fault {
  /** Tells the type from that of any fault. */
  readonly isOfAll = true;
}

/** Those for which somebody has waited long enough. */
const waitedFor = new WeakSet<Fault>();

export class Patience {
  readonly #limitMs: number;
  readonly #end: string;
  #servedMs = -Infinity;
  /** How often something was begun anew. */
  retries = 0;

  /** `end`: as it is called where it falls silent. */
  constructor(limitMs: number, end: string) {
    this.#limitMs = limitMs;
    this.#end = end;
  }

  async with<T>(work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(PAUSE_MAX_MS, 2 * pauseMs)) {
      try {
        const result = await work();
        this.#servedMs = performance.now();
        return result;
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (performance.now() + pauseMs > startMs + this.#limitMs) throw this.#over(error, startMs);
      }
      this.retries += 1;
      await sleep(pauseMs);
    }
  }

  #over(fault: Fault, startMs: number): Fault {
    const silentMs = performance.now() - Math.max(startMs, this.#servedMs);
    if (silentMs > this.#limitMs / 2) {
      const seconds = (silentMs / 1000).toFixed(silentMs < 10_000 ? 1 : 0);
      const message = `${this.#end} served nothing for ${seconds} s: ${fault.message}`;
      return new Silence(fault.code, message, { cause: fault });
    }
    return spent(fault);
  }
}

/** It is not to be waited for again. */
export function spent(fault: Fault): Fault {
  waitedFor.add(fault);
  return fault;
}

/** Whether it may be over after a while, and nobody has waited for that yet. */
export function isPassing(error: unknown): error is Fault {
  return isFault(error) && !wasWaitedFor(error) && isWorthWaiting(error);
}

/** Whether it was waited for until the patience was over. */
export function wasWaitedFor(error: unknown): error is Fault {
  return isFault(error) && (error instanceof Silence || waitedFor.has(error));
}

function isWorthWaiting(fault: Fault): boolean {
  return isTransient(fault) || UNMET.test(fault.message);
}

/** What a node that is down leaves unmet, and what listings and queries of Riak say of overload. */
const UNMET =
  /^(\{error,)?\{?(\w+_val_unsatisfied|too_many_fails|insufficient_vnodes|timeout|overload|mailbox_overload)/;
