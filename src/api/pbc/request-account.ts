/**
 * What a connection notes of the request under way, for the slow log: when it came, what it was, how
 * much was sent back, and how it went. One account serves all requests of a connection, one after the other.
 */

import { RpbErrorResp } from './messages/server-messages.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import type { RequestTarget, SlowLog } from '../../node/slow-log.ts';
import type { Reply, Session } from './handler.ts';
import type { Route } from './routes.ts';

export class RequestAccount {
  readonly #session: Session;
  readonly #slowLog: SlowLog | undefined;
  #route: Route | undefined;
  #startedMs = 0;
  #requestBytes = 0;
  #replyBytes = 0;
  #siblings = 0;
  #readerMs = 0;
  #outcome = 'ok';

  constructor(session: Session, slowLog: SlowLog | undefined) {
    this.#session = session;
    this.#slowLog = slowLog;
  }

  begin(route: Route, sizeBytes: number, nowMs: number): void {
    this.#route = route;
    this.#startedMs = nowMs;
    this.#requestBytes = sizeBytes;
    this.#replyBytes = 0;
    this.#siblings = 0;
    this.#readerMs = 0;
    this.#outcome = 'ok';
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

  /** `isCut`: the client has gone. */
  end(nowMs: number, isCut: boolean): void {
    const route = this.#route;
    const request = this.#session.underWay;
    this.#route = undefined;
    this.#session.underWay = undefined;
    if (route === undefined || this.#slowLog === undefined) return;
    const ms = nowMs - this.#startedMs - this.#readerMs;
    const sizeBytes = Math.max(this.#requestBytes, this.#replyBytes);
    if (!this.#slowLog.isNotable(ms, sizeBytes, this.#siblings)) return;
    this.#slowLog.note({
      api: 'pbc',
      operation: route.name,
      target: request === undefined ? {} : targetOf(request, route),
      ms,
      requestBytes: this.#requestBytes,
      replyBytes: this.#replyBytes,
      siblings: this.#siblings,
      outcome: isCut ? 'cut' : this.#outcome,
    });
  }
}

/** Texts of errors may hold what clients sent; these two are all that is passed on. */
function outcomeOf({ value }: Reply): string {
  const text = (value as { readonly errmsg?: unknown }).errmsg;
  return text === 'timeout' || text === 'overload' ? text : 'error';
}

function targetOf(request: RequestTarget, { work }: Route): RequestTarget {
  const { type, bucket, key } = request;
  if (bucket === undefined && type === undefined) return {};
  // Only what is read, written or deleted has a key; an index query calls its term one.
  return { type: type ?? DEFAULT_BUCKET_TYPE, bucket, key: work === undefined ? undefined : key };
}
