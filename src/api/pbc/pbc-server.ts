/**
 * The Protocol Buffers server: accepts connections and looks after them, also when one goes on over TLS.
 *
 * All share one port: TLS begins on a socket that was in clear until then, and what goes on from there is
 * a new connection (`pbc-connection.ts`).
 */

import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { utf8ToByteString } from '../../base/bytes.ts';
import { Fault } from '../../base/fault.ts';
import { ByteBudget } from '../../base/byte-budget.ts';
import { FlushRound } from '../../base/flush-round.ts';
import { ProtoWriter } from './messages/proto-writer.ts';
import { PbcConnection } from './pbc-connection.ts';
import { PBC_DEFAULTS } from './pbc-options.ts';
import { TLS_VERSION_MIN } from '../../security/listener-certificates.ts';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Server as TlsServer, TLSSocket, TlsOptions } from 'node:tls';
import type { Host } from '../../base/host.ts';
import type { NodeService } from '../../node/node-service.ts';
import type { ListenerCertificates } from '../../security/listener-certificates.ts';
import type { Session } from './handler.ts';
import type { ConnectionContext } from './pbc-connection.ts';
import type { PbcOptions } from './pbc-options.ts';

const CHECK_INTERVAL_MS = 1000;
const KEEPALIVE_DELAY_MS = 60_000;
const CLIENT_ID_SIZE_BYTES = 4;

export class PbcServer {
  readonly #node: NodeService;
  readonly #context: ConnectionContext;
  readonly #connections = new Set<PbcConnection>();
  readonly #server: Server;
  /** Makes the handshakes; undefined: there are none. */
  readonly #tls: TlsServer | undefined;
  /** Sockets that TLS runs on, or is to. */
  readonly #tlsSockets = new Set<Socket>();
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
      round: new FlushRound(setImmediate),
      budget: new ByteBudget(complete.receiveBudgetBytes),
      startTls: (socket, connection) => this.#startTls(socket, connection),
    };
    this.#tls = complete.certificates && this.#newTlsServer(complete.certificates);
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
    // Such as no more file descriptors: one connection is lost, the server goes on.
    this.#server.on('error', (error: NodeJS.ErrnoException) => {
      host.metrics.count('pbc_accept_failed_total');
      host.log.warn('client.accept-failed', { code: error.code });
    });
  }

  /** Resolves with the port, which is another one than asked for where that was 0. */
  listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        reject(new Fault('config', `cannot listen on ${host}:${port}`, { cause }));
      };
      this.#server.once('error', onError);
      // As many may wait as may be served, if the system lets them: a client that opens a large pool at once would
      // find the queue full, and try again only after a second.
      const backlog = this.#server.maxConnections;
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', onError);
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
      for (const socket of this.#tlsSockets) socket.destroy();
    });
    await closed;
    cancel();
    this.#cancelCheck();
  }

  #accept(socket: Socket): void {
    this.#context.host.metrics.count('pbc_connects');
    this.#serve(socket, { isEncrypted: false, certificateName: undefined });
  }

  #serve(socket: Socket, proof: Pick<Session, 'isEncrypted' | 'certificateName'>): void {
    const { host, options } = this.#context;
    const session: Session = {
      node: this.#node,
      random: host.random,
      clock: host.clock,
      metrics: host.metrics,
      disabledJobs: options.disabledJobs,
      scripts: options.scripts,
      isWanted: () => !socket.destroyed && !socket.readableEnded,
      replySizeMaxBytes: options.replySizeMaxBytes,
      consumer: undefined,
      clientId: Buffer.alloc(CLIENT_ID_SIZE_BYTES),
      ...proof,
      address: socket.remoteAddress ?? '',
      user: undefined,
      underWay: undefined,
      span: undefined,
    };
    const connection = new PbcConnection(socket, session, this.#context);
    this.#connections.add(connection);
    this.#showCount();
    socket.on('close', () => {
      this.#connections.delete(connection);
      this.#showCount();
    });
    if (this.#closing !== undefined) connection.end();
  }

  #startTls(socket: Socket, connection: PbcConnection): void {
    if (this.#tls === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    this.#connections.delete(connection);
    this.#showCount();
    this.#tlsSockets.add(socket);
    socket.on('close', () => this.#tlsSockets.delete(socket));
    // Who leaves in the middle of a handshake has left.
    socket.allowHalfOpen = false;
    this.#tls.emit('connection', socket);
  }

  #newTlsServer(certificates: ListenerCertificates): TlsServer {
    const { host, options } = this.#context;
    const tls = createTlsServer({
      ...tlsOptions(certificates),
      // Who shows none may still have a password.
      requestCert: certificates.current().ca !== undefined,
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakeTimeoutMs,
    });
    certificates.onRenewal(() => tls.setSecureContext(tlsOptions(certificates)));
    tls.on('secureConnection', (socket) => {
      // With Riak such a handshake fails.
      if (!socket.authorized && socket.getPeerX509Certificate() !== undefined) {
        host.metrics.count('pbc_tls_failed_total');
        socket.destroy();
        return;
      }
      host.metrics.count('pbc_tls_handshakes_total');
      socket.allowHalfOpen = true;
      this.#serve(socket, { isEncrypted: true, certificateName: provenName(socket) });
    });
    tls.on('tlsClientError', (_error, socket) => {
      host.metrics.count('pbc_tls_failed_total');
      socket.destroy();
    });
    return tls;
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

function tlsOptions(certificates: ListenerCertificates): TlsOptions {
  return { ...certificates.current(), minVersion: TLS_VERSION_MIN };
}

/** The one common name in a certificate that an authority of ours vouches for. */
function provenName(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? utf8ToByteString(name.toLowerCase()) : undefined;
}
