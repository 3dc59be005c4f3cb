/**
 * One connection of the client to one node.
 *
 * What waits for replies are exchanges, answered strictly in the order in which they were sent. When
 * the connection goes, each of them is told whether its request can have reached the node: only what
 * was never sent is safe to ask again elsewhere. Where there is a login, nothing is sent before the node
 * has admitted the user.
 */

import { connect } from 'node:net';
import { Fault, isFault } from '../base/fault.ts';
import { FrameDecoder, writeFrames } from '../api/pbc/framing.ts';
import type { Socket } from 'node:net';
import type { FlushRound, Flushable } from '../base/flush-round.ts';
import type { Frame } from '../api/pbc/framing.ts';
import type { Login } from './credentials.ts';
import { LOGIN_TIMEOUT_MS, logIn } from './log-in.ts';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** A request that has been given to a connection. */
export interface Exchange {
  /** By the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** Whether nothing else may be asked on its connection. */
  readonly isAlone: boolean;
  /** Takes a reply; true when it was the last. */
  take(frame: Frame): boolean;
  lose(fault: Fault): void;
}

/** `unreached`: there was no connection, or no login. `silent`: nothing came in time. */
export type ConnectionEnd = 'usual' | 'unreached' | 'silent';

export interface ConnectionOptions {
  readonly address: NodeAddress;
  readonly connectTimeoutMs: number;
  /** Undefined: the cluster's security is off. */
  readonly login: Login | undefined;
  readonly replySizeMaxBytes: number;
  /** Shared by all connections of a client. */
  readonly round: FlushRound;
  /** The node has answered something. */
  readonly onReply: () => void;
  /** An exchange has ended well. */
  readonly onFree: () => void;
  /** Told once. */
  readonly onClosed: (connection: Connection, end: ConnectionEnd) => void;
}

const KEEPALIVE_DELAY_MS = 10_000;

export class Connection implements Flushable {
  readonly #options: ConnectionOptions;
  #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #exchanges: Exchange[] = [];
  #readyDeadlineMs: number;
  #pieces: Buffer[] = [];
  /** Connected, and admitted where there is a login. */
  #isReady = false;
  #isClosed = false;
  #lastUsedMs = performance.now();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#readyDeadlineMs = performance.now() + options.connectTimeoutMs;
    this.#decoder = new FrameDecoder(options.replySizeMaxBytes);
    const { host, port } = options.address;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    });
    const { login } = options;
    this.#socket.on('connect', () => {
      if (login === undefined) this.#isReady = true;
      else this.#logIn(host, login);
    });
    if (login === undefined) this.#socket.on('data', this.#receive);
    this.#watch();
  }

  /** Exchanges under way; more than any limit, where one of them must be alone. */
  get load(): number {
    return this.#exchanges[0]?.isAlone === true ? Infinity : this.#exchanges.length;
  }

  /** `frame` in pieces. */
  start(frame: readonly Buffer[], exchange: Exchange): void {
    this.#exchanges.push(exchange);
    // What one turn brings leaves in one write.
    if (this.#pieces.length === 0) this.#options.round.add(this);
    this.#pieces.push(...frame);
  }

  /** Writes what was started. */
  flush(): void {
    // Without a login the socket itself waits for the connection.
    if (this.#options.login !== undefined && !this.#isReady) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    if (!this.#isClosed) writeFrames(this.#socket, pieces);
  }

  /** The consumer of a stream is behind. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Exchanges under way fail with `fault`. */
  destroy(fault?: Fault): void {
    this.#close(fault);
  }

  /** Gives up what is overdue; replies come in order, so the connection goes with it. */
  checkTimeouts(nowMs: number, idleTimeoutMs: number): void {
    const isLate = this.#exchanges.some(({ deadlineMs }) => deadlineMs <= nowMs);
    const isUnreached = !this.#isReady && this.#readyDeadlineMs <= nowMs;
    if (isLate || isUnreached) this.#close(new Fault('timeout', `${this.#name} did not answer`));
    else if (this.load === 0 && nowMs - this.#lastUsedMs > idleTimeoutMs) this.destroy();
  }

  get #name(): string {
    return `${this.#options.address.host}:${this.#options.address.port}`;
  }

  #logIn(host: string, login: Login): void {
    this.#readyDeadlineMs = performance.now() + LOGIN_TIMEOUT_MS;
    logIn(this.#socket, host, login).then(
      (secured) => {
        this.#socket = secured;
        secured.on('data', this.#receive);
        this.#watch();
        this.#isReady = true;
        this.flush();
      },
      (error: Error) => this.#close(error),
    );
  }

  #watch(): void {
    this.#socket.on('error', (error) => this.#close(error));
    this.#socket.on('close', () => this.#close(undefined));
  }

  readonly #receive = (piece: Buffer): void => {
    this.#decoder.push(piece);
    while (!this.#isClosed) {
      const outcome = this.#decoder.next();
      if (outcome.kind === 'incomplete') return;
      const exchange = this.#exchanges[0];
      if (outcome.kind !== 'frame' || exchange === undefined) {
        this.#close(new Fault('peer-malformed', `${this.#name} sent what was not asked for`));
        return;
      }
      const isLast = exchange.take(outcome.frame);
      this.#options.onReply();
      if (!isLast) continue;
      this.#exchanges.shift();
      this.#lastUsedMs = performance.now();
      this.#options.onFree();
    }
  };

  #close(cause: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    const end = this.#isReady ? 'usual' : 'unreached';
    this.#options.onClosed(this, isFault(cause, 'timeout') ? 'silent' : end);
    const fault = this.#faultFor(cause);
    for (const exchange of this.#exchanges.splice(0)) exchange.lose(fault);
  }

  #faultFor(cause: Error | undefined): Fault {
    if (isFault(cause, 'closed')) return cause;
    if (isFault(cause, 'login-refused')) {
      return new Fault('login-refused', `${this.#name}: ${cause.message}`, { cause });
    }
    if (!this.#isReady) {
      const why = isFault(cause, 'peer-unreachable') ? `: ${cause.message}` : '';
      return new Fault('peer-unreachable', `${this.#name} cannot be reached${why}`, { cause });
    }
    if (isFault(cause)) return cause;
    return new Fault('peer-closed', `the connection to ${this.#name} was lost`, { cause });
  }
}
