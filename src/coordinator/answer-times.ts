/**
 * How soon each node answers reads, and who is late now.
 *
 * For each node the time is kept in which 95 of 100 of its recent answers come: the time to wait
 * before another replica is asked. It is found without keeping the answers: one that took longer moves
 * it up by a tenth, one that did not moves it down by the nineteenth root of that, which cancel out where
 * one in twenty takes longer. Of the answers within a few milliseconds only the first moves it: a node
 * that was paused sends all of its late answers in one burst, and they are one event, not hundreds.
 *
 * A node that kept reads waiting beyond that time, three times more often than not, is late: reads
 * ask it last until it has answered in time as often. Reads that ask everyone see to it that it is heard.
 *
 * Pure: time comes in with each call. Source: Dean and Barroso 2013, "The Tail at Scale" (hedged
 * requests); Ma, Muthukrishnan and Sandler 2013 for the estimate.
 */

import type { NodeId } from '../base/names.ts';

export interface AnswerTimesOptions {
  /** Of a node that nothing is known of. */
  readonly initialMs: number;
  /** Never less: below it are the jitter of timers and the collector's pauses. */
  readonly minMs: number;
  /** Never more: a slow cluster does not become faster by waiting longer for one replica. */
  readonly maxMs: number;
}

interface Pace {
  usualMs: number;
  sampledAtMs: number;
  /** From 0 to `LATENESS_MAX`. */
  lateness: number;
  isLate: boolean;
}

const SAMPLE_INTERVAL_MS = 5;
const STEP_UP = 1.1;
/** 19 steps down undo one up. */
const STEP_DOWN = STEP_UP ** (-1 / 19);
const LATE_FROM = 3;
const LATENESS_MAX = 6;

export class AnswerTimes {
  readonly #options: AnswerTimesOptions;
  /** Of members, now or once. */
  readonly #paces = new Map<NodeId, Pace>();

  constructor(options: AnswerTimesOptions) {
    this.#options = options;
  }

  /** The time within which the node usually answers; within the options' bounds. */
  usualMs(node: NodeId): number {
    return this.#paces.get(node)?.usualMs ?? this.#options.initialMs;
  }

  /** Reads should ask others before it. */
  isLate(node: NodeId): boolean {
    return this.#paces.get(node)?.isLate === true;
  }

  /** An answer came. */
  answered(node: NodeId, tookMs: number, nowMs: number): void {
    const pace = this.#paceOf(node);
    const isInTime = tookMs <= pace.usualMs;
    if (isInTime && pace.lateness > 0) {
      pace.lateness -= 1;
      if (pace.lateness === 0) pace.isLate = false;
    }
    if (nowMs < pace.sampledAtMs + SAMPLE_INTERVAL_MS) return;
    pace.sampledAtMs = nowMs;
    const { minMs, maxMs } = this.#options;
    const moved = pace.usualMs * (isInTime ? STEP_DOWN : STEP_UP);
    pace.usualMs = Math.min(maxMs, Math.max(minMs, moved));
  }

  /** Others had to be asked because no answer had come in the usual time; true: it is late from now on. */
  keptWaiting(node: NodeId): boolean {
    const pace = this.#paceOf(node);
    pace.lateness = Math.min(LATENESS_MAX, pace.lateness + 1);
    if (pace.isLate || pace.lateness < LATE_FROM) return false;
    pace.isLate = true;
    return true;
  }

  #paceOf(node: NodeId): Pace {
    let pace = this.#paces.get(node);
    if (pace === undefined) {
      const usualMs = this.#options.initialMs;
      pace = { usualMs, sampledAtMs: -Infinity, lateness: 0, isLate: false };
      this.#paces.set(node, pace);
    }
    return pace;
  }
}
