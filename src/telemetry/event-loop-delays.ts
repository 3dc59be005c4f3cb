/**
 * How late the event loop is, as histograms since the start, and how much of it is the node's own doing.
 *
 * The loop is looked at so often that no long stall is missed; two readings differ by what happened in
 * between. A look can be late because the loop's thread worked, or because that thread waited: for a
 * processor that others had, or for a disk. The first kind is counted again by itself, from what the
 * kernel says that the thread has run, so that a crowded machine is not taken for slow code.
 */

import { openSync, readSync } from 'node:fs';
import type { Clock } from '../base/host.ts';
import type { MetricsRegistry } from './metrics-registry.ts';

/** A stall is seen as at most this much shorter than it was. */
const LOOK_MS = 10;
/** Each counts what is as late or later. */
const BOUNDS_MS = [
  0, 1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000,
] as const;

/** How long the event loop's thread has run so far, in ms; undefined where the system does not tell. */
export type ThreadTime = () => number | undefined;

/** For as long as the process lives. */
export function countEventLoopDelays(
  metrics: MetricsRegistry,
  clock: Clock,
  threadMs: ThreadTime,
): void {
  const all = new DelayCounts(metrics, 'event_loop_delays_total');
  const own = new DelayCounts(metrics, 'event_loop_own_delays_total');
  const look = (ranMs: number | undefined): void => {
    const dueMs = clock.monotonicMs() + LOOK_MS;
    clock.after(LOOK_MS, () => {
      const delayMs = Math.max(0, clock.monotonicMs() - dueMs);
      const nowRanMs = threadMs();
      all.add(delayMs);
      if (ranMs !== undefined && nowRanMs !== undefined) {
        own.add(Math.min(delayMs, nowRanMs - ranMs));
      }
      look(nowRanMs);
    });
  };
  look(threadMs());
}

/** A histogram that only grows, told as cumulative counts by bound. */
class DelayCounts {
  readonly #untold = new Uint32Array(BOUNDS_MS.length);

  constructor(metrics: MetricsRegistry, name: string) {
    metrics.beforeSnapshot(() => {
      let count = 0;
      for (let bound = BOUNDS_MS.length - 1; bound >= 0; bound -= 1) {
        count += this.#untold[bound] as number;
        const ms = BOUNDS_MS[bound] as number;
        metrics.count(`${name}{from_ms="${ms}"}`, count);
      }
      this.#untold.fill(0);
    });
  }

  add(delayMs: number): void {
    let bound = BOUNDS_MS.length - 1;
    while (bound > 0 && (BOUNDS_MS[bound] as number) > delayMs) bound -= 1;
    this.#untold[bound] = (this.#untold[bound] as number) + 1;
  }
}

/** Linux's `schedstat` of the process's first thread, on which the event loop runs; in steps of its tick. */
export function mainThreadTime(): ThreadTime {
  const buffer = Buffer.alloc(64);
  let descriptor: number;
  try {
    descriptor = openSync('/proc/self/schedstat', 'r');
  } catch {
    return () => undefined;
  }
  return () => {
    try {
      const length = readSync(descriptor, buffer, 0, buffer.length, 0);
      const ranNanos = Number(buffer.toString('latin1', 0, length).split(' ', 1)[0]);
      // A kernel that counts nothing says 0.
      return ranNanos > 0 ? ranNanos / 1_000_000 : undefined;
    } catch {
      return undefined;
    }
  };
}
