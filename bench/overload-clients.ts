/**
 * The clients of `overload.ts`: connections with one request under way at most.
 *
 * What is due and finds no idle connection costs nothing, however much it is, and between two looks at
 * the clock the process sleeps: at ten times the load the generator must not be what fails.
 */

import { connect, type Socket } from 'node:net';
import { build } from 'hdr-histogram-js';
import type { NodeAddress } from '../src/client/client.ts';

const GOOD_WITHIN_MS = 1_000;

/** A protocol in which a PUT and its answer, which comes in one piece, are sent. */
export interface OverloadApi {
  /** Sent one after the other, over and over. */
  readonly requests: readonly Buffer[];
  readonly isStored: (answer: Buffer) => boolean;
}

/** Counts since the start. */
export interface Served {
  readonly offered: number;
  /** Due, and no connection was idle. */
  readonly unsent: number;
  /** Stored within a second of when it was due. */
  readonly good: number;
  /** Stored later. */
  readonly late: number;
  readonly refused: number;
}

export class OverloadClients {
  readonly #api: OverloadApi;
  readonly #idle: Socket[] = [];
  readonly #sockets: Socket[] = [];
  readonly #latencies = build({ highestTrackableValue: 120_000_000 });
  #next = 0;
  #offered = 0;
  #unsent = 0;
  #good = 0;
  #late = 0;
  #refused = 0;
  #longestMs = 0;
  /** Called when a connection has become idle. */
  #onIdle: () => void = () => {};

  constructor(api: OverloadApi) {
    this.#api = api;
  }

  async open({ host, port }: NodeAddress, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const socket = connect(port, host);
      socket.setNoDelay(true);
      await new Promise<void>((connected, failed) => {
        socket.once('connect', connected);
        socket.once('error', failed);
      });
      this.#idle.push(socket);
      this.#sockets.push(socket);
    }
  }

  served(): Served {
    return {
      offered: this.#offered,
      unsent: this.#unsent,
      good: this.#good,
      late: this.#late,
      refused: this.#refused,
    };
  }

  p99Ms(): number {
    return this.#latencies.getValueAtPercentile(99) / 1_000;
  }

  /** The longest of the answers, refusals too, from when they were due. */
  get longestMs(): number {
    return this.#longestMs;
  }

  resetLatencies(): void {
    this.#latencies.reset();
    this.#longestMs = 0;
  }

  /** `underWay` requests at any time, for `durationMs`. */
  async closedLoop(underWay: number, durationMs: number): Promise<void> {
    const endMs = performance.now() + durationMs;
    this.#onIdle = () => {
      if (performance.now() < endMs) this.#send(performance.now());
    };
    for (let index = 0; index < underWay; index += 1) this.#send(performance.now());
    await pause(durationMs);
    this.#onIdle = () => {};
  }

  /** `perSecond` requests are due, evenly, for `durationMs`. */
  async openLoop(perSecond: number, durationMs: number): Promise<void> {
    const startMs = performance.now();
    const dueCount = Math.round((perSecond * durationMs) / 1_000);
    let due = 0;
    while (due < dueCount) {
      await pause(1);
      const elapsedMs = performance.now() - startMs;
      const untilNow = Math.min(dueCount, Math.floor((elapsedMs * perSecond) / 1_000));
      for (; due < untilNow && this.#idle.length > 0; due += 1) {
        this.#send(startMs + (due * 1_000) / perSecond);
      }
      this.#offered += untilNow - due;
      this.#unsent += untilNow - due;
      due = untilNow;
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** One request, due at `dueMs`, on an idle connection. */
  #send(dueMs: number): void {
    const socket = this.#idle.pop();
    if (socket === undefined) throw new Error('a request was sent without an idle connection');
    this.#offered += 1;
    socket.once('data', (answer: Buffer) => {
      this.#count(this.#api.isStored(answer), performance.now() - dueMs);
      this.#idle.push(socket);
      this.#onIdle();
    });
    const { requests } = this.#api;
    this.#next = (this.#next + 1) % requests.length;
    socket.write(requests[this.#next] as Buffer);
  }

  #count(isStored: boolean, tookMs: number): void {
    this.#longestMs = Math.max(this.#longestMs, tookMs);
    if (!isStored) {
      this.#refused += 1;
      return;
    }
    if (tookMs <= GOOD_WITHIN_MS) this.#good += 1;
    else this.#late += 1;
    this.#latencies.recordValue(Math.round(tookMs * 1_000));
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, durationMs));
}
