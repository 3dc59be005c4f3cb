/**
 * Spans to a collector: OTLP over HTTP, as JSON.
 *
 * The only file that knows the packages of OpenTelemetry; it is loaded where traces are configured and
 * nowhere else. They encode, send, and try again what was refused for the moment. Keys are told as
 * fingerprints, which are made here, for what is really sent.
 *
 * Source: the OpenTelemetry protocol, version 1.
 */

import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ObjectKey } from '../base/names.ts';
import type { RecordedSpan } from './recording-tracer.ts';
import type { SpanSender } from './span-queue.ts';

export interface OtlpOptions {
  /** The whole of it: `http://collector:4318/v1/traces`. */
  readonly endpoint: string;
  /** Read anew for each batch; may reject, and then the batch is not sent. */
  readonly headers: () => Promise<Record<string, string>>;
  /** For a batch, tries included. */
  readonly timeoutMs: number;
  /** Of the node: `service.name` and the like. */
  readonly resource: Readonly<Record<string, string>>;
  readonly release: string;
  readonly fingerprint: (key: ObjectKey) => string;
}

type ReadableSpan = Parameters<OTLPTraceExporter['export']>[0][number];
type HrTime = ReadableSpan['startTime'];

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const;

const REFUSAL_LENGTH_MAX = 200;

export class OtlpSender implements SpanSender {
  readonly #exporter: OTLPTraceExporter;
  readonly #fingerprint: OtlpOptions['fingerprint'];
  readonly #common: Pick<ReadableSpan, 'resource' | 'instrumentationScope'>;

  constructor(options: OtlpOptions) {
    const { endpoint, headers, timeoutMs, resource, release, fingerprint } = options;
    this.#exporter = new OTLPTraceExporter({ url: endpoint, headers, timeoutMillis: timeoutMs });
    this.#fingerprint = fingerprint;
    this.#common = {
      resource: resourceFromAttributes(resource),
      instrumentationScope: { name: 'vertebra', version: release },
    };
  }

  send(spans: readonly RecordedSpan[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      const readable = spans.map((span) => this.#toReadable(span));
      this.#exporter.export(readable, ({ error }) => {
        resolve(error?.message.slice(0, REFUSAL_LENGTH_MAX));
      });
    });
  }

  close(): void {
    // Resolves with what is under way, which has a deadline of its own.
    void this.#exporter.shutdown();
  }

  #toReadable(span: RecordedSpan): ReadableSpan {
    const { startMicros, endMicros, failure, key } = span;
    const attributes = Object.fromEntries(span.attributes);
    if (key !== undefined) attributes['vertebra.key_fingerprint'] = this.#fingerprint(key);
    if (failure !== undefined) attributes['error.type'] = failure;
    const { traceId, spanId, parentSpanId } = span;
    const traceFlags = TraceFlags.SAMPLED;
    return {
      name: span.name,
      kind: KINDS[span.kind],
      spanContext: () => ({ traceId, spanId, traceFlags }),
      ...(parentSpanId === undefined
        ? {}
        : { parentSpanContext: { traceId, spanId: parentSpanId, traceFlags } }),
      startTime: toHrTime(startMicros),
      endTime: toHrTime(endMicros),
      duration: toHrTime(endMicros - startMicros),
      status:
        failure === undefined
          ? { code: SpanStatusCode.UNSET }
          : { code: SpanStatusCode.ERROR, message: failure },
      attributes,
      links: [],
      events: [],
      ended: true,
      ...this.#common,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** Seconds, and nanoseconds of the next. */
function toHrTime(micros: number): HrTime {
  const seconds = Math.floor(micros / 1_000_000);
  return [seconds, (micros - seconds * 1_000_000) * 1_000];
}
