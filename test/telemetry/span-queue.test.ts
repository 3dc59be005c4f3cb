/** Spans on their way out: bounded whatever becomes of the receiver, and nobody waits for it. */

import t from 'tap';
import type { Host } from '../../src/base/host.ts';
import type { RecordedSpan } from '../../src/telemetry/recording-tracer.ts';
import { SpanQueue, type SpanSender } from '../../src/telemetry/span-queue.ts';
import { VirtualTime } from '../node/virtual-time.ts';

const OPTIONS = { spansMax: 10, batchMax: 4, intervalMs: 1_000 };
const SPAN = { name: 'span' } as RecordedSpan;

class Outside {
  readonly time = new VirtualTime();
  readonly counts = new Map<string, number>();
  readonly events: string[] = [];
  readonly batches: number[] = [];
  isClosed = false;
  readonly queue: SpanQueue;

  /** `refusal`: what the receiver says; `never`: it says nothing. */
  constructor(refusal: () => string | undefined) {
    const host: Host = {
      clock: {
        wallMicros: () => 0,
        monotonicMs: () => this.time.nowMs,
        after: (delayMs, run) => this.time.after(delayMs, run),
      },
      random: { bytes: (size) => Buffer.alloc(size), integer: () => 0 },
      log: {
        debug() {},
        info: (event) => void this.events.push(event),
        warn: (event) => void this.events.push(event),
        error() {},
      },
      metrics: {
        count: (name, by = 1) => void this.counts.set(name, (this.counts.get(name) ?? 0) + by),
        gauge() {},
        observe() {},
      },
    };
    const sender: SpanSender = {
      send: (spans) => {
        this.batches.push(spans.length);
        const said = refusal();
        return said === 'never' ? new Promise(() => {}) : Promise.resolve(said);
      },
      close: () => {
        this.isClosed = true;
      },
    };
    this.queue = new SpanQueue(host, sender, OPTIONS);
  }

  offer(count: number): void {
    for (let index = 0; index < count; index += 1) this.queue.offer(SPAN);
  }

  get dropped(): number {
    return this.counts.get('tracing_spans_dropped_total') ?? 0;
  }

  get exported(): number {
    return this.counts.get('tracing_spans_exported_total') ?? 0;
  }
}

t.test('a full batch leaves at once, the rest after a while', async (t) => {
  const outside = new Outside(() => undefined);
  outside.offer(6);
  await outside.time.advance(999);
  t.same(outside.batches, [4]);
  await outside.time.advance(1_001);
  t.same(outside.batches, [4, 2]);
  t.same([outside.exported, outside.dropped], [6, 0]);
});

t.test('a receiver that does not answer holds so many spans and no more', async (t) => {
  const outside = new Outside(() => 'never');
  outside.offer(1_000);
  await outside.time.advance(60_000);
  t.same(outside.batches, [4]);
  t.equal(outside.dropped, 990);
  const closed = outside.queue.close(2_000);
  await outside.time.settle(closed, 2_001);
  t.equal(outside.time.nowMs, 62_000, 'and a stop only so long');
  t.ok(outside.isClosed);
  t.equal(outside.dropped, 996, 'what waited');
});

t.test('what is refused is dropped and counted, and the log says so once', async (t) => {
  let refusal: string | undefined = 'Bad Request';
  const outside = new Outside(() => refusal);
  outside.offer(8);
  await outside.time.advance(2_000);
  t.same([outside.exported, outside.dropped], [0, 8]);
  refusal = undefined;
  outside.offer(1);
  await outside.time.advance(1_000);
  t.same([outside.exported, outside.dropped], [1, 8]);
  t.same(outside.events, ['tracing.export_failed', 'tracing.export_resumed']);
});

t.test('a stop sends what waits, and takes nothing more', async (t) => {
  const outside = new Outside(() => undefined);
  outside.offer(3);
  await outside.time.settle(outside.queue.close(2_000));
  outside.offer(1);
  t.same([outside.batches, outside.exported, outside.dropped], [[3], 3, 1]);
  t.ok(outside.isClosed);
});
