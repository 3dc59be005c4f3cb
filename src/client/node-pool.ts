/**
 * The client's connections to one node: opened as they are needed, up to a number, and after a
 * failure not again until a growing pause is over.
 */

import { Connection } from './connection.ts';
import type { FlushRound } from '../base/flush-round.ts';
import type { Fault } from '../base/fault.ts';
import type { NodeAddress } from './connection.ts';

export interface PoolOptions {
  readonly address: NodeAddress;
  readonly connectionsPerNode: number;
  /** Requests on one connection at a time. */
  readonly depth: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly replySizeMaxBytes: number;
  readonly round: FlushRound;
  /** There may be room for a request again. */
  readonly onChange: () => void;
}

const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 5000;

export class NodePool {
  readonly #options: PoolOptions;
  readonly #connections: Connection[] = [];
  #next = 0;
  #pauseMs = 0;
  #pausedUntilMs = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Whether the node failed so lately that it is left alone. */
  isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs;
  }

  /** A connection with room for a request, or undefined if there is none now. */
  find(nowMs: number): Connection | undefined {
    if (this.isPaused(nowMs)) return undefined;
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
    if (this.isPaused(nowMs)) return undefined;
    const empty = this.#connections.find(({ load }) => load === 0);
    if (empty !== undefined) return empty;
    return this.#connections.length < this.#options.connectionsPerNode ? this.#open() : undefined;
  }

  // What closes is taken out of the list, so both go through a copy.

  checkTimeouts(nowMs: number): void {
    for (const connection of this.#connections.slice()) {
      connection.checkTimeouts(nowMs, this.#options.idleTimeoutMs);
    }
  }

  /** Requests under way fail with `fault`. */
  close(fault: Fault): void {
    for (const connection of this.#connections.slice()) connection.destroy(fault);
  }

  #open(): Connection {
    const { address, connectTimeoutMs, replySizeMaxBytes, round, onChange } = this.#options;
    const connection = new Connection({
      address,
      connectTimeoutMs,
      replySizeMaxBytes,
      round,
      onFree: () => {
        this.#pauseMs = 0;
        onChange();
      },
      onClosed: (closed, hasFailed) => this.#closed(closed, hasFailed),
    });
    this.#connections.push(connection);
    return connection;
  }

  #closed(connection: Connection, hasFailed: boolean): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    const nowMs = performance.now();
    // The connections that fail together count as one failure.
    if (hasFailed && !this.isPaused(nowMs)) {
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_FIRST_MS, 2 * this.#pauseMs));
      this.#pausedUntilMs = nowMs + this.#pauseMs;
    }
    this.#options.onChange();
  }
}
