/** A node's entrance at which everyone waits until the test says what becomes of the first. */

import type { ClientEntrance, Place, Waiter } from '../../src/node/entrance.ts';
import type { ClientWork } from '../../src/node/admission.ts';

export class HeldEntrance implements ClientEntrance {
  readonly works: ClientWork[] = [];
  /** Of requests that had waited elsewhere; all are refused. */
  readonly lateWorks: ClientWork[] = [];
  /** Requests that were let in and not answered. */
  inside = 0;
  waiters: readonly Waiter[] = [];

  enter(work: ClientWork, waiter: Waiter): Place {
    this.works.push(work);
    this.waiters = [...this.waiters, waiter];
    return {
      leave: () => {
        this.waiters = this.waiters.filter((other) => other !== waiter);
      },
    };
  }

  enterLate(work: ClientWork): boolean {
    this.lateWorks.push(work);
    return false;
  }

  exit(): void {
    this.inside -= 1;
  }

  admit(): void {
    this.inside += 1;
    this.#takeFirst()?.admit();
  }

  refuse(): void {
    this.#takeFirst()?.refuse();
  }

  #takeFirst(): Waiter | undefined {
    const [first, ...others] = this.waiters;
    this.waiters = others;
    return first;
  }
}
