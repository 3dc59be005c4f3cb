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

/** What is kept of one node. */
interface NodeTimes {
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
  readonly #timesByNode = new Map<NodeId, NodeTimes>();

  constructor(options: AnswerTimesOptions) {
    this.#options = options;
  }

  /** The time within which the node usually answers; within the options' bounds. */
  usualMs(node: NodeId): number {
    return this.#timesByNode.get(node)?.usualMs ?? this.#options.initialMs;
  }

  /** Reads should ask others before it. */
  isLate(node: NodeId): boolean {
    return this.#timesByNode.get(node)?.isLate === true;
  }

  /** An answer came. */
  answered(node: NodeId, tookMs: number, nowMs: number): void {
    const times = this.#timesOf(node);
    const isInTime = tookMs <= times.usualMs;
    if (isInTime && times.lateness > 0) {
      times.lateness -= 1;
      if (times.lateness === 0) times.isLate = false;
    }
    if (nowMs < times.sampledAtMs + SAMPLE_INTERVAL_MS) return;
    times.sampledAtMs = nowMs;
    const { minMs, maxMs } = this.#options;
    const moved = times.usualMs * (isInTime ? STEP_DOWN : STEP_UP);
    times.usualMs = Math.min(maxMs, Math.max(minMs, moved));
  }

  /** Others had to be asked because no answer had come in the usual time; true: it is late from now on. */
  keptWaiting(node: NodeId): boolean {
    const times = this.#timesOf(node);
    times.lateness = Math.min(LATENESS_MAX, times.lateness + 1);
    if (times.isLate || times.lateness < LATE_FROM) return false;
    times.isLate = true;
    return true;
  }

  #timesOf(node: NodeId): NodeTimes {
    let times = this.#timesByNode.get(node);
    if (times === undefined) {
      const usualMs = this.#options.initialMs;
      times = { usualMs, sampledAtMs: -Infinity, lateness: 0, isLate: false };
      this.#timesByNode.set(node, times);
    }
    return times;
  }
}
