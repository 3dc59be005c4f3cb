/**
 * The HTTP server: connections, their limits, and requests in order.
 *
 * Requests on one connection are served strictly one after the other, also where a client sends the
 * next before the answer (a pipelined GET must see the PUT before it). Whatever a client does costs a
 * bounded amount: header size and count, body size, connections, pipelined requests, and the time for
 * headers, body, rest and reading the answer all have limits, and each limit a counter.
 */

import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { ByteBudget } from '../../base/byte-budget.ts';
import { assert, isFault } from '../../base/fault.ts';
import { QueryHolds } from '../../query/query-holds.ts';
import { FlushRound } from '../../base/flush-round.ts';
import { htmlAnswer } from './answer.ts';
import { decide } from './decision.ts';
import { Exchange } from './exchange.ts';
import { faultToAnswer } from './failure-answer.ts';
import { Lane } from './lane.ts';
import { closed, connectionCountOf, listenAt, secureContext, serverOptions } from './listener.ts';
import { ReadingTurns } from './reading-turns.ts';
import { announcedSizeBytes } from './request-body.ts';
import { noteServed } from './request-account.ts';
import { findResource, splitPath } from './routes.ts';
import { transmit } from './transmission.ts';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Host } from '../../base/host.ts';
import type { NodeService } from '../../node/node-service.ts';
import type { ListenerCertificates } from '../../security/listener-certificates.ts';
import type { Answer } from './answer.ts';
import type { Call, HttpContext } from './exchange.ts';
import type { HttpOptions } from './http-options.ts';
import type { Address } from './listener.ts';

/** Names are at most this long, so that they fit the stores' keys. */
const URL_LENGTH_MAX = 65_536;

export class HttpServer {
  readonly #context: HttpContext;
  readonly #server: Server;
  /** Over TLS. */
  #secureServer: Server | undefined;
  readonly #bodyBudget: ByteBudget;
  readonly #lanes = new WeakMap<Socket, Lane>();
  #closing: Promise<void> | undefined;

  constructor(host: Host, service: NodeService, options: HttpOptions) {
    const queries = new QueryHolds(options.queryLimits, host.metrics);
    const round = new FlushRound(setImmediate);
    const turns = new ReadingTurns(host.metrics, {
      waitingMax: options.waitingMax,
      unreadMaxMs: options.unreadMaxMs,
      clock: host.clock,
      defer: setImmediate,
    });
    this.#context = { host, service, options, queries, round, turns };
    this.#bodyBudget = new ByteBudget(options.bodyBudgetBytes);
    this.#server = createServer(serverOptions(options));
    this.#server.on('connection', this.#open);
    this.#equip(this.#server);
  }

  /** Resolves with the port; rejects with the fault `config` where the address cannot be had. */
  listen(address: Address): Promise<number> {
    return listenAt(this.#server, address);
  }

  /** As `listen`, over TLS; once at most. Certificates that are renewed count from then on. */
  listenSecurely(address: Address, certificates: ListenerCertificates): Promise<number> {
    assert(this.#secureServer === undefined, 'there is one listener for TLS');
    const { options, host } = this.#context;
    const server = createSecureServer({
      ...serverOptions(options),
      ...secureContext(certificates),
      handshakeTimeout: options.handshakeTimeoutMs,
    });
    certificates.onRenewal(() => server.setSecureContext(secureContext(certificates)));
    // Before the server's own listener, which would have it answered like broken HTTP.
    server.prependListener('tlsClientError', (_error, socket) => {
      host.metrics.count('http_tls_failed_total');
      socket.destroy();
    });
    this.#secureServer = server;
    server.on('secureConnection', this.#open);
    this.#equip(server);
    return listenAt(server, address);
  }

  /** Connections that are open now. */
  async connectionCount(): Promise<number> {
    const counts = await Promise.all(this.#servers().map(connectionCountOf));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Takes no more requests, lets those under way be answered for up to `graceMs`, then cuts what is
   * left. May be called again; all calls resolve with the first.
   */
  close(graceMs = 5_000): Promise<void> {
    const servers = this.#servers();
    this.#closing ??= new Promise((resolve) => {
      const cancel = this.#context.host.clock.after(graceMs, () => {
        for (const server of servers) server.closeAllConnections();
      });
      void Promise.all(servers.map(closed)).then(() => {
        cancel();
        resolve();
      });
      for (const server of servers) server.closeIdleConnections();
    });
    return this.#closing;
  }

  #servers(): readonly Server[] {
    return this.#secureServer === undefined ? [this.#server] : [this.#server, this.#secureServer];
  }

  #equip(server: Server): void {
    const { options, host } = this.#context;
    // One more than is taken, so that too many can be told from just enough.
    server.maxHeadersCount = options.headerCountLimit + 1;
    server.maxConnections = options.connectionsMax;
    server.timeout = options.stallTimeoutMs;
    server.on('request', (request, response) => {
      this.#enter({ request, response, isContinueExpected: false });
    });
    // Riak passes over what it does not know to be expected.
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      this.#enter({ request, response, isContinueExpected: false });
    });
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#enter({ request, response, isContinueExpected: true });
    });
    server.on('clientError', (error, socket) => {
      this.#refuseConnection(error, socket as Socket);
    });
    server.on('connect', (_request, socket) => {
      socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\r\n');
    });
    server.on('timeout', (socket) => this.#timedOut(socket));
    server.on('drop', () => host.metrics.count('http_connections_refused_total'));
    // Such as no more file descriptors: one connection is lost, the server goes on.
    server.on('error', (error: NodeJS.ErrnoException) => {
      host.metrics.count('http_accept_failed_total');
      host.log.warn('http.accept-failed', { code: error.code });
    });
  }

  readonly #open = (socket: Socket): void => {
    const { turns, host } = this.#context;
    const lane = new Lane(socket);
    this.#lanes.set(socket, lane);
    host.metrics.count('http_connections_total');
    turns.open(lane);
    socket.on('close', () => turns.stir(lane));
  };

  /**
   * Nothing moved on the connection: a client that does not read its answer, or has nothing to ask, is
   * cut off; one that waits for the node is left waiting, and is read by now.
   */
  #timedOut(socket: Socket): void {
    const lane = this.#lanes.get(socket);
    const isNodeDue =
      lane !== undefined &&
      (lane.isBusy ? socket.writableLength === 0 : this.#context.turns.recall(lane));
    // A time-out that has passed has to be set anew.
    if (isNodeDue) socket.setTimeout(socket.timeout ?? 0);
    else socket.destroy();
  }

  #enter(call: Call): void {
    const { socket } = call.request;
    const lane = this.#lanes.get(socket);
    assert(lane !== undefined, 'a request comes on a connection');
    this.#context.turns.stir(lane);
    if (!lane.isBusy) void this.#serve(lane, call);
    else if (lane.waiting.length < this.#context.options.pipelinedMax) lane.waiting.push(call);
    else {
      this.#context.host.metrics.count('http_pipelines_cut_total');
      lane.waiting.length = 0;
      socket.destroy();
    }
  }

  /** Serves `call` and all that came behind it; always resolves. */
  async #serve(lane: Lane, first: Call): Promise<void> {
    const { socket } = first.request;
    lane.isBusy = true;
    let call: Call | undefined = first;
    let last: Exchange | undefined;
    while (call !== undefined && !socket.destroyed) {
      last = new Exchange(this.#context, call);
      last.isOverdue = lane.isOverdue;
      await this.#serveOne(last);
      call = lane.waiting.shift();
    }
    lane.isBusy = false;
    if (last?.resource?.needsRoom === true && !socket.destroyed) this.#context.turns.rest(lane);
    lane.isOverdue = false;
  }

  /** Always resolves, when the answer has been handed over or the client is gone. */
  async #serveOne(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    try {
      const answer = await this.#answer(exchange);
      if (answer === undefined) {
        response.destroy();
        return;
      }
      if (this.#closing !== undefined) exchange.mustClose = true;
      await transmit(exchange, answer);
      if (!request.socket.destroyed) exchange.status = answer.status;
    } catch (error) {
      response.destroy();
      if (isFault(error, 'closed')) return;
      if (isFault(error)) this.#context.host.metrics.count('http_answers_cut_total');
      else this.#context.options.onBug(error);
    } finally {
      this.#bodyBudget.giveBack(exchange.body.length);
      noteServed(this.#context.options.slowLog, exchange);
    }
  }

  /** Undefined: the client is gone. */
  async #answer(exchange: Exchange): Promise<Answer | undefined> {
    const { options, host } = this.#context;
    const unreadable = this.#findUnreadable(exchange);
    if (unreadable !== undefined) return unreadable;
    const announced = announcedSizeBytes(exchange.request);
    // An answer that does not need the body must not mean reading on without end.
    if (announced !== undefined && announced > options.bodyLimitBytes) exchange.mustClose = true;
    try {
      exchange.resource = findResource(exchange, splitPath(exchange.path));
      return await decide(exchange, exchange.resource, this.#bodyBudget);
    } catch (error) {
      if (isFault(error)) return faultToAnswer(error);
      host.metrics.count('http_bugs_total');
      options.onBug(error);
      return htmlAnswer(500);
    }
  }

  #findUnreadable(exchange: Exchange): Answer | undefined {
    const { headerCountLimit } = this.#context.options;
    const isShort = exchange.path.length <= URL_LENGTH_MAX;
    if (isShort && exchange.rawHeaders.length < headerCountLimit * 2) return undefined;
    exchange.mustClose = true;
    return htmlAnswer(400);
  }

  /** What could not be read as HTTP is answered as far as possible, and the connection closed. */
  #refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
    const lane = this.#lanes.get(socket);
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    // What this node has not read is not late.
    if (isLate && lane !== undefined && this.#context.turns.recall(lane)) return;
    this.#context.host.metrics.count('http_malformed_total');
    if (!socket.writable || error.code === 'ECONNRESET' || lane?.isBusy === true) {
      // Anything written now would land in the middle of the answer under way.
      socket.destroy();
      return;
    }
    const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, string>> = {
  HPE_INVALID_METHOD: '501 Not Implemented',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
