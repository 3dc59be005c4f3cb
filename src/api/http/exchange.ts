/**
 * One request under way: what the client sent, in the forms that resources ask for.
 */

import { TLSSocket } from 'node:tls';
import { parseTarget } from './request-target.ts';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Host } from '../../base/host.ts';
import type { Span } from '../../base/span.ts';
import type { NodeService } from '../../node/node-service.ts';
import type { QueryHolds } from '../../query/query-holds.ts';
import type { FlushRound } from '../../base/flush-round.ts';
import type { HttpOptions } from './http-options.ts';
import type { ReadingTurns } from './reading-turns.ts';
import type { Query } from './query.ts';
import type { Resource } from './resource.ts';

/** What every resource needs of its surroundings. */
export interface HttpContext {
  readonly host: Host;
  readonly service: NodeService;
  readonly options: HttpOptions;
  readonly queries: QueryHolds;
  /** In which answers leave. */
  readonly round: FlushRound;
  /** Whose next request is read. */
  readonly turns: ReadingTurns;
}

/** A request as it comes from node:http. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isContinueExpected: boolean;
}

export class Exchange {
  readonly context: HttpContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As it came, not decoded; without the query. */
  readonly path: string;
  readonly query: Query;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Empty until the pipeline has read it, and for methods without one. */
  body: Buffer = EMPTY;
  /** Who was admitted, by the name given. */
  user: string | undefined;
  /** The client waits for `100 Continue` before it sends the body, and has not been told. */
  isContinueExpected: boolean;
  /** The rest of the request will not be read: the connection ends with the answer. */
  mustClose = false;
  /** It has waited unread for as long as a request may. */
  isOverdue = false;
  /** What it is about, once that is known. */
  resource: Resource | undefined;
  /** When the request had been read, by the monotonic clock. */
  startedMs: number;
  /** What of the time since then was waiting for the client. */
  clientMs = 0;
  /** Of the answer's body; what of it has been handed over. */
  replyBytes = 0;
  /** Of the object that was read or written, where that is known. */
  siblings = 0;
  /** Of an answer that was handed over whole. */
  status: number | undefined;
  /** What the request is traced by; undefined: it is not. */
  readonly span: Span | undefined;

  constructor(context: HttpContext, call: Call) {
    const { path, query } = parseTarget(call.request.url ?? '/');
    this.context = context;
    this.request = call.request;
    this.response = call.response;
    this.isContinueExpected = call.isContinueExpected;
    this.path = path;
    this.query = query;
    this.method = call.request.method ?? '';
    this.headers = call.request.headers;
    this.startedMs = context.host.clock.monotonicMs();
    this.span = context.options.tracer?.request('HTTP', this.header('traceparent'));
  }

  /** Over TLS. */
  get isEncrypted(): boolean {
    return this.request.socket instanceof TLSSocket;
  }

  /** The client's; IPv4 may be mapped to IPv6. */
  get address(): string {
    return this.request.socket.remoteAddress ?? '';
  }

  /** A header by its name in lower case; repeated ones are joined with `, `. */
  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Names as received, each followed by its value. */
  get rawHeaders(): readonly string[] {
    return this.request.rawHeaders;
  }
}

const EMPTY = Buffer.alloc(0);
