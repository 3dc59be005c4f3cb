/**
 * How fast background work may go, as an operator changes it while the node runs.
 *
 * A rate is changed for a time, or until the node stops; then it is as configured again. So what was slowed
 * down for a busy hour cannot stay slow for ever because nobody turned it up. Each kind of work has one
 * rate over all that it does on this node.
 */

import type { Clock } from '../base/host.ts';
import type { ByteRateLimit } from '../repair/byte-rate-limit.ts';

/**
 * `transfers`: of replicas, when members or locations change, and after the loss of a disk; `handoff`: of what
 * was kept for others; `anti-entropy`: what comparisons bring over; `scrub` and `index-repair`: what they read.
 */
export const PACED_WORK = [
  'transfers',
  'handoff',
  'anti-entropy',
  'scrub',
  'index-repair',
] as const;
export type PacedWork = (typeof PACED_WORK)[number];

/** As the setting of transfers: less would stand still, more is no limit. */
export const RATE_MIN_BYTES = 64 * 1024;
export const RATE_MAX_BYTES = 10 * 1024 ** 3;

export interface ShownRate {
  readonly work: PacedWork;
  readonly bytesPerSecond: number;
  readonly configured: number;
  /** Until it is as configured; undefined: it is, or stays so until the node stops. */
  readonly leftMs: number | undefined;
}

interface Change {
  readonly untilMs: number | undefined;
  readonly cancel: () => void;
}

export class Rates {
  readonly #clock: Clock;
  readonly #limits: Readonly<Record<PacedWork, ByteRateLimit>>;
  readonly #changes = new Map<PacedWork, Change>();

  constructor(clock: Clock, limits: Readonly<Record<PacedWork, ByteRateLimit>>) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** `bytesPerSecond` within the bounds above; `forMs` undefined: until the node stops. */
  set(work: PacedWork, bytesPerSecond: number, forMs?: number): void {
    this.#changes.get(work)?.cancel();
    this.#limits[work].bytesPerSecond = bytesPerSecond;
    this.#changes.set(work, {
      untilMs: forMs === undefined ? undefined : this.#clock.monotonicMs() + forMs,
      cancel:
        forMs === undefined ? () => undefined : this.#clock.after(forMs, () => this.reset(work)),
    });
  }

  /** As configured again: one kind of work, or all. */
  reset(work?: PacedWork): void {
    for (const each of work === undefined ? PACED_WORK : [work]) {
      this.#changes.get(each)?.cancel();
      this.#changes.delete(each);
      const limit = this.#limits[each];
      limit.bytesPerSecond = limit.configured;
    }
  }

  report(): readonly ShownRate[] {
    const nowMs = this.#clock.monotonicMs();
    return PACED_WORK.map((work) => {
      const { bytesPerSecond, configured } = this.#limits[work];
      const untilMs = this.#changes.get(work)?.untilMs;
      const leftMs = untilMs === undefined ? undefined : untilMs - nowMs;
      return { work, bytesPerSecond, configured, leftMs };
    });
  }
}
