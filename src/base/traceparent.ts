/**
 * `traceparent`: how a span is named between programs.
 *
 * Clients may send one with a request, and nodes send them to each other. Whatever is not exactly of
 * that form says nothing: a trace is never a reason to refuse work.
 *
 * Source: W3C Trace Context, version 00; of later versions the first four fields are read.
 */

import type { SpanContext } from './span.ts';

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Version, ids, flags; what a later version adds is not long. */
const LENGTH_MAX = 256;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 1;

export function encodeTraceparent({ traceId, spanId, isSampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** Undefined: there is none in `text`, whatever that is. */
export function decodeTraceparent(text: unknown): SpanContext | undefined {
  if (typeof text !== 'string' || text.length > LENGTH_MAX) return undefined;
  const match = FORM.exec(text);
  if (match === null) return undefined;
  const [, version = '', traceId = '', spanId = '', flags = '', rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & SAMPLED) !== 0 };
}
