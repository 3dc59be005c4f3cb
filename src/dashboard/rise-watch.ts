/**
 * When counters of nodes last rose, as far as this process has seen: what `increase(…[1h]) > 0`
 * asks, without keeping an hour of readings. Pure, and bounded by the counters that are watched
 * and the nodes there are.
 */

import type { MetricsReading } from './metrics-reading.ts';

export interface Rise {
  /** Since the node was started. */
  readonly total: number;
  /** Since it was first read. */
  readonly risen: number;
  /** Undefined: it has not risen since. */
  readonly lastMs: number | undefined;
  /** When it was first read. */
  readonly sinceMs: number;
}

export class RiseWatch {
  readonly #counters: readonly string[];
  readonly #rises = new Map<string, Map<string, Rise>>();

  constructor(counters: readonly string[]) {
    this.#counters = counters;
  }

  note(node: string, { atMs, values }: MetricsReading): void {
    const before = this.#rises.get(node);
    const rises = new Map<string, Rise>();
    for (const counter of this.#counters) {
      const total = values.get(counter) ?? 0;
      const old = before?.get(counter);
      rises.set(
        counter,
        old === undefined
          ? { total, risen: 0, lastMs: undefined, sinceMs: atMs }
          : next(old, total, atMs),
      );
    }
    this.#rises.set(node, rises);
  }

  /** Undefined: the node has not been read. */
  riseOf(node: string, counter: string): Rise | undefined {
    return this.#rises.get(node)?.get(counter);
  }

  /** Forgets nodes that are gone. */
  keepOnly(nodes: ReadonlySet<string>): void {
    for (const node of this.#rises.keys()) if (!nodes.has(node)) this.#rises.delete(node);
  }
}

/** A counter that is lower than before counts from a new start of its node. */
function next(old: Rise, total: number, atMs: number): Rise {
  const added = total >= old.total ? total - old.total : total;
  return {
    total,
    risen: old.risen + added,
    lastMs: added > 0 ? atMs : old.lastMs,
    sinceMs: old.sinceMs,
  };
}
