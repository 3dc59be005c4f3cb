/**
 * What waits to be exported: a bounded queue, sent in batches, one at a time.
 *
 * Nothing ever waits for it. When the receiver is away, slow or refuses, the queue fills and what is
 * beyond it is dropped and counted; a batch that the sender could not get rid of is dropped too. The
 * log says it when exporting begins to fail and when it works again.
 */

import { sleep, type Host } from '../base/host.ts';
import type { RecordedSpan } from './recording-tracer.ts';

export interface SpanSender {
  /** Resolves with why they were not taken; undefined: they were. Must end, and never rejects. */
  send(spans: readonly RecordedSpan[]): Promise<string | undefined>;
  /** Gives up what is under way. */
  close(): void;
}

export interface SpanQueueOptions {
  /** Spans that wait, and are on their way. */
  readonly spansMax: number;
  readonly batchMax: number;
  /** How long the first of a batch waits for others. */
  readonly intervalMs: number;
}

export const SPAN_QUEUE_DEFAULTS: SpanQueueOptions = {
  spansMax: 8_192,
  batchMax: 512,
  intervalMs: 1_000,
};

export class SpanQueue {
  readonly #host: Host;
  readonly #sender: SpanSender;
  readonly #options: SpanQueueOptions;
  #waiting: RecordedSpan[] = [];
  #sendingCount = 0;
  #sending: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(host: Host, sender: SpanSender, options = SPAN_QUEUE_DEFAULTS) {
    this.#host = host;
    this.#sender = sender;
    this.#options = options;
  }

  offer(span: RecordedSpan): void {
    const { spansMax, batchMax, intervalMs } = this.#options;
    if (this.#isClosed || this.#waiting.length + this.#sendingCount >= spansMax) {
      this.#host.metrics.count('tracing_spans_dropped_total');
      return;
    }
    this.#waiting.push(span);
    if (this.#sending !== undefined) return;
    if (this.#waiting.length >= batchMax) this.#start();
    else this.#cancelTimer ??= this.#host.clock.after(intervalMs, () => this.#start());
  }

  /** Takes nothing more, and sends what waits for up to `timeoutMs`. Never rejects. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    this.#start();
    await Promise.race([this.#sending, sleep(this.#host.clock, timeoutMs)]);
    this.#drop(this.#waiting.splice(0).length);
    this.#sender.close();
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#sending ??= this.#sendAll();
  }

  /** Until less than a batch is left, or nothing once the queue is closed. */
  async #sendAll(): Promise<void> {
    const { batchMax, intervalMs } = this.#options;
    do {
      const batch = this.#waiting.splice(0, batchMax);
      if (batch.length === 0) break;
      this.#sendingCount = batch.length;
      const refusal = await this.#sender.send(batch);
      this.#sendingCount = 0;
      this.#note(batch.length, refusal);
    } while (this.#isClosed || this.#waiting.length >= batchMax);
    this.#sending = undefined;
    if (this.#waiting.length === 0 || this.#isClosed) return;
    this.#cancelTimer ??= this.#host.clock.after(intervalMs, () => this.#start());
  }

  #note(spanCount: number, refusal: string | undefined): void {
    const { log, metrics } = this.#host;
    if (refusal === undefined) metrics.count('tracing_spans_exported_total', spanCount);
    else this.#drop(spanCount);
    const isFailing = refusal !== undefined;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    if (isFailing) log.warn('tracing.export_failed', { why: refusal });
    else log.info('tracing.export_resumed');
  }

  #drop(spanCount: number): void {
    if (spanCount > 0) this.#host.metrics.count('tracing_spans_dropped_total', spanCount);
  }
}
