/**
 * How many requests may be under way, found from how long they take.
 *
 * What a node is asked beyond its capacity does not make it faster, only everybody's wait longer: with
 * a fixed limit high enough for short bursts, all requests of an overload are served when their
 * clients have given up. So when even the quickest request of an interval took longer than the
 * target, all were waiting in a queue, and only as many are let in as are served within the target;
 * when the limit was in the way and some were quick, more are. The quickest counts, because a single
 * slow replica is no queue.
 *
 * Pure: time comes in with each call. Source: Nichols and Jacobson 2012, "Controlling Queue Delay";
 * Chiu and Jain 1989 for increase and decrease.
 */

export interface ConcurrencyLimitOptions {
  /** Never more. */
  readonly max: number;
  /** What it starts from: nobody knows yet what this node can do. */
  readonly initial: number;
  /** Never less, however slow the disk is: group commit lives from many. */
  readonly min: number;
  /** A wait that is a queue. */
  readonly targetMs: number;
  readonly intervalMs: number;
}

export const CONCURRENCY_LIMIT_DEFAULTS: Omit<ConcurrencyLimitOptions, 'max'> = {
  initial: 2_048,
  min: 128,
  targetMs: 200,
  intervalMs: 100,
};

const INCREASE = 1.1;
/** An interval that is so many times as long as it should be was a rest. */
const REST_INTERVALS = 20;

export class ConcurrencyLimit {
  readonly #options: ConcurrencyLimitOptions;
  #limit: number;
  #intervalStartMs = -Infinity;
  #servedCount = 0;
  #quickestMs = Infinity;
  #inFlightMax = 0;

  constructor(options: ConcurrencyLimitOptions) {
    this.#options = options;
    this.#limit = Math.min(options.initial, options.max);
  }

  get limit(): number {
    return this.#limit;
  }

  /** A request has ended after `tookMs`; `inFlight` were under way, it among them. */
  served(tookMs: number, inFlight: number, nowMs: number): void {
    if (tookMs < this.#quickestMs) this.#quickestMs = tookMs;
    if (inFlight > this.#inFlightMax) this.#inFlightMax = inFlight;
    this.#servedCount += 1;
    if (nowMs >= this.#intervalStartMs + this.#options.intervalMs) this.#endInterval(nowMs);
  }

  #endInterval(nowMs: number): void {
    const { max, min, targetMs, intervalMs } = this.#options;
    const elapsedMs = nowMs - this.#intervalStartMs;
    // After a rest nothing is known yet; and so few as are always let in are no queue.
    const isQueue = elapsedMs < REST_INTERVALS * intervalMs && this.#inFlightMax > min;
    if (this.#quickestMs > targetMs && isQueue) {
      // As many as end within the target wait no longer than it (Little's law).
      const fitting = Math.floor((this.#servedCount * targetMs) / elapsedMs);
      this.#limit = Math.min(this.#limit, Math.max(min, fitting));
    } else if (this.#inFlightMax >= this.#limit) {
      this.#limit = Math.min(max, Math.ceil(this.#limit * INCREASE));
    }
    this.#quickestMs = Infinity;
    this.#inFlightMax = 0;
    this.#intervalStartMs = nowMs;
    this.#servedCount = 0;
  }
}
