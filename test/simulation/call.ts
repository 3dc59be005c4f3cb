/**
 * A call between simulated processes: two ends, and a way in each direction.
 *
 * What is lost comes late, and all behind it too; what meets a cut waits. When a call breaks, each end
 * hears of it at its own time, or finds out when it looks, as gRPC does of a connection that is silent.
 */

import type { NodeId } from '../../src/base/names.ts';
import { CallEnd, type Item, type Process } from './call-end.ts';
import type { SeededRandom, World } from './world.ts';

/** As many milliseconds later comes what was lost once, and what waited behind a cut. */
const RESENT_MAX_MS = 400;
/** An end hears that a call broke, if it hears of it. */
const BREAK_MAX_MS = 3_000;
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

/** The network that connections are made on. */
export interface Wires {
  readonly world: World;
  latencyMs(): number;
  isCut(source: NodeId, target: NodeId): boolean;
  readonly options: { readonly dropRate: number; readonly duplicateRate: number };
}

/** A process that hears of a call. */
export interface Accepted {
  readonly process: Process;
  readonly accept: (end: CallEnd) => void;
}

export class Call {
  readonly near: CallEnd;
  readonly #wires: Wires;
  readonly #random: SeededRandom;
  readonly #target: NodeId;
  readonly #question: Buffer;
  readonly #events: { accept(): Accepted | undefined; over(): void };
  #far: CallEnd | undefined;
  readonly #there: Way;
  readonly #back: Way;

  constructor(
    { wires, random }: { readonly wires: Wires; readonly random: SeededRandom },
    dialled: { readonly process: Process; readonly target: NodeId; readonly question: Buffer },
    events: { accept(): Accepted | undefined; over(): void },
  ) {
    const { process, target, question } = dialled;
    this.#wires = wires;
    this.#random = random;
    this.#target = target;
    this.#question = question;
    this.#events = events;
    this.near = new CallEnd(
      process,
      { question, peer: target },
      {
        send: (item) => this.#there.send(() => this.#toFar(item)),
        over: () => this.#mayBeOver(),
      },
    );
    const drawn = { wires, random };
    this.#there = new Way(drawn, process.node, target);
    this.#back = new Way(drawn, target, process.node);
    this.#there.send(() => this.#open());
    this.#watch(this.near);
  }

  goes(source: NodeId, target: NodeId): boolean {
    return this.#there.is(source, target) || this.#back.is(source, target);
  }

  /** One of the two has died: what it said last may be heard, or his machine is silent. */
  lose(process: Process): void {
    const isNear = this.near.process === process;
    if (!isNear && this.#far?.process !== process) return;
    const [way, left] = isNear ? [this.#there, this.#far] : [this.#back, this.near];
    if (left !== undefined && this.#random.chance(0.5)) way.send(() => left.breakOff());
    else this.break();
  }

  release(): void {
    this.#there.release();
    this.#back.release();
  }

  /** Nothing passes any more; each end hears of that at its time, or finds out when it looks. */
  break(): void {
    for (const end of [this.near, this.#far]) {
      if (end === undefined || this.#random.chance(0.25)) continue;
      this.#wires.world.after(this.#random.integer(BREAK_MAX_MS), () => end.breakOff());
    }
    this.#there.close();
    this.#back.close();
  }

  #open(): void {
    const accepted = this.#events.accept();
    if (accepted === undefined) {
      if (this.#random.chance(0.5)) this.#refuse();
      return;
    }
    const { process, accept } = accepted;
    process.clock.whenRunning(() => {
      if (process.isGone || this.near.isBroken) return;
      const far = new CallEnd(
        process,
        { question: this.#question, peer: this.near.process.node },
        {
          send: (item) => this.#back.send(() => this.#pass(item, this.near, far)),
          over: () => this.#mayBeOver(),
        },
      );
      this.#far = far;
      this.#watch(far);
      accept(far);
    });
  }

  #refuse(): void {
    this.#back.send(() => this.near.breakOff(`${this.#target} refuses connections`));
  }

  #toFar(item: Item): void {
    const far = this.#far;
    // A paused process has not accepted it yet: what follows comes after that.
    if (far !== undefined) this.#pass(item, far, this.near);
    else
      this.#events.accept()?.process.clock.whenRunning(() => {
        if (this.#far !== undefined) this.#pass(item, this.#far, this.near);
      });
  }

  /** An end that is gone answers that it is. */
  #pass(item: Item, target: CallEnd, source: CallEnd): void {
    if (target.process.isGone || target.isBroken) {
      this.break();
      return;
    }
    if (item.kind === 'frame' && item.written !== undefined) {
      source.process.clock.whenRunning(item.written);
    }
    target.process.clock.whenRunning(() => target.receive(item));
    // It was heard, and whoever said it may never know.
    const { duplicateRate } = this.#wires.options;
    if (duplicateRate > 0 && this.#random.chance(duplicateRate / 20)) this.break();
  }

  /** Silence is looked into, as gRPC does. */
  #watch(end: CallEnd): void {
    const { clock } = end.process;
    clock.after(KEEPALIVE_MS, () => {
      if (end.isOver) return;
      if (!this.#isDead()) {
        this.#watch(end);
        return;
      }
      clock.after(KEEPALIVE_TIMEOUT_MS, () => {
        if (this.#isDead()) end.breakOff();
        else this.#watch(end);
      });
    });
  }

  #isDead(): boolean {
    if (this.#there.isStuck || this.#back.isStuck || this.#far === undefined) return true;
    return [this.near, this.#far].some((end) => end.isBroken || end.process.isGone);
  }

  #mayBeOver(): void {
    if (this.near.isOver && (this.#far?.isOver ?? true)) this.#events.over();
  }
}

/** One direction of a call: first in, first out. */
class Way {
  readonly #wires: Wires;
  readonly #random: SeededRandom;
  readonly #source: NodeId;
  readonly #target: NodeId;
  readonly #underWay: (() => void)[] = [];
  /** So many were to arrive while it was cut. */
  #heldCount = 0;
  #lastMs = 0;
  #isClosed = false;

  constructor(
    { wires, random }: { readonly wires: Wires; readonly random: SeededRandom },
    source: NodeId,
    target: NodeId,
  ) {
    this.#wires = wires;
    this.#random = random;
    this.#source = source;
    this.#target = target;
  }

  is(source: NodeId, target: NodeId): boolean {
    return this.#source === source && this.#target === target;
  }

  get isStuck(): boolean {
    return this.#isClosed || this.#isCut();
  }

  send(arrive: () => void): void {
    if (this.#isClosed) return;
    this.#underWay.push(arrive);
    this.#carryOne();
  }

  /** What waited goes on, unless the way is cut again by then. */
  release(): void {
    const count = this.#heldCount;
    this.#heldCount = 0;
    for (let carried = 0; carried < count; carried += 1) this.#carryOne();
  }

  close(): void {
    this.#isClosed = true;
    this.#underWay.length = 0;
  }

  #carryOne(): void {
    const { world, options } = this.#wires;
    const isLost = this.#random.chance(options.dropRate);
    const lateMs = isLost ? this.#random.integer(RESENT_MAX_MS) : 0;
    this.#lastMs = Math.max(this.#lastMs, world.nowMs + this.#wires.latencyMs() + lateMs);
    world.after(this.#lastMs - world.nowMs, () => {
      if (this.#isClosed) return;
      if (this.#isCut()) this.#heldCount += 1;
      else this.#underWay.shift()?.();
    });
  }

  #isCut(): boolean {
    return this.#wires.isCut(this.#source, this.#target);
  }
}
