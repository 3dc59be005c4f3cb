/**
 * The node's metrics: counters, gauges, and histograms of the last minute.
 *
 * A name is a series. It may carry labels in OpenMetrics' own form, `peer_requests{peer="a@b"}`; who
 * uses them builds the whole name once and keeps it. The minute is 12 slices of 5 seconds, moved on
 * by one timer, so that the hot path never reads a clock: it is a map access and an addition. The
 * number of series is bounded; past the bound new names are refused and counted, never stored.
 */

import { assert } from '../base/fault.ts';
import type { Clock, Metrics } from '../base/host.ts';
import { WindowedHistogram } from './windowed-histogram.ts';
import type { HistogramSummary } from './windowed-histogram.ts';

const SLICES = 12;
const SLICE_MS = 5_000;
const SERIES_MAX_DEFAULT = 4_096;

/** Counts the values that found no place because there were too many series. */
export const SERIES_REFUSED = 'metrics_series_refused';

export interface CounterSummary {
  /** In the last minute. */
  readonly recent: number;
  /** Since the start. */
  readonly total: number;
}

/** All series at one moment, by name, in the order of their first use. */
export interface MetricsSnapshot {
  readonly counters: ReadonlyMap<string, CounterSummary>;
  readonly gauges: ReadonlyMap<string, number>;
  readonly histograms: ReadonlyMap<string, HistogramSummary>;
}

export interface MetricsOptions {
  /** Different names at most. Default 4,096. */
  readonly seriesMax?: number;
}

export class MetricsRegistry implements Metrics {
  readonly #clock: Clock;
  readonly #seriesMax: number;
  readonly #counters = new Map<string, WindowedCounter>();
  readonly #gauges = new Map<string, number>();
  readonly #histograms = new Map<string, WindowedHistogram>();
  readonly #collectors: (() => void)[] = [];
  #cancelRotation: () => void;

  constructor(clock: Clock, options: MetricsOptions = {}) {
    this.#clock = clock;
    this.#seriesMax = options.seriesMax ?? SERIES_MAX_DEFAULT;
    this.#counters.set(SERIES_REFUSED, new WindowedCounter());
    this.#cancelRotation = clock.after(SLICE_MS, () => this.#rotate());
  }

  count(name: string, by = 1): void {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      if (!this.#admits(name)) return;
      counter = new WindowedCounter();
      this.#counters.set(name, counter);
    }
    counter.add(by);
  }

  gauge(name: string, value: number): void {
    if (!this.#gauges.has(name) && !this.#admits(name)) return;
    this.#gauges.set(name, value);
  }

  /**
   * A gauge for each value of the label, `name{label="…"}`, in place of those that it had before: what
   * is not in `values` has no series any more.
   */
  gaugeEach(name: string, label: string, values: ReadonlyMap<string, number>): void {
    const wanted = new Map([...values].map(([of, value]) => [series(name, label, of), value]));
    for (const known of this.#gauges.keys()) {
      if (known.startsWith(`${name}{`) && !wanted.has(known)) this.#gauges.delete(known);
    }
    for (const [each, value] of wanted) this.gauge(each, value);
  }

  observe(name: string, value: number): void {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      if (!this.#admits(name)) return;
      histogram = new WindowedHistogram(SLICES);
      this.#histograms.set(name, histogram);
    }
    histogram.observe(value);
  }

  /** Runs `collect` before each snapshot, to set gauges that are dear to keep current. */
  beforeSnapshot(collect: () => void): void {
    this.#collectors.push(collect);
  }

  snapshot(): MetricsSnapshot {
    for (const collect of this.#collectors) collect();
    return {
      counters: mapValues(this.#counters, (counter) => counter.summary()),
      gauges: new Map(this.#gauges),
      histograms: mapValues(this.#histograms, (histogram) => histogram.summary()),
    };
  }

  /** Stops the minute from moving on. Idempotent. */
  close(): void {
    this.#cancelRotation();
  }

  /** Whether there is room for a new series; its name must not be another kind's already. */
  #admits(name: string): boolean {
    const kinds = [this.#counters, this.#gauges, this.#histograms].filter((map) => map.has(name));
    assert(kinds.length === 0, `metric ${name} is used as two kinds`);
    const series = this.#counters.size + this.#gauges.size + this.#histograms.size;
    if (series < this.#seriesMax) return true;
    this.#counters.get(SERIES_REFUSED)?.add(1);
    return false;
  }

  #rotate(): void {
    for (const counter of this.#counters.values()) counter.rotate();
    for (const histogram of this.#histograms.values()) histogram.rotate();
    this.#cancelRotation = this.#clock.after(SLICE_MS, () => this.#rotate());
  }
}

/** As OpenMetrics writes it. */
function series(name: string, label: string, value: string): string {
  const escaped = value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n');
  return `${name}{${label}="${escaped}"}`;
}

class WindowedCounter {
  readonly #slices: number[] = Array.from({ length: SLICES }, () => 0);
  #slice = 0;
  #total = 0;
  /** What the slice being filled has so far. */
  #current = 0;

  add(by: number): void {
    this.#current += by;
  }

  rotate(): void {
    this.#total += this.#current;
    this.#slices[this.#slice] = this.#current;
    this.#slice = (this.#slice + 1) % SLICES;
    this.#slices[this.#slice] = 0;
    this.#current = 0;
  }

  summary(): CounterSummary {
    const full = this.#slices.reduce((left, right) => left + right, 0);
    return { recent: full + this.#current, total: this.#total + this.#current };
  }
}

function mapValues<In, Out>(map: ReadonlyMap<string, In>, change: (value: In) => Out) {
  return new Map(Array.from(map, ([name, value]) => [name, change(value)] as const));
}
