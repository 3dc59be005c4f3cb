/**
 * The requests on their way to one peer: a bounded window, matched with replies by id.
 *
 * A reply, a fault, the deadline or the end of the link settles a request, whichever comes first, and
 * nothing after that finds it. One timer serves all deadlines: it is set to the earliest one, goes
 * over the table when it fires, and is set again. Requests are mostly answered long before their
 * deadline, so that the table is gone over about once in a time-out, and a request costs no timer.
 */

import { Fault } from '../base/fault.ts';
import type { Clock, Metrics } from '../base/host.ts';
import { PassingMap } from '../base/passing-map.ts';
import type { PeerReply } from '../peer/messages.ts';
import type { WireTuple } from '../peer/tuple-reader.ts';
import type { Outgoing } from './frame-writer.ts';

/** Deadlines nearer to each other than this are served by one pass over the table. */
const SWEEP_INTERVAL_MIN_MS = 10;

export interface WindowOptions {
  /** Requests under way at most. Default 8,192. */
  readonly requests: number;
  /** Bytes of requests under way at most; one request alone may be larger. Default 64 MiB. */
  readonly sizeBytes: number;
}

/** Ids go round before they stop being small integers; no link has that many under way. */
const ID_LIMIT = 0x4000_0000;

export class PendingRequests {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #window: WindowOptions;
  readonly #byId = new PassingMap<number, PendingRequest>();
  #bytes = 0;
  #nextId = 0;
  #sweepAtMs = Infinity;
  #cancelSweep: () => void = () => {};

  constructor(clock: Clock, metrics: Metrics, window: WindowOptions) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#window = window;
  }

  get count(): number {
    return this.#byId.size;
  }

  /** Of all requests under way. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Whether a request of this size must be turned away. */
  isFull(sizeBytes: number): boolean {
    if (this.#byId.size >= this.#window.requests) return true;
    return this.#byId.size > 0 && this.#bytes + sizeBytes > this.#window.sizeBytes;
  }

  add(tuple: WireTuple, sizeBytes: number, timeoutMs: number): PendingRequest {
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs;
    const request = new PendingRequest(this.#nextId, tuple, { sizeBytes, deadlineMs });
    this.#nextId = (this.#nextId + 1) % ID_LIMIT;
    this.#byId.set(request.id, request);
    this.#bytes += sizeBytes;
    if (deadlineMs < this.#sweepAtMs) this.#sweepAt(deadlineMs);
    return request;
  }

  /** Takes the request out of the table; undefined: settled before, or never asked. */
  take(id: number): PendingRequest | undefined {
    const request = this.#byId.take(id);
    if (request !== undefined) this.#bytes -= request.sizeBytes;
    return request;
  }

  /** Rejects everything under way. Idempotent. */
  rejectAll(fault: Fault): void {
    const requests = [...this.#byId.values()];
    this.#byId.clear();
    this.#bytes = 0;
    this.#cancelSweep();
    this.#sweepAtMs = Infinity;
    for (const request of requests) request.reject(fault);
  }

  #sweepAt(atMs: number): void {
    this.#cancelSweep();
    this.#sweepAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#clock.monotonicMs());
    this.#cancelSweep = this.#clock.after(delayMs, () => this.#sweep());
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    let earliestMs = Infinity;
    for (const request of this.#byId.values()) {
      if (request.deadlineMs <= nowMs) this.#expire(request);
      else if (request.deadlineMs < earliestMs) earliestMs = request.deadlineMs;
    }
    this.#sweepAtMs = Infinity;
    if (earliestMs === Infinity) return;
    this.#sweepAt(Math.max(earliestMs, nowMs + SWEEP_INTERVAL_MIN_MS));
  }

  #expire(request: PendingRequest): void {
    this.take(request.id);
    this.#metrics.count('peer_requests_timed_out');
    request.reject(new Fault('timeout', 'a peer did not answer in time'));
  }
}

/** Stands there for the moment until the promise's own functions are known. */
const NOTHING = (): void => {};

interface PendingRequestOptions {
  readonly sizeBytes: number;
  readonly deadlineMs: number;
}

export class PendingRequest implements Outgoing {
  readonly id: number;
  readonly sizeBytes: number;
  readonly deadlineMs: number;
  readonly reply: Promise<PeerReply>;
  /** Undefined once nobody waits for it: it may be large, and what was given up may long wait to leave. */
  #tuple: WireTuple | undefined;
  #resolve: (reply: PeerReply) => void = NOTHING;
  #reject: (fault: Error) => void = NOTHING;

  constructor(id: number, tuple: WireTuple, options: PendingRequestOptions) {
    this.id = id;
    this.sizeBytes = options.sizeBytes;
    this.deadlineMs = options.deadlineMs;
    this.#tuple = tuple;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** With what is left of the deadline; undefined once nobody waits for it. */
  toMessage(nowMs: number): WireTuple | undefined {
    if (this.#tuple === undefined) return undefined;
    const leftMs = Math.floor(this.deadlineMs - nowMs);
    return leftMs <= 0 ? undefined : [this.id, leftMs, this.#tuple];
  }

  resolve(reply: PeerReply): void {
    this.#tuple = undefined;
    this.#resolve(reply);
  }

  reject(fault: Error): void {
    this.#tuple = undefined;
    this.#reject(fault);
  }
}
