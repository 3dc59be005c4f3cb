/**
 * The Protocol Buffers server: accepts connections and looks after them.
 */

import { createServer } from 'node:net';
import { Fault } from '../../base/fault.ts';
import { ByteBudget } from './byte-budget.ts';
import { FlushRound } from './flush-round.ts';
import { ProtoWriter } from './messages/proto-writer.ts';
import { PbcConnection } from './pbc-connection.ts';
import { PBC_DEFAULTS } from './pbc-options.ts';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Host } from '../../base/host.ts';
import type { NodeService } from '../../node/node-service.ts';
import type { ConnectionContext } from './pbc-connection.ts';
import type { PbcOptions } from './pbc-options.ts';

const CHECK_INTERVAL_MS = 1000;
const KEEPALIVE_DELAY_MS = 60_000;
const BACKLOG = 128;
const CLIENT_ID_SIZE_BYTES = 4;

export class PbcServer {
  readonly #node: NodeService;
  readonly #context: ConnectionContext;
  readonly #connections = new Set<PbcConnection>();
  readonly #server: Server;
  #cancelCheck: () => void = () => undefined;
  #closing: Promise<void> | undefined;

  constructor(
    host: Host,
    node: NodeService,
    options: Partial<PbcOptions> & Pick<PbcOptions, 'onBug'>,
  ) {
    const complete = { ...PBC_DEFAULTS, ...options };
    this.#node = node;
    this.#context = {
      host,
      options: complete,
      writer: new ProtoWriter(),
      round: new FlushRound(),
      budget: new ByteBudget(complete.receiveBudgetBytes),
    };
    this.#server = createServer(
      {
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEPALIVE_DELAY_MS,
        allowHalfOpen: true,
      },
      (socket) => this.#accept(socket),
    );
    this.#server.maxConnections = complete.connectionsMax;
    this.#server.on('drop', () => host.metrics.count('pbc_connections_refused_total'));
  }

  /** Resolves with the port, which is another one than asked for where that was 0. */
  listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(new Fault('config', `cannot listen on ${host}:${port}`, { cause }));
      });
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#scheduleCheck();
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Ends each connection after the request that is under way; may be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { host, options } = this.#context;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.end();
    const cancel = host.clock.after(options.closeTimeoutMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    cancel();
    this.#cancelCheck();
  }

  #accept(socket: Socket): void {
    const { host, options } = this.#context;
    host.metrics.count('pbc_connects');
    const session = {
      node: this.#node,
      random: host.random,
      clock: host.clock,
      metrics: host.metrics,
      disabledJobs: options.disabledJobs,
      scripts: options.scripts,
      replySizeMaxBytes: options.replySizeMaxBytes,
      clientId: Buffer.alloc(CLIENT_ID_SIZE_BYTES),
    };
    const connection = new PbcConnection(socket, session, this.#context);
    this.#connections.add(connection);
    this.#showCount();
    socket.on('close', () => {
      this.#connections.delete(connection);
      this.#showCount();
    });
  }

  #showCount(): void {
    this.#context.host.metrics.gauge('pbc_connections', this.#connections.size);
  }

  /** One timer for all connections, so that a request costs none. */
  #scheduleCheck(): void {
    const { clock } = this.#context.host;
    this.#cancelCheck = clock.after(CHECK_INTERVAL_MS, () => {
      const nowMs = clock.monotonicMs();
      for (const connection of this.#connections) connection.checkTimeouts(nowMs);
      this.#scheduleCheck();
    });
  }
}
