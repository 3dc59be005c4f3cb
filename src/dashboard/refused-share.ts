/**
 * Which share of a node's requests was refused in the last five minutes, from thinned readings.
 */

import type { MetricsReading } from './metrics-reading.ts';

interface Counts {
  readonly atMs: number;
  readonly refused: number;
  readonly served: number;
}

const SPAN_MS = 5 * 60_000;
const STEP_MS = 15_000;

export class RefusedShare {
  readonly #counts: Counts[] = [];

  note({ atMs, values }: MetricsReading): void {
    const last = this.#counts.at(-1);
    if (last !== undefined && atMs - last.atMs < STEP_MS) return;
    const served = (values.get('node_gets_total') ?? 0) + (values.get('node_puts_total') ?? 0);
    const refused = values.get('requests_refused_total') ?? 0;
    // The node was started again.
    if (last !== undefined && (served < last.served || refused < last.refused))
      this.#counts.length = 0;
    this.#counts.push({ atMs, refused, served });
    while ((this.#counts[0]?.atMs ?? atMs) < atMs - SPAN_MS) this.#counts.shift();
  }

  /** Of those that were served; undefined: nothing to tell by yet. */
  get share(): number | undefined {
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    if (first === undefined || last === undefined || first === last) return undefined;
    const refused = last.refused - first.refused;
    if (refused === 0) return 0;
    return refused / Math.max(1, last.served - first.served);
  }
}
