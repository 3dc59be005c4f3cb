/**
 * Lanes: what each connection has under way, and lists of connections in the order in which they came.
 *
 * A lane is in one list at most and knows which, so that whoever meets it can take it out in constant
 * time.
 */

import { assert } from '../../base/fault.ts';
import type { Call } from './exchange.ts';

/** Of a socket: whether more is read from it. */
export interface Readings {
  pause(): void;
  resume(): void;
}

/** What one connection has under way. */
export class Lane {
  readonly socket: Readings;
  isBusy = false;
  /** When it was left unread, by the monotonic clock; counts while it is. */
  unreadSinceMs = 0;
  /** What it brings has waited unread for as long as a request may. */
  isOverdue = false;
  /** Behind the one under way, in order. */
  readonly waiting: Call[] = [];
  list: LaneList | undefined;
  older: Lane | undefined;
  newer: Lane | undefined;

  constructor(socket: Readings) {
    this.socket = socket;
  }
}

export class LaneList {
  #oldest: Lane | undefined;
  #newest: Lane | undefined;
  #length = 0;

  get oldest(): Lane | undefined {
    return this.#oldest;
  }

  get newest(): Lane | undefined {
    return this.#newest;
  }

  get length(): number {
    return this.#length;
  }

  /** As the newest. */
  append(lane: Lane): void {
    this.#take(lane);
    lane.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = lane;
    else this.#newest.newer = lane;
    this.#newest = lane;
  }

  /** As the oldest. */
  prepend(lane: Lane): void {
    this.#take(lane);
    lane.newer = this.#oldest;
    if (this.#oldest === undefined) this.#newest = lane;
    else this.#oldest.older = lane;
    this.#oldest = lane;
  }

  remove(lane: Lane): void {
    assert(lane.list === this, 'a lane is taken out of the list that it is in');
    const { older, newer } = lane;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    lane.list = undefined;
    lane.older = undefined;
    lane.newer = undefined;
    this.#length -= 1;
  }

  #take(lane: Lane): void {
    assert(lane.list === undefined, 'a lane is in one list at most');
    lane.list = this;
    this.#length += 1;
  }
}
