/**
 * Admission: how many client requests this node carries at once.
 *
 * Past the limit a request is refused at once, which costs nothing, instead of being accepted and
 * served too late, which costs everybody (invariant 7: never a slow death).
 */

import type { Metrics } from '../base/host.ts';

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
  readonly #limits: AdmissionLimits;
  readonly #active: Record<ClientWork, number> = { node_get_fsm: 0, node_put_fsm: 0 };
  #requests = 0;
  #bytes = 0;
  #isClosed = false;
  #drained: (() => void) | undefined;

  constructor(metrics: Metrics, limits: AdmissionLimits) {
    this.#metrics = metrics;
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#requests;
  }

  /** False: refuse the request as overload. Otherwise `leave` must follow. */
  tryEnter(work: ClientWork, sizeBytes: number): boolean {
    // A single large value is let in when nothing else is there, or it never would be.
    const isFull =
      this.#requests >= this.#limits.requestsMax ||
      (this.#requests > 0 && this.#bytes + sizeBytes > this.#limits.bytesMax);
    if (isFull || this.#isClosed) {
      this.#metrics.count('requests_refused');
      this.#metrics.count(`${work}_rejected`);
      return false;
    }
    this.#requests += 1;
    this.#bytes += sizeBytes;
    this.#note(work, 1);
    return true;
  }

  leave(work: ClientWork, sizeBytes: number): void {
    this.#requests -= 1;
    this.#bytes -= sizeBytes;
    this.#note(work, -1);
    if (this.#requests === 0) this.#drained?.();
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
