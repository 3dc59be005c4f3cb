/**
 * The world: virtual time, an event heap and seeded chance.
 *
 * Everything that happens in a simulation happens in an event. Events run in (time, sequence) order;
 * after each one the promises it set free are drained, so ordinary async code runs to its next wait
 * before time moves on. No real time passes and nothing else decides: a seed replays bit for bit.
 */

import { Heap } from '../../src/base/heap.ts';
import type { Clock, Random } from '../../src/base/host.ts';

interface Event {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Unhandled rejections and signals are seen to in a turn of the event loop only. */
const EVENTS_PER_TURN = 500;

export class World {
  readonly random: SeededRandom;
  readonly #events = new Heap(isBefore);
  #nowMs = 0;
  #sequence = 0;
  /** Events that ran; part of what a replay must reproduce. */
  eventCount = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `run` at now + `delayMs`; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void {
    this.#sequence += 1;
    const event: Event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence,
      run,
      isCancelled: false,
    };
    this.#events.push(event);
    return () => {
      event.isCancelled = true;
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  /** Runs events until `isDone` or the virtual deadline; false if the deadline came first. */
  async runUntil(isDone: () => boolean, deadlineMs: number): Promise<boolean> {
    await drain(0);
    while (!isDone()) {
      const event = this.#events.pop();
      if (event === undefined || event.atMs > deadlineMs) {
        if (event !== undefined) this.#events.push(event);
        this.#nowMs = Math.max(this.#nowMs, Math.min(deadlineMs, event?.atMs ?? deadlineMs));
        return isDone();
      }
      if (event.isCancelled) continue;
      this.#nowMs = event.atMs;
      this.eventCount += 1;
      event.run();
      await drain(this.eventCount);
    }
    return true;
  }

  /** The result of `work`, driven by events; throws if it takes longer than `limitMs`. */
  async drive<T>(work: Promise<T>, limitMs: number): Promise<T> {
    let isSettled = false;
    const settled = work.finally(() => {
      isSettled = true;
    });
    settled.catch(() => undefined);
    const inTime = await this.runUntil(() => isSettled, this.#nowMs + limitMs);
    if (!inTime) throw new Error(`not settled after ${limitMs} virtual ms`);
    return settled;
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}

/**
 * Lets every promise that can go on do so: a tick that is asked for in a microtask comes when all
 * microtasks are done. It costs a fraction of a turn of the event loop, which whatever watches the run
 * from outside gets once in a while all the same.
 */
function drain(eventCount: number): Promise<void> {
  return new Promise((resolve) => {
    if (eventCount % EVENTS_PER_TURN === 0) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}

/** What a stopped process will find when it goes on. */
interface Held {
  /** Timers that came due, in that order. */
  readonly timers: (() => void)[];
  /** What came meanwhile from sockets and the disk. */
  readonly arrivals: (() => void)[];
}

/**
 * One process's time: its clocks, and what makes it run at all. A paused one (SIGSTOP) does nothing;
 * when it goes on its clock has jumped, its timers that came due fire late and all at once, and what
 * waits at its sockets comes in one burst, before or after them: it was stopped in the one or the
 * other part of its event loop.
 */
export class NodeClock implements Clock {
  readonly #world: World;
  readonly #held: Held = { timers: [], arrivals: [] };
  /** How far the wall clock is off; the machine's, which outlives the process. */
  wallOffsetMs: number;
  #isStopped = false;
  #isPaused = false;

  constructor(world: World, wallOffsetMs: number) {
    this.#world = world;
    this.wallOffsetMs = wallOffsetMs;
  }

  wallMicros(): number {
    return Math.round((1_700_000_000_000 + this.#world.nowMs + this.wallOffsetMs) * 1000);
  }

  monotonicMs(): number {
    return this.#world.nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    let isCancelled = false;
    const fire = (): void => {
      if (!isCancelled) run();
    };
    const cancel = this.#world.after(delayMs, () => {
      this.#whenRunning(fire, this.#held.timers);
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Now, when the pause ends, or never if the process is gone. */
  whenRunning(run: () => void): void {
    this.#whenRunning(run, this.#held.arrivals);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const timers = this.#held.timers.splice(0);
    const arrivals = this.#held.arrivals.splice(0);
    const isTimersFirst = this.#world.random.chance(0.5);
    // An event each: the promises that one of them frees go on before the next.
    for (const run of isTimersFirst ? timers : arrivals) this.#soon(run, isTimersFirst);
    for (const run of isTimersFirst ? arrivals : timers) this.#soon(run, !isTimersFirst);
  }

  /** The process is gone: none of its timers fires again. */
  stop(): void {
    this.#isStopped = true;
    this.#held.timers.length = 0;
    this.#held.arrivals.length = 0;
  }

  #soon(run: () => void, isTimer: boolean): void {
    const { timers, arrivals } = this.#held;
    this.#world.after(0, () => {
      this.#whenRunning(run, isTimer ? timers : arrivals);
    });
  }

  #whenRunning(run: () => void, held: (() => void)[]): void {
    if (this.#isStopped) return;
    if (this.#isPaused) held.push(run);
    else run();
  }
}

/** A seeded generator (xorshift128 seeded by splitmix) behind the `Random` port. */
export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let mixed = (seed ^ 0x9e3779b9) >>> 0;
    for (let index = 0; index < 4; index += 1) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      let word = mixed;
      word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
      word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
      this.#state[index] = (word ^ (word >>> 16)) >>> 0 || 1;
    }
  }

  /** 0 <= result < 2^32. */
  word(): number {
    const state = this.#state;
    let word = state[3] as number;
    const first = state[0] as number;
    state[3] = state[2] as number;
    state[2] = state[1] as number;
    state[1] = first;
    word ^= word << 11;
    word ^= word >>> 8;
    const next = (word ^ first ^ (first >>> 19)) >>> 0;
    state[0] = next;
    return next;
  }

  integer(below: number): number {
    return Math.floor((this.word() / 4_294_967_296) * below);
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    for (let index = 0; index < size; index += 1) bytes[index] = this.word() & 0xff;
    return bytes;
  }

  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.word() / 4_294_967_296 < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(choices.length)] as T;
  }

  /** A generator of its own, so that one part's draws do not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.word());
  }
}
