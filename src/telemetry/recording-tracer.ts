/**
 * Spans that are kept until it is known whether anybody will want them.
 *
 * A trace is chosen at its beginning by chance (`ratio`), or by whoever sent the request. The others
 * are recorded too: what one request does at this node is a segment, and when the segment's first span
 * ends it is kept if it failed or was slow, and forgotten otherwise. So a segment lives as long as its
 * request, and its spans are bounded. Every node judges its own segment of a trace.
 *
 * Ids: a segment draws one random number, and its spans are counted from there.
 */

import type { Host } from '../base/host.ts';
import type { ObjectKey } from '../base/names.ts';
import type { Span, SpanContext, Tracer } from '../base/span.ts';
import { decodeTraceparent } from '../base/traceparent.ts';

export interface TracerOptions {
  /** The share of requests whose traces are chosen at their beginning. */
  readonly ratio: number;
  /** From so long on a request is slow; 0: none is. */
  readonly slowMs: number;
  /** Whether a client's own choice for its trace counts; otherwise only the ratio does. */
  readonly followsClients: boolean;
}

/** Takes what is to be exported; must return at once. */
export type SpanSink = (span: RecordedSpan) => void;

export type SpanKind = 'server' | 'client' | 'internal';

/** Of a segment that is not chosen yet; a request of many more parts is cut. */
const SPANS_MAX = 128;
/** Segments that are kept because they failed or were slow: when everything does, some are enough. */
const KEPT_MAX = 50;
const KEPT_INTERVAL_MS = 1_000;

const TRACE_ID_SIZE_BYTES = 16;
const SEGMENT_ID_SIZE_BYTES = 4;
const SPAN_NUMBER_DIGITS = 8;
const UINT32_LIMIT = 0x1_0000_0000;

export class RecordingTracer implements Tracer {
  readonly #host: Host;
  readonly #sink: SpanSink;
  readonly #options: TracerOptions;
  readonly #slowMs: number;
  readonly #chosenBelow: number;
  #keptCount = 0;
  #keptSinceMs = -Infinity;

  constructor(host: Host, sink: SpanSink, options: TracerOptions) {
    this.#host = host;
    this.#sink = sink;
    this.#options = options;
    this.#slowMs = options.slowMs || Infinity;
    this.#chosenBelow = options.ratio * UINT32_LIMIT;
  }

  request(name: string, traceparent: string | undefined): Span {
    const parent = traceparent === undefined ? undefined : decodeTraceparent(traceparent);
    const { followsClients } = this.#options;
    const isSampled = followsClients && parent !== undefined ? parent.isSampled : this.#choose();
    return this.#begin(name, parent, isSampled);
  }

  ask(name: string, parent: SpanContext): Span {
    return parent instanceof RecordedSpan
      ? parent.childOf(name, 'client')
      : this.#begin(name, parent, parent.isSampled);
  }

  answer(name: string, parent: SpanContext): Span {
    return parent instanceof RecordedSpan
      ? parent.child(name)
      : this.#begin(name, parent, parent.isSampled);
  }

  #choose(): boolean {
    const { ratio } = this.#options;
    return ratio > 0 && this.#host.random.integer(UINT32_LIMIT) < this.#chosenBelow;
  }

  #begin(name: string, parent: SpanContext | undefined, isSampled: boolean): RecordedSpan {
    const { random } = this.#host;
    const drawn = random
      .bytes(SEGMENT_ID_SIZE_BYTES + (parent === undefined ? TRACE_ID_SIZE_BYTES : 0))
      .toString('hex');
    const segment = new Segment(
      { host: this.#host, sink: this.#sink, keeps: (span, ms) => this.#keeps(span, ms) },
      {
        traceId: parent?.traceId ?? drawn.slice(2 * SEGMENT_ID_SIZE_BYTES),
        idPrefix: drawn.slice(0, 2 * SEGMENT_ID_SIZE_BYTES),
        isSampled,
      },
    );
    return new RecordedSpan(segment, { name, kind: 'server', parent });
  }

  /** Whether a segment that was not chosen is worth keeping now that its first span has ended. */
  #keeps(first: RecordedSpan, ms: number): boolean {
    const isSlow = ms >= this.#slowMs;
    if (first.failure === undefined && !isSlow) return false;
    const { clock, metrics } = this.#host;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#keptSinceMs >= KEPT_INTERVAL_MS) {
      this.#keptSinceMs = nowMs;
      this.#keptCount = 0;
    }
    this.#keptCount += 1;
    if (this.#keptCount > KEPT_MAX) {
      metrics.count('tracing_kept_refused_total');
      return false;
    }
    first.set('vertebra.kept', first.failure === undefined ? 'slow' : 'failed');
    return true;
  }
}

interface SegmentPorts {
  readonly host: Host;
  readonly sink: SpanSink;
  readonly keeps: (first: RecordedSpan, ms: number) => boolean;
}

interface SegmentIdentity {
  readonly traceId: string;
  readonly idPrefix: string;
  readonly isSampled: boolean;
}

/** What one request does at this node. */
class Segment {
  readonly traceId: string;
  readonly isSampled: boolean;
  readonly #idPrefix: string;
  readonly #ports: SegmentPorts;
  readonly #wallMicros: number;
  readonly #startMs: number;
  #fate: 'open' | 'kept' | 'forgotten';
  #first: RecordedSpan | undefined;
  #held: RecordedSpan[] = [];
  #spanCount = 0;

  constructor(ports: SegmentPorts, { traceId, idPrefix, isSampled }: SegmentIdentity) {
    const { clock } = ports.host;
    this.#ports = ports;
    this.traceId = traceId;
    this.#idPrefix = idPrefix;
    this.isSampled = isSampled;
    this.#fate = isSampled ? 'kept' : 'open';
    this.#wallMicros = clock.wallMicros();
    this.#startMs = clock.monotonicMs();
  }

  nowMs(): number {
    return this.#ports.host.clock.monotonicMs();
  }

  /** Microseconds since 1970. */
  microsAt(monotonicMs: number): number {
    return Math.round(this.#wallMicros + (monotonicMs - this.#startMs) * 1_000);
  }

  /** The number of the next span, from 1. */
  begin(span: RecordedSpan): number {
    this.#first ??= span;
    this.#spanCount += 1;
    return this.#spanCount;
  }

  idOf(spanNumber: number): string {
    return this.#idPrefix + spanNumber.toString(16).padStart(SPAN_NUMBER_DIGITS, '0');
  }

  /** `ms`: how long it took, without waiting for the client. */
  ended(span: RecordedSpan, ms: number): void {
    const { host, sink, keeps } = this.#ports;
    if (this.#fate === 'kept') sink(span);
    if (this.#fate !== 'open') return;
    if (span !== this.#first) {
      if (this.#held.length < SPANS_MAX) this.#held.push(span);
      else host.metrics.count('tracing_spans_cut_total');
      return;
    }
    const held = this.#held;
    this.#held = [];
    this.#fate = keeps(span, ms) ? 'kept' : 'forgotten';
    if (this.#fate === 'forgotten') return;
    for (const each of held) sink(each);
    sink(span);
  }
}

type Attribute = readonly [name: string, value: string | number];

const NO_ATTRIBUTES: readonly Attribute[] = [];

export class RecordedSpan implements Span {
  name: string;
  key: ObjectKey | undefined;
  readonly kind: SpanKind;
  /** Undefined: it has not failed. */
  failure: string | undefined;
  readonly #segment: Segment;
  readonly #parent: SpanContext | undefined;
  readonly #number: number;
  readonly #startMs: number;
  #endMs: number | undefined;
  #attributes: Attribute[] | undefined;

  constructor(
    segment: Segment,
    {
      name,
      kind,
      parent,
    }: Pick<RecordedSpan, 'name' | 'kind'> & { parent: SpanContext | undefined },
  ) {
    this.name = name;
    this.kind = kind;
    this.#parent = parent;
    this.#segment = segment;
    this.#number = segment.begin(this);
    this.#startMs = segment.nowMs();
  }

  get traceId(): string {
    return this.#segment.traceId;
  }

  get spanId(): string {
    return this.#segment.idOf(this.#number);
  }

  get parentSpanId(): string | undefined {
    return this.#parent?.spanId;
  }

  get isSampled(): boolean {
    return this.#segment.isSampled;
  }

  get startMicros(): number {
    return this.#segment.microsAt(this.#startMs);
  }

  get endMicros(): number {
    return this.#segment.microsAt(this.#endMs ?? this.#startMs);
  }

  get attributes(): readonly Attribute[] {
    return this.#attributes ?? NO_ATTRIBUTES;
  }

  child(name: string): RecordedSpan {
    return this.childOf(name, 'internal');
  }

  childOf(name: string, kind: SpanKind): RecordedSpan {
    return new RecordedSpan(this.#segment, { name, kind, parent: this });
  }

  set(attribute: string, value: string | number): void {
    this.#attributes ??= [];
    this.#attributes.push([attribute, value]);
  }

  end(failure?: string, waitedMs = 0): void {
    if (this.#endMs !== undefined) return;
    this.#endMs = this.#segment.nowMs();
    this.failure = failure;
    this.#segment.ended(this, this.#endMs - this.#startMs - waitedMs);
  }
}
