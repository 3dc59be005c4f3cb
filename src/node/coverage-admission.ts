/**
 * How many listings and index queries a node carries at once.
 *
 * Each holds streams to many nodes, so past the limit a query is refused at once. It counts until it
 * has ended, in whichever way.
 */

import { Fault } from '../base/fault.ts';
import type { Metrics } from '../base/host.ts';

/** Riak's names for what runs them, under which they are counted. */
export type CoverageWork = 'list_fsm' | 'index_fsm';

export class CoverageAdmission {
  readonly #metrics: Metrics;
  readonly #max: number;
  readonly #active: Record<CoverageWork, number> = { list_fsm: 0, index_fsm: 0 };

  constructor(metrics: Metrics, max: number) {
    this.#metrics = metrics;
    this.#max = max;
  }

  /** Throws `overload`. The query begins with the first `next`. */
  admit<T>(work: CoverageWork, open: () => AsyncIterableIterator<T>): AsyncIterableIterator<T> {
    if (this.#active.list_fsm + this.#active.index_fsm >= this.#max) {
      this.#metrics.count('coverage_refused');
      this.#metrics.count(`${work}_create_error`);
      throw new Fault('overload', 'too many listings and index queries are under way');
    }
    this.#note(work, 1);
    this.#metrics.count(`${work}_create`);
    return new AdmittedQuery(open(), () => this.#note(work, -1));
  }

  #note(work: CoverageWork, more: number): void {
    this.#active[work] += more;
    this.#metrics.gauge(`${work}_active`, this.#active[work]);
  }
}

class AdmittedQuery<T> implements AsyncIterableIterator<T> {
  readonly #query: AsyncIterableIterator<T>;
  #left: (() => void) | undefined;

  constructor(query: AsyncIterableIterator<T>, left: () => void) {
    this.#query = query;
    this.#left = left;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    try {
      const result: IteratorResult<T, unknown> = await this.#query.next();
      if (result.done !== true) return { done: false, value: result.value };
    } catch (error) {
      this.#leave();
      throw error;
    }
    this.#leave();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#leave();
    await this.#query.return?.();
    return { done: true, value: undefined };
  }

  #leave(): void {
    this.#left?.();
    this.#left = undefined;
  }
}
