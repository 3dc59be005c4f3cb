/**
 * Listeners: servers of `node:http` with their limits of time and size, and how they begin and end.
 *
 * What a client may take its time for is checked by `node:http` itself: the handshake, the headers, the
 * whole request, and the rest between two of them.
 */

import { Fault } from '../../base/fault.ts';
import { TLS_VERSION_MIN } from '../../security/listener-certificates.ts';
import type { Server, ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { ListenerCertificates } from '../../security/listener-certificates.ts';
import type { HttpOptions } from './http-options.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Resolves with the port; rejects with the fault `config` where the address cannot be had. */
export function listenAt(server: Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      reject(new Fault('config', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    };
    server.once('error', onError);
    // As many may wait to be accepted as may be served, see the Protocol Buffers server.
    server.listen({ port, host, backlog: server.maxConnections }, () => {
      server.off('error', onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Resolves when the server takes no connection any more and all of its own have ended. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

export function connectionCountOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

export function serverOptions(options: HttpOptions): ServerOptions {
  return {
    // Duplicates are joined with ', ' as all repeated headers are.
    joinDuplicateHeaders: true,
    requireHostHeader: false,
    maxHeaderSize: options.headerLimitBytes,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(options.headersTimeoutMs, 5_000),
    noDelay: true,
    // Notices clients whose machine is gone.
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  };
}

/**
 * Clients prove themselves by passwords here, as with Riak; the authorities may be those between the first one and
 * the certificate, which clients are shown, too.
 */
export function secureContext(certificates: ListenerCertificates): SecureContextOptions {
  return { ...certificates.current(), minVersion: TLS_VERSION_MIN };
}
