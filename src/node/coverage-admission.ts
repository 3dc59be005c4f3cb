/**
 * How many listings and index queries a node carries at once.
 *
 * Each holds streams to many nodes. Past the limit of its kind a query waits, in the order of arrival and for as
 * long as its time-out; where so many wait already it is refused at once. It counts until it has ended, in
 * whichever way. Listings and index queries do not wait for each other: a reader may take hours for a listing.
 */

import { Fault } from '../base/fault.ts';
import type { Clock, Host, Metrics } from '../base/host.ts';

/** Riak's names for what runs them, under which they are counted. */
export type CoverageWork = 'list_fsm' | 'index_fsm';

export interface CoverageLimits {
  /** Under way, of each kind. */
  readonly coverageMax: number;
  /** That wait, of each kind. */
  readonly coverageWaitingMax: number;
}

export class CoverageAdmission {
  readonly #metrics: Metrics;
  readonly #lanes: Record<CoverageWork, Lane>;

  constructor(host: Pick<Host, 'clock' | 'metrics'>, limits: CoverageLimits) {
    this.#metrics = host.metrics;
    const counted = (work: CoverageWork): Lane => {
      return new Lane(host.clock, limits, {
        began: () => host.metrics.count(`${work}_create`),
        waits: () => host.metrics.count('coverage_waited'),
        changed: () => this.#gauge(work),
      });
    };
    this.#lanes = { list_fsm: counted('list_fsm'), index_fsm: counted('index_fsm') };
  }

  /**
   * Throws `overload`. The query begins with the first `next`, if need be when it has waited; that rejects with
   * `timeout` if the wait takes longer than `timeoutMs`.
   */
  admit<T>(
    work: CoverageWork,
    timeoutMs: number,
    open: () => AsyncIterableIterator<T>,
  ): AsyncIterableIterator<T> {
    const lane = this.#lanes[work];
    if (lane.isFull) {
      this.#metrics.count('coverage_refused');
      this.#metrics.count(`${work}_create_error`);
      throw new Fault('overload', 'too many listings and index queries are under way');
    }
    return new AdmittedQuery(lane.enter(timeoutMs), open);
  }

  #gauge(work: CoverageWork): void {
    const { list_fsm: lists, index_fsm: queries } = this.#lanes;
    this.#metrics.gauge(`${work}_active`, this.#lanes[work].activeCount);
    this.#metrics.gauge('coverage_waiting', lists.waitingCount + queries.waitingCount);
  }
}

interface LaneObserver {
  readonly began: () => void;
  readonly waits: () => void;
  readonly changed: () => void;
}

/** The queries of one kind. */
class Lane {
  readonly #clock: Clock;
  readonly #limits: CoverageLimits;
  readonly #observer: LaneObserver;
  /** In the order of arrival. */
  readonly #waiting = new Set<Place>();
  #activeCount = 0;

  constructor(clock: Clock, limits: CoverageLimits, observer: LaneObserver) {
    this.#clock = clock;
    this.#limits = limits;
    this.#observer = observer;
  }

  get activeCount(): number {
    return this.#activeCount;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get isFull(): boolean {
    return this.#mustWait && this.#waiting.size >= this.#limits.coverageWaitingMax;
  }

  get #mustWait(): boolean {
    return this.#activeCount >= this.#limits.coverageMax;
  }

  enter(timeoutMs: number): Place {
    const place = new Place((wasActive) => this.#left(place, wasActive));
    if (this.#mustWait) {
      this.#waiting.add(place);
      this.#observer.waits();
      place.waitUntil((late) => this.#clock.after(timeoutMs, late));
    } else this.#begin(place);
    this.#observer.changed();
    return place;
  }

  #begin(place: Place): void {
    this.#activeCount += 1;
    this.#observer.began();
    place.begin();
  }

  #left(place: Place, wasActive: boolean): void {
    this.#waiting.delete(place);
    if (wasActive) this.#activeCount -= 1;
    const [next] = this.#waiting;
    if (next !== undefined && !this.#mustWait) {
      this.#waiting.delete(next);
      this.#begin(next);
    }
    this.#observer.changed();
  }
}

/** Of one query, from when it comes until it has ended. */
class Place {
  /** Rejects if it takes too long. */
  readonly turn: Promise<void>;
  readonly #left: (wasActive: boolean) => void;
  #resolve = (): void => undefined;
  #reject = (_fault: Fault): void => undefined;
  #state: 'waiting' | 'active' | 'left' = 'waiting';
  #cancelTimer = (): void => undefined;

  constructor(left: (wasActive: boolean) => void) {
    this.#left = left;
    this.turn = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever asks for the first batch hears of it.
    this.turn.catch(() => undefined);
  }

  waitUntil(after: (late: () => void) => () => void): void {
    this.#cancelTimer = after(() => {
      this.#leave(new Fault('timeout', 'too many listings and index queries were under way'));
    });
  }

  begin(): void {
    this.#cancelTimer();
    this.#state = 'active';
    this.#resolve();
  }

  /** Idempotent. */
  leave(): void {
    this.#leave(new Fault('closed', 'the query was given up'));
  }

  #leave(fault: Fault): void {
    if (this.#state === 'left') return;
    const wasActive = this.#state === 'active';
    this.#state = 'left';
    this.#cancelTimer();
    this.#reject(fault);
    this.#left(wasActive);
  }
}

class AdmittedQuery<T> implements AsyncIterableIterator<T> {
  readonly #place: Place;
  readonly #open: () => AsyncIterableIterator<T>;
  #query: AsyncIterableIterator<T> | undefined;
  #hasEnded = false;

  constructor(place: Place, open: () => AsyncIterableIterator<T>) {
    this.#place = place;
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    try {
      if (this.#query === undefined) {
        await this.#place.turn;
        if (this.#hasEnded) return END;
        this.#query = this.#open();
      }
      const result: IteratorResult<T, unknown> = await this.#query.next();
      if (result.done !== true) return { done: false, value: result.value };
    } catch (error) {
      this.#place.leave();
      // Given up while it waited; what the query itself throws is told.
      if (this.#hasEnded && this.#query === undefined) return END;
      throw error;
    }
    this.#place.leave();
    return END;
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#hasEnded = true;
    this.#place.leave();
    await this.#query?.return?.();
    return END;
  }
}

const END = { done: true, value: undefined } as const;
