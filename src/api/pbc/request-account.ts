/**
 * What a connection notes of the request under way, for the slow log and its trace: when it came, what it
 * was, how much was sent back, and how it went. One account serves all requests of a connection, one after
 * the other.
 */

import { RpbErrorResp } from './messages/server-messages.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import type { Span } from '../../base/span.ts';
import type { RequestTarget } from '../../node/slow-log.ts';
import type { Reply, Session } from './handler.ts';
import type { PbcOptions } from './pbc-options.ts';
import type { Route } from './routes.ts';

export class RequestAccount {
  readonly #session: Session;
  readonly #options: Pick<PbcOptions, 'slowLog' | 'tracer'>;
  #route: Route | undefined;
  #startedMs = 0;
  #requestBytes = 0;
  #replyBytes = 0;
  #siblings = 0;
  #readerMs = 0;
  #outcome = 'ok';

  constructor(session: Session, options: Pick<PbcOptions, 'slowLog' | 'tracer'>) {
    this.#session = session;
    this.#options = options;
  }

  begin(route: Route, sizeBytes: number, nowMs: number): void {
    this.#route = route;
    this.#startedMs = nowMs;
    this.#requestBytes = sizeBytes;
    this.#replyBytes = 0;
    this.#siblings = 0;
    this.#readerMs = 0;
    this.#outcome = 'ok';
    // The protocol has no field in which a client could name a trace of its own.
    this.#session.span = this.#options.tracer?.request(route.name, undefined);
  }

  replied(reply: Reply, sizeBytes: number): void {
    this.#replyBytes += sizeBytes;
    if (reply.siblings !== undefined) this.#siblings = reply.siblings;
    if (reply.type === RpbErrorResp) this.#outcome = outcomeOf(reply);
  }

  /** A stream stood still for so long because the client did not read. */
  waitedForReader(ms: number): void {
    this.#readerMs += ms;
  }

  /** `isCut`: the client has gone. Without a request under way nothing happens. */
  end(nowMs: number, isCut: boolean): void {
    const route = this.#route;
    const { underWay: request, span } = this.#session;
    this.#route = undefined;
    this.#session.underWay = undefined;
    this.#session.span = undefined;
    if (route === undefined) return;
    const outcome = isCut ? 'cut' : this.#outcome;
    if (span !== undefined) this.#endSpan(span, targetOf(request, route), outcome);
    const { slowLog } = this.#options;
    if (slowLog === undefined) return;
    const ms = nowMs - this.#startedMs - this.#readerMs;
    const sizeBytes = Math.max(this.#requestBytes, this.#replyBytes);
    if (!slowLog.isNotable(ms, sizeBytes, this.#siblings)) return;
    slowLog.note({
      api: 'pbc',
      operation: route.name,
      target: targetOf(request, route),
      ms,
      requestBytes: this.#requestBytes,
      replyBytes: this.#replyBytes,
      siblings: this.#siblings,
      outcome,
      traceId: span?.traceId,
    });
  }

  #endSpan(span: Span, { type, bucket, key }: RequestTarget, outcome: string): void {
    span.set('vertebra.api', 'pbc');
    span.set('vertebra.request_bytes', this.#requestBytes);
    span.set('vertebra.reply_bytes', this.#replyBytes);
    if (this.#siblings > 0) span.set('vertebra.siblings', this.#siblings);
    if (type !== undefined && bucket !== undefined && key !== undefined) {
      span.key = { type, bucket, key };
    }
    span.end(outcome === 'ok' ? undefined : outcome, this.#readerMs);
  }
}

/** Texts of errors may hold what clients sent; these two are all that is passed on. */
function outcomeOf({ value }: Reply): string {
  const text = (value as { readonly errmsg?: string }).errmsg ?? '';
  const [, reason = 'error'] = /^(?:\{error,)?(timeout|overload)\}?$/.exec(text) ?? [];
  return reason;
}

/** `request`: what came to be read. */
function targetOf(request: RequestTarget | undefined, { work }: Route): RequestTarget {
  const { type, bucket, key } = request ?? {};
  if (bucket === undefined && type === undefined) return {};
  // Only what is read, written or deleted has a key; an index query calls its term one.
  return { type: type ?? DEFAULT_BUCKET_TYPE, bucket, key: work === undefined ? undefined : key };
}
