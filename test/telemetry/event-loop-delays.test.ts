/** How late the event loop was, as histograms since the start, by hand and in this process. */

import { createHash } from 'node:crypto';
import t from 'tap';
import type { Clock } from '../../src/base/host.ts';
import { countEventLoopDelays, mainThreadTime } from '../../src/telemetry/event-loop-delays.ts';
import { MetricsRegistry } from '../../src/telemetry/metrics-registry.ts';
import { snapshotToOpenMetrics } from '../../src/telemetry/metrics-text.ts';

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

const countsOf = (metrics: MetricsRegistry, name: string): ((fromMs: number) => number) => {
  const text = snapshotToOpenMetrics(metrics.snapshot());
  return (fromMs) =>
    Number(text.split(`vertebra_${name}_total{from_ms="${fromMs}"} `)[1]?.split('\n')[0]);
};

t.test('each stall counts once, under every bound that it reached', (t) => {
  const clock = new HandClock();
  const metrics = new MetricsRegistry(clock);
  let ranMs = 0;
  countEventLoopDelays(metrics, clock, () => ranMs);
  const counts = (name: string, bounds: readonly number[]): number[] =>
    bounds.map(countsOf(metrics, name));
  for (let turn = 0; turn < 20; turn += 1) clock.stall(10);
  ranMs += 30;
  clock.stall(70);
  t.same(counts('event_loop_delays', [0, 1, 50, 75]), [21, 1, 1, 0]);
  t.same(counts('event_loop_own_delays', [0, 30, 40]), [21, 1, 0], 'it waited for the rest');
  clock.stall(10);
  ranMs += 6_010;
  clock.stall(6_010);
  t.same(counts('event_loop_delays', [0, 50, 5_000]), [23, 2, 1], 'counts go on');
  t.same(counts('event_loop_own_delays', [0, 50, 5_000]), [23, 1, 1]);
  metrics.close();
  t.end();
});

t.test('where the system does not tell what the thread ran, nothing is called its own', (t) => {
  const clock = new HandClock();
  const metrics = new MetricsRegistry(clock);
  countEventLoopDelays(metrics, clock, () => undefined);
  clock.stall(70);
  t.equal(countsOf(metrics, 'event_loop_delays')(50), 1);
  t.equal(countsOf(metrics, 'event_loop_own_delays')(0), 0);
  metrics.close();
  t.end();
});

t.test('the time of the thread grows by what it works, not by what it waits', async (t) => {
  const threadMs = mainThreadTime();
  const startMs = threadMs();
  if (startMs === undefined) return t.comment('this system does not tell');
  // In pieces, because it is told in steps of the kernel's tick.
  for (let rounds = 0; (threadMs() ?? 0) < startMs + 40; rounds += 1) {
    if (rounds === 20_000) return t.fail('it never grew');
    createHash('sha256').update(Buffer.alloc(65_536)).digest();
  }
  const beforeMs = threadMs() ?? 0;
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.ok((threadMs() ?? 0) - beforeMs < 150, 'a wait of 200 ms costs next to nothing');
});
