/**
 * The samples of the last minutes, in a ring of fixed size: the oldest goes for the newest.
 */

import type { History, NodeView, Sample, SampleValues } from './page/snapshot.ts';

export const HISTORY_SPAN_MS = 15 * 60_000;
/** Between two samples at least. */
export const SAMPLE_MS = 5_000;

export class SampleRing {
  readonly #samples: Sample[] = [];
  readonly #samplesMax: number;

  constructor(samplesMax = HISTORY_SPAN_MS / SAMPLE_MS) {
    this.#samplesMax = samplesMax;
  }

  /** Undefined: the last one is too young for another. */
  add(atMs: number, nodes: readonly NodeView[]): Sample | undefined {
    const last = this.#samples.at(-1);
    // Half a second of grace: rounds do not begin to the millisecond.
    if (last !== undefined && atMs - last.atMs < SAMPLE_MS - 500) return undefined;
    const sample = {
      atMs,
      nodes: Object.fromEntries(nodes.map((each) => [each.node, valuesOf(each)])),
    };
    this.#samples.push(sample);
    if (this.#samples.length > this.#samplesMax) this.#samples.shift();
    return sample;
  }

  history(nowMs: number): History {
    const samples = this.#samples.filter(({ atMs }) => atMs >= nowMs - HISTORY_SPAN_MS);
    return { spanMs: HISTORY_SPAN_MS, samples };
  }
}

function valuesOf({ answersBy, figures }: NodeView): SampleValues {
  const known = (value: number | undefined): number | null => {
    return answersBy === undefined || value === undefined ? null : Number(value.toPrecision(4));
  };
  const { diskFreeBytes, diskTotalBytes = 0 } = figures;
  return {
    reads: known(figures.readsPerSecond),
    writes: known(figures.writesPerSecond),
    readP99: known(figures.readP99Ms),
    writeP99: known(figures.writeP99Ms),
    loopDelay: known(figures.loopDelayMs),
    memory: known(figures.memoryBytes),
    diskFree: known(
      diskFreeBytes === undefined || diskTotalBytes <= 0
        ? undefined
        : diskFreeBytes / diskTotalBytes,
    ),
    hints: known(figures.hints),
  };
}
