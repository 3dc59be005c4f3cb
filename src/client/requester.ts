/**
 * Sends requests to whichever node can take them, and asks another one when that is safe.
 *
 * Nodes take turns. A request that was never sent, and any read, is tried again elsewhere; a write
 * that may have been carried out is not, unless the caller says that twice does no harm. What a node
 * refused as `overload` is asked again after a pause. When all connections are busy requests wait in
 * turn, up to a number; every wait ends with the request's deadline.
 */

import { Fault, assert, isFault } from '../base/fault.ts';
import { FlushRound } from '../base/flush-round.ts';
import { encodeFrame } from '../api/pbc/framing.ts';
import { ProtoWriter } from '../api/pbc/messages/proto-writer.ts';
import { Login } from './credentials.ts';
import { decodeReply, isTransient, isUnsent } from './error-reply.ts';
import { ReplyStream, ask } from './exchanges.ts';
import { NodePool } from './node-pool.ts';
import { Pauses, pauseMsAfter } from './pauses.ts';
import type {
  Fields,
  Message,
  MessageInput,
  MessageType,
} from '../api/pbc/messages/message-type.ts';
import type { Frame } from '../api/pbc/framing.ts';
import type { Connection, NodeAddress } from './connection.ts';
import type { Credentials } from './credentials.ts';

export interface RequesterOptions {
  /** At least one; they take turns. */
  readonly nodes: readonly NodeAddress[];
  /** Of a cluster with security on. Default: none. */
  readonly credentials?: Credentials | undefined;
  /** To each node. Default 8. */
  readonly connectionsPerNode?: number;
  /** Requests on one connection at a time, all of them held up by the slowest. Default 1. */
  readonly depth?: number;
  /** Requests that may wait for a connection; beyond it `overload`. Default 10,000. */
  readonly waitingMax?: number;
  /** Of the connection alone; a login may take 20 s more. Default 2,000. */
  readonly connectTimeoutMs?: number;
  /** For a request with all its attempts. Default 30,000. */
  readonly timeoutMs?: number;
  /** For one attempt, so that a node that hangs leaves time to ask another. Default 10,000. */
  readonly attemptTimeoutMs?: number;
  /** Default: three, and each node once. */
  readonly attemptsMax?: number;
  /** After this much rest a connection is closed. Default 300,000. */
  readonly idleTimeoutMs?: number;
  /** Default 128 MiB. */
  readonly replySizeMaxBytes?: number;
}

export interface Call<Q extends Fields, R extends Fields> {
  readonly request: MessageType<Q>;
  readonly value: MessageInput<Q>;
  readonly reply: MessageType<R>;
  /** Whether carrying it out twice is the same as once. */
  readonly isRepeatable: boolean;
  readonly timeoutMs?: number | undefined;
}

/** A request that has no connection yet. */
interface Waiter {
  readonly endMs: number;
  readonly needsEmpty: boolean;
  readonly begin: (connection: Connection) => void;
  readonly reject: (fault: Fault) => void;
}

const CHECK_INTERVAL_MS = 25;

export class Requester {
  readonly #options: Required<Omit<RequesterOptions, 'credentials'>>;
  readonly #pools: readonly NodePool[];
  readonly #writer = new ProtoWriter();
  readonly #waiting: Waiter[] = [];
  readonly #pauses = new Pauses();
  readonly #check: NodeJS.Timeout;
  #next = 0;
  #isClosed = false;

  constructor(options: RequesterOptions) {
    assert(options.nodes.length > 0, 'a client has a node to ask');
    this.#options = {
      connectionsPerNode: 8,
      depth: 1,
      waitingMax: 10_000,
      connectTimeoutMs: 2000,
      timeoutMs: 30_000,
      attemptTimeoutMs: 10_000,
      attemptsMax: 3 + options.nodes.length,
      idleTimeoutMs: 300_000,
      replySizeMaxBytes: 128 * 1024 * 1024,
      ...options,
    };
    const { credentials } = options;
    const shared = {
      login: credentials && new Login(credentials),
      round: new FlushRound(setImmediate),
      onChange: this.#serveWaiting,
    };
    this.#pools = options.nodes.map(
      (address) => new NodePool({ ...this.#options, ...shared, address }),
    );
    this.#check = setInterval(() => this.#checkTimeouts(), CHECK_INTERVAL_MS);
  }

  async call<Q extends Fields, R extends Fields>(call: Call<Q, R>): Promise<Message<R>> {
    const endMs = performance.now() + (call.timeoutMs ?? this.#options.timeoutMs);
    const request = encodeFrame(this.#writer, call.request, call.value);
    const need = { endMs, needsEmpty: false };
    for (let attempt = 1; ; attempt += 1) {
      try {
        const frame = await this.#withConnection(need, (connection) =>
          ask(connection, request, this.#attemptEndMs(endMs)),
        );
        return decodeReply(call.reply, frame);
      } catch (error) {
        await this.#beforeNext(error, call, { attempt, endMs });
      }
    }
  }

  /** The replies up to the one that `isLast`; tried elsewhere only as long as nothing has come. */
  async *stream<Q extends Fields, R extends Fields>(
    call: Call<Q, R>,
    isLast: (reply: Message<R>) => boolean,
  ): AsyncGenerator<Message<R>> {
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs;
    const endMs = performance.now() + timeoutMs;
    const request = encodeFrame(this.#writer, call.request, call.value);
    const decode = (frame: Frame) => decodeReply(call.reply, frame);
    const begin = (connection: Connection) => {
      const stream = new ReplyStream(connection, { decode, isLast, timeoutMs });
      connection.start(request, stream);
      return stream;
    };
    for (let attempt = 1, count = 0; ; attempt += 1) {
      try {
        const stream = await this.#withConnection({ endMs, needsEmpty: true }, begin);
        for await (const reply of stream.replies()) {
          count += 1;
          yield reply;
        }
        return;
      } catch (error) {
        if (count > 0) throw error;
        await this.#beforeNext(error, call, { attempt, endMs });
      }
    }
  }

  /** Requests under way fail with `closed`; may be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#check);
    const fault = new Fault('closed', 'the client was closed');
    for (const { reject } of this.#waiting.splice(0)) reject(fault);
    this.#pauses.end(fault);
    for (const pool of this.#pools) pool.close(fault);
  }

  /** Throws `error` where asking again is not worthwhile. */
  async #beforeNext(
    error: unknown,
    call: { readonly isRepeatable: boolean },
    { attempt, endMs }: { readonly attempt: number; readonly endMs: number },
  ): Promise<void> {
    const isWorthwhile =
      isFault(error) &&
      isTransient(error) &&
      (call.isRepeatable || isUnsent(error)) &&
      attempt < this.#options.attemptsMax &&
      performance.now() < endMs &&
      !this.#isClosed;
    if (!isWorthwhile) throw error;
    if (error.code !== 'overload') return;
    const pauseMs = pauseMsAfter(attempt);
    // Those that pause come back to the line: they are no more than may wait in it.
    const isLineFull = this.#waiting.length + this.#pauses.count >= this.#options.waitingMax;
    if (isLineFull || performance.now() + pauseMs >= endMs) throw error;
    await this.#pauses.take(pauseMs);
    if (performance.now() >= endMs) throw error;
  }

  #attemptEndMs(endMs: number): number {
    return Math.min(endMs, performance.now() + this.#options.attemptTimeoutMs);
  }

  /** Begins at once, or when a connection has room; before that nothing else can take the room. */
  #withConnection<T>(
    { endMs, needsEmpty }: { readonly endMs: number; readonly needsEmpty: boolean },
    begin: (connection: Connection) => T,
  ): T | Promise<Awaited<T>> {
    if (this.#isClosed) throw new Fault('closed', 'the client was closed');
    const connection = this.#find(needsEmpty);
    if (connection !== undefined) return begin(connection);
    if (this.#waiting.length >= this.#options.waitingMax) {
      throw new Fault('overload', 'too many requests wait for a connection');
    }
    return new Promise((resolve, reject) => {
      const beginLater = (found: Connection) => resolve(begin(found) as Awaited<T>);
      this.#waiting.push({ endMs, needsEmpty, begin: beginLater, reject });
    });
  }

  #find(needsEmpty: boolean): Connection | undefined {
    const pools = this.#pools;
    const nowMs = performance.now();
    for (let tried = 0; tried < pools.length; tried += 1) {
      this.#next = (this.#next + 1) % pools.length;
      const pool = pools[this.#next] as NodePool;
      const connection = needsEmpty ? pool.findEmpty(nowMs) : pool.find(nowMs);
      if (connection !== undefined) return connection;
    }
    return undefined;
  }

  readonly #serveWaiting = (): void => {
    while (!this.#isClosed) {
      const waiter = this.#waiting[0];
      const connection = waiter === undefined ? undefined : this.#find(waiter.needsEmpty);
      if (waiter === undefined || connection === undefined) return;
      this.#waiting.shift();
      waiter.begin(connection);
    }
  };

  #checkTimeouts(): void {
    const nowMs = performance.now();
    for (const pool of this.#pools) pool.checkTimeouts(nowMs);
    const late = this.#waiting.filter(({ endMs }) => endMs <= nowMs);
    for (const waiter of late) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.reject(new Fault('timeout', 'no connection was free in time'));
    }
    // A node's pause may be over.
    this.#serveWaiting();
  }
}
