/**
 * One HTTP connection with one request under way, as a client of the load has it.
 *
 * On undici and not node:http, which costs twice as much: the generator shares its machine with the
 * nodes, and what it costs itself is taken from them. Requests are never pipelined. A connection that
 * is lost is opened again by the next request.
 */

import { Client } from 'undici';
import { Fault, isFault } from '../../src/base/fault.ts';
import type { Dispatcher, buildConnector } from 'undici';
import type { Login } from '../../src/client/credentials.ts';
import type { NodeAddress } from '../../src/client/client.ts';
import type { DriverOptions } from './session.ts';

const ANSWER_SIZE_MAX_BYTES = 256 * 1024 * 1024;
/** A node may name a shorter time. */
const IDLE_MAX_MS = 600_000;

export interface Ask {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface Answer {
  readonly status: number;
  /** Names as they came, each followed by its value. */
  readonly headers: readonly Buffer[];
  readonly body: Buffer;
}

export class HttpConnection {
  readonly #client: Client;
  /** With each request, as HTTP has it. */
  readonly #authorization: Readonly<Record<string, string>> | undefined;
  readonly #timeoutMs: number;

  /** `timeoutMs`, kept to within a second, is for connecting, for each silence of the node, and for a body. */
  constructor(
    { host, port }: NodeAddress,
    { timeoutMs, login }: DriverOptions,
    answerSizeMaxBytes = ANSWER_SIZE_MAX_BYTES,
  ) {
    this.#timeoutMs = timeoutMs;
    const scheme = login === undefined ? 'http' : 'https';
    this.#authorization = login && { authorization: login.basicAuthorization };
    this.#client = new Client(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`, {
      ...(login !== undefined && { connect: connectOptions(login, host) }),
      connectTimeout: timeoutMs,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: IDLE_MAX_MS,
      maxResponseSize: answerSizeMaxBytes,
      pipelining: 1,
    });
  }

  /**
   * Rejects with `peer-unreachable` where nothing was sent; with `timeout`, `peer-closed` or
   * `malformed` the request may have been carried out.
   */
  ask(ask: Ask): Promise<Answer> {
    const { headers } = ask;
    const authorization = this.#authorization;
    const sent =
      authorization === undefined ? ask : { ...ask, headers: { ...headers, ...authorization } };
    return new Promise((resolve, reject) => {
      this.#client.dispatch(sent, new Awaited(resolve, reject, this.#timeoutMs));
    });
  }

  close(): void {
    void this.#client.destroy();
  }
}

/** The first value of a header by its name in lower case. */
export function headerOf({ headers }: Answer, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    const header = headers[at] as Buffer;
    if (header.length === name.length && header.toString('latin1').toLowerCase() === name) {
      return headers[at + 1]?.toString('latin1');
    }
  }
  return undefined;
}

function connectOptions(login: Login, host: string): buildConnector.BuildOptions {
  return login.tlsOptions(host) as buildConnector.BuildOptions;
}

/** Gathers the pieces of one answer. */
class Awaited implements Dispatcher.DispatchHandlers {
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (reason: Error) => void;
  readonly #pieces: Buffer[] = [];
  readonly #endMs: number;
  #abort: ((reason: Error) => void) | undefined;
  #status = 0;
  #headers: readonly Buffer[] = [];

  constructor(
    resolve: (answer: Answer) => void,
    reject: (reason: Error) => void,
    timeoutMs: number,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#endMs = performance.now() + timeoutMs;
  }

  /** Silence and the limit of size abort by themselves. */
  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort;
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    this.#status = status;
    this.#headers = headers;
    return true;
  }

  onData(piece: Buffer): boolean {
    this.#pieces.push(piece);
    // One that is sent byte by byte is never silent.
    if (performance.now() > this.#endMs) {
      this.#abort?.(new Fault('timeout', 'no whole answer in time'));
    }
    return true;
  }

  onComplete(): void {
    const [first = EMPTY, ...more] = this.#pieces;
    const body = more.length === 0 ? first : Buffer.concat(this.#pieces);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onError(error: Error): void {
    this.#reject(reasonOf(error));
  }
}

const EMPTY = Buffer.alloc(0);
/** Node's words for a certificate that is not believed. */
const UNTRUSTED = /CERT|ERR_TLS|ERR_SSL|UNABLE_TO_/;

/** What undici would not send is a bug here, and stays what it is. */
function reasonOf(error: Error): Error {
  if (isFault(error)) return error;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && UNTRUSTED.test(code)) {
    return new Fault('peer-unreachable', `no TLS: ${error.message}`);
  }
  switch (code) {
    case 'UND_ERR_INVALID_ARG':
      return error;
    case 'ECONNREFUSED':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return new Fault('peer-unreachable', error.message);
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return new Fault('timeout', 'no answer in time');
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
      return new Fault('malformed', 'a huge answer');
    default:
      return new Fault('peer-closed', error.message);
  }
}
