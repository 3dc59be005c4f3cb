/** What the process says of itself: how late its event loop was, as a histogram since the start. */

import t from 'tap';
import type { Clock } from '../../src/base/host.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { snapshotToOpenMetrics } from '../../src/telemetry/metrics-text.ts';
import { measureProcess } from '../../src/telemetry/process-metrics.ts';

/** Time moved by hand; a timer fires when it is looked at, be it late. */
class HandClock implements Clock {
  #nowMs = 0;
  #timers: { readonly dueMs: number; readonly run: () => void }[] = [];

  wallMicros(): number {
    return 0;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    this.#timers.push({ dueMs: this.#nowMs + delayMs, run });
    return () => {};
  }

  /** As an event loop that stood still for so long. */
  stall(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.#nowMs);
    for (const { run } of due) run();
  }
}

t.test('each stall counts once, under every bound that it reached', (t) => {
  const clock = new HandClock();
  const metrics = new MetricsRegistry(clock);
  measureProcess(metrics, clock);
  const countFrom = (ms: number): number => {
    const text = snapshotToOpenMetrics(metrics.snapshot());
    const sample = `vertebra_event_loop_delays_total{from_ms="${ms}"} `;
    return Number(text.split(sample)[1]?.split('\n')[0]);
  };
  for (let turn = 0; turn < 20; turn += 1) clock.stall(10);
  clock.stall(70);
  t.same([0, 1, 50, 75].map(countFrom), [21, 1, 1, 0]);
  clock.stall(10);
  clock.stall(6_010);
  t.same([0, 50, 5_000].map(countFrom), [23, 2, 1], 'counts go on from one reading to the next');
  metrics.close();
  t.end();
});
