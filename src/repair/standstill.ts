/**
 * Standstills: work on transfers that comes no nearer to its end, though nobody whom it needs is away.
 *
 * Work that fails and begins anew may be busy for ever without getting anywhere. So what counts is not
 * that something was done but that more is done than ever before: more trees through than at any
 * earlier try, or records moved that need not be moved again. What waits for a node that is down is no
 * standstill: that has its own alarm.
 */

import type { Clock } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';

/** `step`: of the ring, the fill that belongs to it included. */
export type WatchedWork = 'step' | 'refill' | 'hand-over';

export interface Standstill {
  readonly work: WatchedWork;
  readonly forMs: number;
}

interface Watched {
  /** The same work tried again has the same. */
  readonly mark: string;
  readonly waitsFor: readonly NodeId[];
  readonly treesDone: number;
  readonly sinceMs: number;
}

export class Standstills {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #watchedByWork = new Map<WatchedWork, Watched>();

  /** `stallMs`: work that stands for so long stands still. */
  constructor(clock: Clock, stallMs: number) {
    this.#clock = clock;
    this.#stallMs = stallMs;
  }

  /** Begins, or goes on if `mark` is as before. */
  begin(work: WatchedWork, mark: string, waitsFor: readonly NodeId[]): void {
    const before = this.#watchedByWork.get(work);
    const isSame = before?.mark === mark;
    const { treesDone, sinceMs } = isSame ? before : { treesDone: 0, sinceMs: this.#nowMs };
    this.#watchedByWork.set(work, { mark, waitsFor, treesDone, sinceMs });
  }

  /** So many trees are through in this try. */
  reached(work: WatchedWork, treesDone: number): void {
    const watched = this.#watchedByWork.get(work);
    if (watched === undefined || treesDone <= watched.treesDone) return;
    this.#watchedByWork.set(work, { ...watched, treesDone, sinceMs: this.#nowMs });
  }

  /** Something was moved that need not be moved again. */
  moved(work: WatchedWork): void {
    const watched = this.#watchedByWork.get(work);
    if (watched === undefined) return;
    this.#watchedByWork.set(work, { ...watched, sinceMs: this.#nowMs });
  }

  end(work: WatchedWork): void {
    this.#watchedByWork.delete(work);
  }

  stalled(isUp: (node: NodeId) => boolean): readonly Standstill[] {
    const nowMs = this.#nowMs;
    return [...this.#watchedByWork]
      .map(([work, { sinceMs, waitsFor }]) => ({ work, forMs: nowMs - sinceMs, waitsFor }))
      .filter(({ forMs, waitsFor }) => forMs >= this.#stallMs && waitsFor.every(isUp))
      .map(({ work, forMs }) => ({ work, forMs }));
  }

  get #nowMs(): number {
    return this.#clock.monotonicMs();
  }
}
