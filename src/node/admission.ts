/**
 * Admission: how many client requests this node carries at once.
 *
 * Past the limit a request is refused at once, instead of being accepted and served too late, which
 * costs everybody (invariant 7: never a slow death). The limit follows from how long requests take
 * (`concurrency-limit.ts`), and is never above the configured one. Clients of the edges wait for room
 * before they come here (`entrance.ts`).
 */

import type { Clock, Host, Metrics } from '../base/host.ts';
import { CONCURRENCY_LIMIT_DEFAULTS, ConcurrencyLimit } from './concurrency-limit.ts';

export interface AdmissionLimits {
  /** Client requests under way. */
  readonly requestsMax: number;
  /** Bytes of the values that they bring. */
  readonly bytesMax: number;
}

/** Of client requests; Riak's names for what serves them, under which they are counted. */
export type ClientWork = 'node_get_fsm' | 'node_put_fsm';

const ACTIVE_NAMES = {
  node_get_fsm: 'node_get_fsm_active',
  node_put_fsm: 'node_put_fsm_active',
} as const;

export class Admission {
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #limits: AdmissionLimits;
  readonly #active: Record<ClientWork, number> = { node_get_fsm: 0, node_put_fsm: 0 };
  readonly #concurrency: ConcurrencyLimit;
  #requests = 0;
  #bytes = 0;
  #isClosed = false;
  #drained: (() => void) | undefined;
  #onRoom: () => void = () => {};

  constructor(host: Pick<Host, 'clock' | 'metrics'>, limits: AdmissionLimits) {
    this.#metrics = host.metrics;
    this.#clock = host.clock;
    this.#limits = limits;
    const max = limits.requestsMax;
    const min = Math.min(max, CONCURRENCY_LIMIT_DEFAULTS.min);
    this.#concurrency = new ConcurrencyLimit({ ...CONCURRENCY_LIMIT_DEFAULTS, min, max });
  }

  get inFlight(): number {
    return this.#requests;
  }

  /** Requests that may be under way now. */
  get limit(): number {
    return this.#concurrency.limit;
  }

  /** Whether one more request without a value would be let in. */
  get hasRoom(): boolean {
    return (
      !this.#isClosed &&
      this.#requests < this.#concurrency.limit &&
      (this.#requests === 0 || this.#bytes <= this.#limits.bytesMax)
    );
  }

  /** Who is told each time that a request has left. */
  onRoom(listener: () => void): void {
    this.#onRoom = listener;
  }

  /** When the request entered, for `leave`, which must follow; undefined: refuse it as overload. */
  tryEnter(work: ClientWork, sizeBytes: number): number | undefined {
    // A single large value is let in when nothing else is there, or it never would be.
    const isFull =
      this.#requests >= this.#concurrency.limit ||
      (this.#requests > 0 && this.#bytes + sizeBytes > this.#limits.bytesMax);
    if (isFull || this.#isClosed) {
      this.noteRefused(work);
      return undefined;
    }
    this.#requests += 1;
    this.#bytes += sizeBytes;
    this.#note(work, 1);
    return this.#clock.monotonicMs();
  }

  leave(work: ClientWork, entered: { readonly sizeBytes: number; readonly atMs: number }): void {
    const { sizeBytes, atMs } = entered;
    const nowMs = this.#clock.monotonicMs();
    const before = this.#concurrency.limit;
    this.#concurrency.served(nowMs - atMs, this.#requests, nowMs);
    const { limit } = this.#concurrency;
    if (limit !== before) this.#metrics.gauge('requests_limit', limit);
    this.#requests -= 1;
    this.#bytes -= sizeBytes;
    this.#note(work, -1);
    if (this.#requests === 0) this.#drained?.();
    this.#onRoom();
  }

  noteRefused(work: ClientWork): void {
    this.#metrics.count('requests_refused');
    this.#metrics.count(`${work}_rejected`);
  }

  #note(work: ClientWork, more: number): void {
    this.#active[work] += more;
    this.#metrics.gauge(ACTIVE_NAMES[work], this.#active[work]);
  }

  /** Refuses from now on; resolves when the last request has left. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#requests === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }
}
