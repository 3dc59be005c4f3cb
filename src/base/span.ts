/**
 * Spans: what is told of a request to whoever traces it, as a port.
 *
 * A request that is traced carries a span, and every step that is worth one of its own is a child of
 * the span it was given. A request that is not traced carries nothing and costs a look at a field.
 * Names and attributes are words of the program's own: no key and no value is ever in one, because
 * what is told here leaves the cluster.
 *
 * Source: OpenTelemetry's spans; `telemetry/recording-tracer.ts` keeps them.
 */

import { isFault } from './fault.ts';
import type { ObjectKey } from './names.ts';

/** What a child needs of its parent, wherever that is. */
export interface SpanContext {
  /** 32 hexadecimal digits in lower case, not all 0. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Whether the trace was chosen at its beginning; failed and slow ones may be kept all the same. */
  readonly isSampled: boolean;
}

export interface Span extends SpanContext {
  name: string;
  /** What it is about; told as a fingerprint only. */
  key: ObjectKey | undefined;
  child(name: string): Span;
  set(attribute: string, value: string | number): void;
  /**
   * Once; what is said after it is lost. `failure`: a word of the program's own. `waitedMs`: what of
   * the time was waiting for the client.
   */
  end(failure?: string, waitedMs?: number): void;
}

export interface Tracer {
  /** Of a client's request; `traceparent` as it came, if it did. */
  request(name: string, traceparent: string | undefined): Span;
  /** Of work at another node, as its parent here sees it. */
  ask(name: string, parent: SpanContext): Span;
  /** Of work done here: for a span of this node, or for one of another node. */
  answer(name: string, parent: SpanContext): Span;
}

/** Ends the span with the work. */
export async function spanned<T>(span: Span, work: Promise<T>): Promise<T> {
  try {
    const value = await work;
    span.end();
    return value;
  } catch (error) {
    span.end(failureOf(error));
    throw error;
  }
}

/** The word for what was thrown. */
export function failureOf(error: unknown): string {
  return isFault(error) ? error.code : 'bug';
}
