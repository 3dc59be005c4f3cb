/**
 * The connections to one node: a fixed number, opened when needed, the least busy one first.
 */

import { Connection, type Address } from './connection.ts';

export interface PoolOptions {
  /** Default 8. */
  readonly connectionsMax: number;
  readonly connectTimeoutMs: number;
  /** After a failed attempt the node is left alone for this long. */
  readonly downMs: number;
}

export class ConnectionPool {
  readonly address: Address;
  readonly #options: PoolOptions;
  readonly #connections: (Connection | undefined)[];
  readonly #opening: (Promise<Connection> | undefined)[];
  #downUntilMs = 0;
  #isClosed = false;

  constructor(address: Address, options: PoolOptions) {
    this.address = address;
    this.#options = options;
    this.#connections = Array.from({ length: options.connectionsMax });
    this.#opening = Array.from({ length: options.connectionsMax });
  }

  /** Whether the last attempt to reach the node failed a moment ago. */
  get isDown(): boolean {
    return performance.now() < this.#downUntilMs;
  }

  /** An open connection: an idle one, a new one, or else the least busy. */
  take(): Connection | Promise<Connection> {
    let best: Connection | undefined;
    let free = -1;
    for (const [index, connection] of this.#connections.entries()) {
      if (connection === undefined || connection.isBroken) {
        free = index;
        continue;
      }
      if (connection.inFlight === 0) return connection;
      if (best === undefined || connection.inFlight < best.inFlight) best = connection;
    }
    return free >= 0 ? this.#open(free) : (best as Connection);
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection?.close();
  }

  #open(index: number): Promise<Connection> {
    const opening = (this.#opening[index] ??= this.#connect(index).finally(() => {
      this.#opening[index] = undefined;
    }));
    return opening;
  }

  async #connect(index: number): Promise<Connection> {
    try {
      const connection = await Connection.open(this.address, this.#options.connectTimeoutMs);
      if (this.#isClosed) connection.close();
      this.#connections[index] = connection;
      this.#downUntilMs = 0;
      return connection;
    } catch (error) {
      this.#downUntilMs = performance.now() + this.#options.downMs;
      throw error;
    }
  }
}
