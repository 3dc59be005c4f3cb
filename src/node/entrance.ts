/**
 * The entrance: where client requests wait for room.
 *
 * A refusal is not free. The request has come in, it is answered, and its client is back at once: at
 * ten times the load a node that refuses on the spot does little else. So who finds no room waits in
 * line, and what comes behind it on its connection waits too, in the end unread. While the line is
 * short the first to come is the first to go. When the first has waited for `turnMs` there is more
 * than can be served, some will wait in vain whatever is done, and the last to come goes first: its
 * client is surely still there. Who has waited for `waitMaxMs` is refused. So a connection costs one
 * refusal in that time at most, however fast its client is.
 *
 * Invariant: each waiter hears `admit` or `refuse` once, unless it leaves; while there is room nobody
 * waits. Source: Maurer 2015, "Fail at Scale" (adaptive LIFO).
 */

import { assert } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { Admission, ClientWork } from './admission.ts';

/** One connection whose next request waits. */
export interface Waiter {
  /** There is room, and it is held until `exit`: bring the request. */
  admit(): void;
  /** Answer it as overload: it has waited too long, or the node stops. */
  refuse(): void;
}

/** Where one waits. */
export interface Place {
  /** The client has gone: neither `admit` nor `refuse` will be called. */
  leave(): void;
}

/** What the edges ask before they bring a get, put or delete. */
export interface ClientEntrance {
  /** Undefined: bring it now, and call `exit` when it is answered. Otherwise `waiter` is in line. */
  enter(work: ClientWork, waiter: Waiter): Place | undefined;
  /** As `enter` of one that has waited elsewhere for as long as one may; false: answer it as overload. */
  enterLate(work: ClientWork): boolean;
  /** A request that was let in has been answered. */
  exit(): void;
}

export interface EntranceOptions {
  /** A wait from which on the last to come goes first. */
  readonly turnMs: number;
  /** A wait after which a request is refused. */
  readonly waitMaxMs: number;
  /** Requests in line; with more the first to have come are refused. */
  readonly lengthMax: number;
}

/**
 * Refusals in one turn of the event loop: who came together shall not stop all others together. Under
 * overload a turn takes 100 ms and more, and there must be enough of them all the same.
 */
const REFUSED_AT_ONCE_MAX = 512;
const REFUSALS_PAUSE_MS = 5;

class WaitingPlace implements Place {
  readonly work: ClientWork;
  readonly waiter: Waiter;
  readonly sinceMs: number;
  readonly #remove: (place: WaitingPlace) => void;
  isWaiting = true;
  older: WaitingPlace | undefined;
  newer: WaitingPlace | undefined;

  constructor(
    work: ClientWork,
    waiter: Waiter,
    { sinceMs, remove }: { sinceMs: number; remove: (place: WaitingPlace) => void },
  ) {
    this.work = work;
    this.waiter = waiter;
    this.sinceMs = sinceMs;
    this.#remove = remove;
  }

  leave(): void {
    if (this.isWaiting) this.#remove(this);
  }
}

export class Entrance implements ClientEntrance {
  readonly #host: Pick<Host, 'clock' | 'metrics'>;
  readonly #admission: Admission;
  readonly #options: EntranceOptions;
  /** Let in and not answered yet. */
  #inside = 0;
  #length = 0;
  #oldest: WaitingPlace | undefined;
  #newest: WaitingPlace | undefined;
  #cancelRefusals: (() => void) | undefined;
  /** When refusals come next, by the monotonic clock. */
  #refusalsMs = Infinity;
  #isAdmitting = false;
  #isClosed = false;

  constructor(
    host: Pick<Host, 'clock' | 'metrics'>,
    admission: Admission,
    options: EntranceOptions,
  ) {
    this.#host = host;
    this.#admission = admission;
    this.#options = options;
    admission.onRoom(() => this.#admit());
  }

  enter(work: ClientWork, waiter: Waiter): Place | undefined {
    if (this.#length === 0 && this.#hasRoom()) {
      this.#inside += 1;
      return undefined;
    }
    const place = new WaitingPlace(work, waiter, {
      sinceMs: this.#host.clock.monotonicMs(),
      remove: this.#remove,
    });
    this.#append(place);
    this.#host.metrics.count('requests_waited');
    this.#scheduleRefusals(0);
    return place;
  }

  enterLate(work: ClientWork): boolean {
    if (this.#length === 0 && this.#hasRoom()) {
      this.#inside += 1;
      return true;
    }
    this.#admission.noteRefused(work);
    return false;
  }

  exit(): void {
    this.#inside -= 1;
    assert(this.#inside >= 0, 'who leaves was let in');
    this.#admit();
  }

  /** Refuses all that wait, and all that come. */
  close(): void {
    this.#isClosed = true;
    this.#scheduleRefusals(0);
  }

  #hasRoom(): boolean {
    return !this.#isClosed && this.#inside < this.#admission.limit && this.#admission.hasRoom;
  }

  /** Lets in who waits while there is room. One that is let in may be done at once: no recursion. */
  #admit(): void {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    while (this.#length > 0 && this.#hasRoom()) {
      const place = this.#next();
      this.#remove(place);
      this.#inside += 1;
      place.waiter.admit();
    }
    this.#isAdmitting = false;
  }

  #next(): WaitingPlace {
    const oldest = mustBe(this.#oldest);
    const waitedMs = this.#host.clock.monotonicMs() - oldest.sinceMs;
    return waitedMs < this.#options.turnMs ? oldest : mustBe(this.#newest);
  }

  /** One timer, for the oldest; not before `pauseMs` from now. */
  #scheduleRefusals(pauseMs: number): void {
    if (this.#oldest === undefined) return;
    const { clock } = this.#host;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.max(nowMs + pauseMs, this.#refusalMs(this.#oldest));
    if (dueMs >= this.#refusalsMs) return;
    this.#cancelRefusals?.();
    this.#refusalsMs = dueMs;
    this.#cancelRefusals = clock.after(dueMs - nowMs, () => {
      this.#refusalsMs = Infinity;
      this.#refuse();
    });
  }

  #refusalMs({ sinceMs }: WaitingPlace): number {
    const isDue = this.#isClosed || this.#length > this.#options.lengthMax;
    return isDue ? sinceMs : sinceMs + this.#options.waitMaxMs;
  }

  #refuse(): void {
    const nowMs = this.#host.clock.monotonicMs();
    for (let refused = 0; refused < REFUSED_AT_ONCE_MAX; refused += 1) {
      const oldest = this.#oldest;
      if (oldest === undefined || this.#refusalMs(oldest) > nowMs) break;
      this.#remove(oldest);
      this.#admission.noteRefused(oldest.work);
      oldest.waiter.refuse();
    }
    this.#scheduleRefusals(REFUSALS_PAUSE_MS);
  }

  #append(place: WaitingPlace): void {
    place.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = place;
    else this.#newest.newer = place;
    this.#newest = place;
    this.#noteLength(1);
  }

  readonly #remove = (place: WaitingPlace): void => {
    const { older, newer } = place;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    place.isWaiting = false;
    this.#noteLength(-1);
  };

  #noteLength(more: number): void {
    this.#length += more;
    this.#host.metrics.gauge('requests_waiting', this.#length);
  }
}

function mustBe(place: WaitingPlace | undefined): WaitingPlace {
  assert(place !== undefined, 'a line that is not empty has two ends');
  return place;
}
