/**
 * Whose next request is read.
 *
 * `node:http` reads and parses a request whole before anyone can say that there is no room for it, and
 * then it has to be refused: with thousands of connections a node would do little else. So from when
 * `waitingMax` requests that have been read wait for room, connections at rest are left unread: TCP lets
 * their clients wait, and what they send costs nothing until its turn comes. Who is answered while fewer
 * wait goes on being read: its client is there. For each fourth answer the connection that has been
 * unread longest is read, so that everyone's turn comes; and where there are not half as many, those
 * that wait and those just answered together, the others are read again, the last left first.
 *
 * Who has been left unread for `unreadMaxMs` waits no longer: the connection is read, and a request that is
 * there is refused, as one that has waited for so long at the entrance is. There is one such refusal for each
 * answer, and some each second whatever is answered, so that refusing takes a small share of the time. A
 * connection that has nothing to ask goes on unread.
 *
 * At rest is a connection whose last request needed room and has been answered, or that was there before
 * the crowd and has asked for nothing yet. Others are always read: those of probes, and all new ones.
 *
 * Invariant: as long as requests are answered, or none waits, whoever is unread is on its way back.
 * Source: Maurer 2015, "Fail at Scale" (adaptive LIFO).
 */

import { LaneList } from './lane.ts';
import type { Clock, Metrics } from '../../base/host.ts';
import type { Lane } from './lane.ts';

/** Answers for which one connection is read out of its order. */
const ANSWERS_EACH = 4;
/** Connections that are asked at once for what has waited too long; a refusal costs some 35 µs. */
const ASKED_AT_ONCE_MAX = 1_024;
const ASK_PAUSE_MS = 25;
/** A second, whatever is answered: 2 % of a processor. */
const REFUSALS_LEAST = 500;

export interface ReadingTurnsOptions {
  /** Requests that wait for room from which on connections at rest are not read. */
  readonly waitingMax: number;
  /** After so long a connection that is not read is asked for what it has. */
  readonly unreadMaxMs: number;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** Runs what it is given when this turn of the event loop is over, as `setImmediate`. */
  readonly defer: (run: () => void) => void;
}

export class ReadingTurns {
  readonly #metrics: Metrics;
  readonly #options: ReadingTurnsOptions;
  /** Read. */
  readonly #resting = new LaneList();
  readonly #unread = new LaneList();
  /** Requests that wait for room. */
  #waiting = 0;
  /** Answers since one was read for them. */
  #answers = 0;
  /** Lanes that came to rest in this turn of the event loop: their clients may be about to ask again. */
  #expected = 0;
  #isRecallDue = false;
  /** Read for a moment, to refuse what has waited too long. */
  readonly #asked = new LaneList();
  /** Refusals that there is time for. */
  #refusals = 0;
  #refusalsAtMs: number;
  #isAskDue = false;

  constructor(metrics: Metrics, options: ReadingTurnsOptions) {
    this.#metrics = metrics;
    this.#options = options;
    this.#refusalsAtMs = options.clock.monotonicMs();
  }

  /** A connection is there. */
  open(lane: Lane): void {
    if (!this.#isCrowded()) this.#resting.append(lane);
  }

  /** A request that needed room has been answered on `lane`, and nothing is under way there. */
  rest(lane: Lane): void {
    if (this.#isCrowded()) this.#stopReading(lane);
    else {
      this.#resting.append(lane);
      this.#expected += 1;
    }
    // A refusal that was asked for must not ask for the next.
    if (!lane.isOverdue) {
      this.#answers += 1;
      this.#refusals += 1;
    }
    this.#planRecall();
  }

  /** A request has come on `lane`, or it is closed. */
  stir(lane: Lane): void {
    const { list } = lane;
    list?.remove(lane);
    if (list === this.#unread) this.#showUnread();
  }

  /** One more request waits for room. */
  wait(): void {
    this.#waiting += 1;
    if (!this.#isCrowded()) return;
    for (let lane = this.#resting.oldest; lane !== undefined; lane = this.#resting.oldest) {
      this.#resting.remove(lane);
      this.#stopReading(lane);
    }
  }

  /** One of those that waited does so no more. */
  waitEnded(): void {
    this.#waiting -= 1;
    this.#planRecall();
  }

  /** `lane` is read until it rests again, however many wait; false: it was anyway. */
  recall(lane: Lane): boolean {
    if (lane.list !== this.#unread) return false;
    this.stir(lane);
    lane.socket.resume();
    return true;
  }

  #isCrowded(): boolean {
    return this.#waiting >= this.#options.waitingMax;
  }

  #stopReading(lane: Lane): void {
    lane.socket.pause();
    lane.unreadSinceMs = this.#options.clock.monotonicMs();
    this.#unread.append(lane);
    this.#planAsk();
    this.#metrics.count('http_readings_stopped_total');
    this.#showUnread();
  }

  /** Once in a turn of the event loop: what was let be read has come by then, or is not there. */
  #planRecall(): void {
    if (this.#unread.length === 0) {
      this.#answers = 0;
      this.#expected = 0;
    } else if (!this.#isRecallDue && (this.#places() > 0 || this.#answers >= ANSWERS_EACH)) {
      this.#isRecallDue = true;
      this.#options.defer(() => {
        this.#isRecallDue = false;
        this.#recallSome();
        this.#planRecall();
      });
    }
  }

  #places(): number {
    return Math.ceil(this.#options.waitingMax / 2) - this.#waiting;
  }

  #recallSome(): void {
    for (; this.#answers >= ANSWERS_EACH; this.#answers -= ANSWERS_EACH) {
      const { oldest } = this.#unread;
      if (oldest !== undefined) this.recall(oldest);
    }
    const expected = this.#expected;
    this.#expected = 0;
    for (let places = this.#places() - expected; places > 0; places -= 1) {
      const { newest } = this.#unread;
      if (newest === undefined) break;
      this.#unread.remove(newest);
      // Below those that came to rest since, as it was.
      this.#resting.prepend(newest);
      newest.socket.resume();
    }
    this.#showUnread();
  }

  /** One timer, for the connection that has been unread longest. */
  #planAsk(): void {
    const { clock, unreadMaxMs } = this.#options;
    const { oldest } = this.#unread;
    if (this.#isAskDue || oldest === undefined) return;
    this.#isAskDue = true;
    const dueMs = oldest.unreadSinceMs + unreadMaxMs - clock.monotonicMs();
    clock.after(Math.max(dueMs, ASK_PAUSE_MS), () => this.#ask());
  }

  #ask(): void {
    const { clock, defer, unreadMaxMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const earned = ((nowMs - this.#refusalsAtMs) * REFUSALS_LEAST) / 1_000;
    this.#refusals = Math.min(this.#refusals + earned, ASKED_AT_ONCE_MAX);
    this.#refusalsAtMs = nowMs;
    for (; this.#refusals >= 1; this.#refusals -= 1) {
      const { oldest } = this.#unread;
      if (oldest === undefined || oldest.unreadSinceMs + unreadMaxMs > nowMs) break;
      this.#unread.remove(oldest);
      this.#asked.append(oldest);
      oldest.isOverdue = true;
      oldest.socket.resume();
    }
    this.#showUnread();
    // What was there has been read when the event loop has looked at all sockets once.
    defer(() => defer(() => this.#endAsking()));
  }

  /** Who had nothing to ask is as before. */
  #endAsking(): void {
    for (let lane = this.#asked.oldest; lane !== undefined; lane = this.#asked.oldest) {
      this.#asked.remove(lane);
      lane.isOverdue = false;
      if (this.#isCrowded()) this.#stopReading(lane);
      else this.#resting.append(lane);
    }
    this.#isAskDue = false;
    this.#planAsk();
  }

  #showUnread(): void {
    this.#metrics.gauge('http_connections_unread', this.#unread.length);
  }
}
