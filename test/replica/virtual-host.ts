/** A host for tests: time stands still until it is told to go on, and chance comes from a seed. */

import type { Clock, Host, Log, Metrics, Random } from '../../src/base/host.ts';

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export class VirtualHost implements Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly counters = new Map<string, number>();
  readonly gauges = new Map<string, number>();
  readonly logged: string[] = [];
  #nowMs = 0;
  #timers: Timer[] = [];
  #state: number;

  constructor(seed = 1) {
    this.#state = seed | 1;
    this.clock = {
      wallMicros: () => 1_700_000_000_000_000 + this.#nowMs * 1000,
      monotonicMs: () => this.#nowMs,
      after: (delayMs, run) => this.#after(delayMs, run),
    };
    this.random = {
      bytes: (size) => Buffer.from(Array.from({ length: size }, () => this.#integer(256))),
      integer: (below) => this.#integer(below),
    };
    const log = (event: string) => {
      this.logged.push(event);
    };
    this.log = { debug: log, info: log, warn: log, error: log };
    this.metrics = {
      count: (name, by = 1) => {
        this.counters.set(name, (this.counters.get(name) ?? 0) + by);
      },
      gauge: (name, value) => {
        this.gauges.set(name, value);
      },
      observe: () => {},
    };
  }

  /** Timers that wait. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** Lets `ms` pass, timer by timer; what they start is carried out before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let timer = this.#due(endMs); timer !== undefined; timer = this.#due(endMs)) {
      this.#timers = this.#timers.filter((other) => other !== timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.run();
      await settle();
    }
    this.#nowMs = endMs;
  }

  #due(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  #after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  #integer(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }
}

/** Everything that is ready to run has run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
