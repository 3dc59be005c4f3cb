/**
 * The two loops that drive a load.
 *
 * Closed: each client sends its next operation when the last has ended, so a slow target is asked
 * less often, and waits that a real user would have had are never seen. Open: operations are due by a
 * clock, whatever the target does; an operation's latency counts from when it was due, also while
 * every client was still busy. Due times lie on a grid of one millisecond, the finest that timers
 * have; a generator that wakes late is counted, the grid is not.
 */

import type { Arrivals } from './arrivals.ts';
import type { LoadClock } from './clock.ts';

/** `idle`: there was nothing to do. */
export type OperationEnd = 'done' | 'failed' | 'idle';

/** A client does one operation, due at `dueMs` of the clock. Never rejects. */
export type Operate = (client: number, dueMs: number) => Promise<OperationEnd>;

/** Operations in a row with nothing to do before a client rests: fewer are chance, and cost no time. */
const IDLE_MAX = 8;
const IDLE_REST_MS = 10;
/** Failures in a row before a client of a closed loop rests after each, longer each time. */
const FAILED_MAX = 8;
const FAILED_REST_MS = 10;
const FAILED_REST_MAX_MS = 200;

export interface ClosedLoopOptions {
  readonly clients: number;
  readonly endMs: number;
  /** Ends earlier after so many. */
  readonly operationsMax?: number;
}

export async function runClosedLoop(
  clock: LoadClock,
  operate: Operate,
  options: ClosedLoopOptions,
): Promise<void> {
  const operationsMax = options.operationsMax ?? Infinity;
  let begun = 0;
  const client = async (index: number): Promise<void> => {
    let idle = 0;
    let failed = 0;
    for (;;) {
      const nowMs = clock.nowMs();
      if (nowMs >= options.endMs || begun >= operationsMax) return;
      begun += 1;
      const end = await operate(index, nowMs);
      idle = end === 'idle' ? idle + 1 : 0;
      // A target that is gone refuses at once: asking it without end would take a processor, and tell nothing.
      failed = end === 'failed' ? failed + 1 : end === 'done' ? 0 : failed;
      const leftMs = options.endMs - clock.nowMs();
      // Without a wait no reply to another client, and no order to stop, would ever be read.
      if (idle > 0 && idle % IDLE_MAX === 0) await clock.wait(IDLE_REST_MS);
      else if (end === 'failed' && failed > FAILED_MAX && leftMs > 0) {
        const restMs = FAILED_REST_MS * 2 ** Math.min(failed - FAILED_MAX - 1, 8);
        await clock.wait(Math.min(restMs, FAILED_REST_MAX_MS, leftMs));
      }
    }
  };
  await Promise.all(Array.from({ length: options.clients }, (_, index) => client(index)));
}

export interface OpenLoopOptions {
  readonly clients: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** Resolves with the number of operations that were due and never started, for want of a client. */
export async function runOpenLoop(
  clock: LoadClock,
  operate: Operate,
  schedule: { readonly arrivals: Arrivals } & OpenLoopOptions,
): Promise<number> {
  const loop = new OpenLoop(clock, operate, schedule);
  for (;;) {
    loop.startDue();
    const nowMs = clock.nowMs();
    if (loop.nextDueMs === undefined || nowMs >= schedule.endMs) break;
    // While the next is overdue all clients are busy, and the one that ends starts it.
    const wakeMs = Math.max(loop.nextDueMs, nowMs + 1);
    await clock.wait(Math.min(wakeMs, schedule.endMs) - nowMs);
  }
  return loop.finish();
}

class OpenLoop {
  readonly #clock: LoadClock;
  readonly #operate: Operate;
  readonly #arrivals: Arrivals;
  readonly #options: OpenLoopOptions;
  /** Clients, the one that has rested longest at the end. */
  readonly #idle: number[];
  readonly #underWay = new Set<Promise<void>>();
  #isOver = false;
  /** Arrivals are drawn when they are started: those that are overdue need no room. */
  nextDueMs: number | undefined;

  constructor(
    clock: LoadClock,
    operate: Operate,
    schedule: { readonly arrivals: Arrivals } & OpenLoopOptions,
  ) {
    this.#clock = clock;
    this.#operate = operate;
    this.#arrivals = schedule.arrivals;
    this.#options = schedule;
    this.#idle = Array.from({ length: schedule.clients }, (_, index) => index).reverse();
    this.#advance();
  }

  startDue(): void {
    const nowMs = this.#clock.nowMs();
    while (!this.#isOver && this.nextDueMs !== undefined && this.nextDueMs <= nowMs) {
      const client = this.#idle.pop();
      if (client === undefined) return;
      this.#start(client, this.nextDueMs);
      this.#advance();
    }
  }

  /** Waits for what is under way; the rest is not started any more. */
  async finish(): Promise<number> {
    this.#isOver = true;
    const unstarted = this.nextDueMs === undefined ? 0 : 1 + this.#arrivals.rest();
    await Promise.all(this.#underWay);
    return unstarted;
  }

  #start(client: number, dueMs: number): void {
    const work = this.#operate(client, dueMs).then(() => {
      this.#underWay.delete(work);
      this.#idle.unshift(client);
      this.startDue();
    });
    this.#underWay.add(work);
  }

  #advance(): void {
    const next = this.#arrivals.next();
    this.nextDueMs = next === undefined ? undefined : this.#options.startMs + Math.ceil(next);
  }
}
