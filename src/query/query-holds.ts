/**
 * What running queries hold in memory: keys to tell apart or to sort, results that are not sent yet.
 *
 * Matches are streamed wherever their order allows, and cost nothing here. What must be held is counted
 * before it is, against a limit for each query and one for all of them, and so is the number of queries
 * under way: beyond a limit a query fails at once and says which.
 */

import { assert } from '../base/fault.ts';
import type { Metrics } from '../base/host.ts';

export interface QueryLimits {
  /** Queries under way in this node; beyond it a query is refused. */
  readonly queriesMax: number;
  /** Bytes that one query may hold. */
  readonly heldMaxBytes: number;
  /** Bytes that all queries together may hold. */
  readonly heldInAllMaxBytes: number;
}

export const QUERY_LIMITS: QueryLimits = {
  queriesMax: 64,
  heldMaxBytes: 128 * 1024 * 1024,
  heldInAllMaxBytes: 256 * 1024 * 1024,
};

/** Which limit was met: the query's own, or that of the node. */
export type HoldRefusal = 'too-large' | 'overload';

export class QueryHolds {
  readonly limits: QueryLimits;
  readonly #metrics: Metrics;
  #heldBytes = 0;
  #queryCount = 0;

  constructor(limits: QueryLimits, metrics: Metrics) {
    this.limits = limits;
    this.#metrics = metrics;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get queryCount(): number {
    return this.#queryCount;
  }

  /** Undefined: as many queries as are allowed are under way. */
  open(): QueryHold | undefined {
    if (this.#queryCount >= this.limits.queriesMax) {
      this.#metrics.count('queries_refused_total');
      return undefined;
    }
    this.#queryCount += 1;
    this.#metrics.gauge('queries_under_way', this.#queryCount);
    return new QueryHold(this);
  }

  /** Of `QueryHold` only. */
  tryTake(sizeBytes: number): boolean {
    if (this.#heldBytes + sizeBytes > this.limits.heldInAllMaxBytes) {
      this.#metrics.count('queries_overloaded_total');
      return false;
    }
    this.#heldBytes += sizeBytes;
    this.#metrics.gauge('query_held_bytes', this.#heldBytes);
    return true;
  }

  /** Of `QueryHold` only. */
  end(sizeBytes: number): void {
    this.#heldBytes -= sizeBytes;
    this.#queryCount -= 1;
    assert(this.#heldBytes >= 0 && this.#queryCount >= 0, 'a query gives back what it took');
    this.#metrics.gauge('query_held_bytes', this.#heldBytes);
    this.#metrics.gauge('queries_under_way', this.#queryCount);
  }
}

/** So that not every key is taken from the node's limit on its own. */
const TAKE_BYTES = 64 * 1024;

/** What one query holds, from `open` until `release`. */
export class QueryHold {
  readonly #holds: QueryHolds;
  /** Taken from the node's limit, and the part of it that is in use. */
  #takenBytes = 0;
  #usedBytes = 0;
  #isReleased = false;

  constructor(holds: QueryHolds) {
    this.#holds = holds;
  }

  get limits(): QueryLimits {
    return this.#holds.limits;
  }

  /** Whether the one who asked has gone, so that the query need not go on. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Undefined: granted. */
  take(sizeBytes: number): HoldRefusal | undefined {
    this.#usedBytes += sizeBytes;
    if (this.#usedBytes <= this.#takenBytes) return undefined;
    const { heldMaxBytes } = this.#holds.limits;
    if (this.#usedBytes > heldMaxBytes || this.#isReleased) return 'too-large';
    const missing = this.#usedBytes - this.#takenBytes;
    const wanted = Math.max(missing, Math.min(TAKE_BYTES, heldMaxBytes - this.#takenBytes));
    if (!this.#holds.tryTake(wanted)) return 'overload';
    this.#takenBytes += wanted;
    return undefined;
  }

  /** What was taken by `take` and is not held any more; it serves the next ones. */
  giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    assert(this.#usedBytes >= 0, 'a query gives back what it took');
  }

  /** Ends the query; may be called again. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#holds.end(this.#takenBytes);
    this.#takenBytes = 0;
  }
}
