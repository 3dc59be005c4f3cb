/**
 * What is told of a request over HTTP that has ended: to the slow log, and to its trace.
 */

import type { Span } from '../../base/span.ts';
import type { SlowLog } from '../../node/slow-log.ts';
import type { Exchange } from './exchange.ts';

/** From this status on it is the node's failure and not the client's. */
const SERVER_ERROR = 500;

export function noteServed(slowLog: SlowLog | undefined, exchange: Exchange): void {
  const { body, replyBytes, siblings, resource, span } = exchange;
  if (span !== undefined) endSpan(span, exchange);
  if (slowLog === undefined) return;
  const ms = exchange.context.host.clock.monotonicMs() - exchange.startedMs - exchange.clientMs;
  if (!slowLog.isNotable(ms, Math.max(body.length, replyBytes), siblings)) return;
  slowLog.note({
    api: 'http',
    operation: operationOf(exchange),
    target: { ...resource?.target, key: resource?.key },
    ms,
    requestBytes: body.length,
    replyBytes,
    siblings,
    outcome: exchange.status === undefined ? 'cut' : `${exchange.status}`,
    traceId: span?.traceId,
  });
}

/** Where there is no resource the method may be anything at all. */
function operationOf({ resource, method }: Exchange): string {
  return resource === undefined ? 'unknown' : `${method} ${resource.route}`;
}

function endSpan(span: Span, exchange: Exchange): void {
  const { body, replyBytes, siblings, resource, status } = exchange;
  span.name = operationOf(exchange);
  span.set('vertebra.api', 'http');
  if (resource !== undefined) {
    span.set('http.request.method', exchange.method);
    const { type, bucket } = resource.target ?? {};
    const { key } = resource;
    if (type !== undefined && bucket !== undefined && key !== undefined) {
      span.key = { type, bucket, key };
    }
  }
  span.set('vertebra.request_bytes', body.length);
  span.set('vertebra.reply_bytes', replyBytes);
  if (siblings > 0) span.set('vertebra.siblings', siblings);
  if (status !== undefined) span.set('http.response.status_code', status);
  const isFailed = status === undefined || status >= SERVER_ERROR;
  span.end(isFailed ? `${status ?? 'cut'}` : undefined, exchange.clientMs);
}
