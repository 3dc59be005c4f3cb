/**
 * The client's connections to one node: opened as they are needed, up to a number, and after a
 * failure not again until a growing pause is over.
 *
 * A node that kept silent gets no request before it has answered a ping: else each request in its turn
 * would find out for itself that the node hangs.
 */

import { encodeFrame } from '../api/pbc/framing.ts';
import { ProtoWriter } from '../api/pbc/messages/proto-writer.ts';
import { RpbPingReq } from '../api/pbc/messages/server-messages.ts';
import { Connection } from './connection.ts';
import { ask } from './exchanges.ts';
import type { FlushRound } from '../base/flush-round.ts';
import type { Fault } from '../base/fault.ts';
import type { ConnectionEnd, NodeAddress } from './connection.ts';
import type { Login } from './credentials.ts';

export interface PoolOptions {
  readonly address: NodeAddress;
  readonly connectionsPerNode: number;
  /** Requests on one connection at a time. */
  readonly depth: number;
  readonly connectTimeoutMs: number;
  readonly login: Login | undefined;
  readonly idleTimeoutMs: number;
  readonly replySizeMaxBytes: number;
  readonly round: FlushRound;
  /** There may be room for a request again. */
  readonly onChange: () => void;
}

const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 5000;
const PROBE_TIMEOUT_MS = 5000;

export class NodePool {
  readonly #options: PoolOptions;
  readonly #connections: Connection[] = [];
  #next = 0;
  #pauseMs = 0;
  #pausedUntilMs = 0;
  /** It has not answered in time, nor anything since. */
  #isSilent = false;
  #isProbed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** A connection with room for a request, or undefined if there is none now. */
  find(nowMs: number): Connection | undefined {
    if (!this.#takesRequests(nowMs)) return undefined;
    const connections = this.#connections;
    for (let tried = 0; tried < connections.length; tried += 1) {
      this.#next = (this.#next + 1) % connections.length;
      const connection = connections[this.#next];
      // Rather another connection than a place behind another request.
      if (connection?.load === 0) return connection;
    }
    if (connections.length < this.#options.connectionsPerNode) return this.#open();
    const least = connections.reduce((best, one) => (one.load < best.load ? one : best));
    return least.load < this.#options.depth ? least : undefined;
  }

  /** A connection of its own, for a stream. */
  findEmpty(nowMs: number): Connection | undefined {
    if (!this.#takesRequests(nowMs)) return undefined;
    const empty = this.#connections.find(({ load }) => load === 0);
    if (empty !== undefined) return empty;
    return this.#connections.length < this.#options.connectionsPerNode ? this.#open() : undefined;
  }

  // What closes is taken out of the list, so both go through a copy.

  checkTimeouts(nowMs: number): void {
    for (const connection of this.#connections.slice()) {
      connection.checkTimeouts(nowMs, this.#options.idleTimeoutMs);
    }
    if (this.#isSilent && !this.#isPaused(nowMs) && !this.#isProbed) this.#probe(nowMs);
  }

  /** Requests under way fail with `fault`. */
  close(fault: Fault): void {
    for (const connection of this.#connections.slice()) connection.destroy(fault);
  }

  #open(): Connection {
    const { onChange } = this.#options;
    const connection = new Connection({
      ...this.#options,
      onReply: () => {
        this.#pauseMs = 0;
        this.#isSilent = false;
      },
      onFree: onChange,
      onClosed: (closed, end) => this.#closed(closed, end),
    });
    this.#connections.push(connection);
    return connection;
  }

  /** On a connection of its own; an answer, whatever it says, ends the silence. */
  #probe(nowMs: number): void {
    this.#isProbed = true;
    const frame = encodeFrame(new ProtoWriter(), RpbPingReq, {});
    const ended = (): void => {
      this.#isProbed = false;
    };
    ask(this.#open(), frame, nowMs + PROBE_TIMEOUT_MS).then(ended, ended);
  }

  /** Whether the node failed so lately that it is left alone. */
  #isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs;
  }

  #takesRequests(nowMs: number): boolean {
    return !this.#isSilent && !this.#isPaused(nowMs);
  }

  #closed(connection: Connection, end: ConnectionEnd): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    const nowMs = performance.now();
    if (end === 'silent') this.#isSilent = true;
    // The connections that fail together count as one failure.
    if (end !== 'usual' && !this.#isPaused(nowMs)) {
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_FIRST_MS, 2 * this.#pauseMs));
      this.#pausedUntilMs = nowMs + this.#pauseMs;
    }
    this.#options.onChange();
  }
}
