/**
 * One connection of the client to one node.
 *
 * What waits for replies are exchanges, answered strictly in the order in which they were sent. When
 * the connection goes, each of them is told whether its request can have reached the node: only what
 * was never sent is safe to ask again elsewhere.
 */

import { connect } from 'node:net';
import { Fault, isFault } from '../base/fault.ts';
import { FrameDecoder, writeFrames } from '../api/pbc/framing.ts';
import type { Socket } from 'node:net';
import type { FlushRound, Flushable } from '../base/flush-round.ts';
import type { Frame } from '../api/pbc/framing.ts';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** A request that has been given to a connection. */
export interface Exchange {
  /** By the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** Takes a reply; true when it was the last. */
  take(frame: Frame): boolean;
  lose(fault: Fault): void;
}

export interface ConnectionOptions {
  readonly address: NodeAddress;
  readonly connectTimeoutMs: number;
  readonly replySizeMaxBytes: number;
  /** Shared by all connections of a client. */
  readonly round: FlushRound;
  /** An exchange has ended well. */
  readonly onFree: () => void;
  /** Told once; `hasFailed`: the node was not reached, or did not answer in time. */
  readonly onClosed: (connection: Connection, hasFailed: boolean) => void;
}

const KEEPALIVE_DELAY_MS = 10_000;

export class Connection implements Flushable {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #exchanges: Exchange[] = [];
  readonly #connectDeadlineMs: number;
  #pieces: Buffer[] = [];
  #isConnected = false;
  #isClosed = false;
  #lastUsedMs = performance.now();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#connectDeadlineMs = performance.now() + options.connectTimeoutMs;
    this.#decoder = new FrameDecoder(options.replySizeMaxBytes);
    const { host, port } = options.address;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
    });
    this.#socket.on('connect', () => {
      this.#isConnected = true;
    });
    this.#socket.on('data', (piece: Buffer) => this.#receive(piece));
    this.#socket.on('error', (error) => this.#close(error));
    this.#socket.on('close', () => this.#close(undefined));
  }

  /** Exchanges under way. */
  get load(): number {
    return this.#exchanges.length;
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
    const isUnreached = !this.#isConnected && this.#connectDeadlineMs <= nowMs;
    if (isLate || isUnreached) this.#close(new Fault('timeout', `${this.#name} did not answer`));
    else if (this.load === 0 && nowMs - this.#lastUsedMs > idleTimeoutMs) this.destroy();
  }

  get #name(): string {
    return `${this.#options.address.host}:${this.#options.address.port}`;
  }

  #receive(piece: Buffer): void {
    this.#decoder.push(piece);
    while (!this.#isClosed) {
      const outcome = this.#decoder.next();
      if (outcome.kind === 'incomplete') return;
      const exchange = this.#exchanges[0];
      if (outcome.kind !== 'frame' || exchange === undefined) {
        this.#close(new Fault('peer-malformed', `${this.#name} sent what was not asked for`));
      } else if (exchange.take(outcome.frame)) {
        this.#exchanges.shift();
        this.#lastUsedMs = performance.now();
        this.#options.onFree();
      }
    }
  }

  #close(cause: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.destroy();
    const hasFailed = !this.#isConnected || isFault(cause, 'timeout');
    this.#options.onClosed(this, hasFailed);
    const fault = this.#faultFor(cause);
    for (const exchange of this.#exchanges.splice(0)) exchange.lose(fault);
  }

  #faultFor(cause: Error | undefined): Fault {
    if (isFault(cause, 'closed')) return cause;
    if (!this.#isConnected) {
      return new Fault('peer-unreachable', `${this.#name} cannot be reached`, { cause });
    }
    if (isFault(cause)) return cause;
    return new Fault('peer-closed', `the connection to ${this.#name} was lost`, { cause });
  }
}
