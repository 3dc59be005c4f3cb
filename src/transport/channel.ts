/**
 * Connections: addresses, certificates, and how gRPC is set up for a cluster's inside.
 *
 * gRPC's own retries, reconnection, name services, proxies and tracing are off: this room decides
 * when to dial again, and a proxy variable in some shell must not send replication through it. A
 * connection that stays silent is probed, so that a peer that vanished without a word is noticed.
 */

import { readFileSync } from 'node:fs';
import { Client, credentials, ServerCredentials } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import { Fault } from '../base/fault.ts';
import { FRAME_MAX_BYTES } from './frame.ts';

/** Where a node listens for its peers. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** PEM files; both sides of a connection show a certificate that the authority has signed. */
export interface PeerTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface PeerCredentials {
  readonly client: ChannelCredentials;
  readonly server: ServerCredentials;
}

/** What may be on its way unread, for each use: enough to fill a fast network's pipe. */
const FLOW_CONTROL_WINDOW_BYTES = { link: 4 * 1024 * 1024, bulk: 1024 * 1024 } as const;

/** Rejects with a `config` fault that names the file. */
export function readPeerCredentials(tls: PeerTls | undefined): PeerCredentials {
  if (tls === undefined) {
    return { client: credentials.createInsecure(), server: ServerCredentials.createInsecure() };
  }
  const authority = readPem(tls.caFile);
  const chain = readPem(tls.certFile);
  const key = readPem(tls.keyFile);
  try {
    return {
      client: credentials.createSsl(authority, key, chain),
      server: ServerCredentials.createSsl(
        authority,
        [{ private_key: key, cert_chain: chain }],
        true,
      ),
    };
  } catch (cause) {
    const files = `${tls.certFile}, ${tls.keyFile}`;
    throw new Fault('config', `${files} are no certificate and its key`, { cause });
  }
}

export interface DialOptions {
  readonly credentials: ChannelCredentials;
  readonly keepaliveMs: number;
  readonly use: keyof typeof FLOW_CONTROL_WINDOW_BYTES;
}

export function dial(address: PeerAddress, options: DialOptions): Client {
  return new Client(addressToText(address), options.credentials, {
    ...commonOptions(options.keepaliveMs),
    // A connection of its own for each client, so that its fate is its own.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES[options.use],
  });
}

export function serverOptions(keepaliveMs: number): ChannelOptions {
  return {
    ...commonOptions(keepaliveMs),
    // One link and a bounded number of streams for each connection.
    'grpc.max_concurrent_streams': 256,
    // Who connects and asks nothing is let go.
    'grpc.max_connection_idle_ms': 300_000,
  };
}

export function addressToText(address: PeerAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

function commonOptions(keepaliveMs: number): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': keepaliveMs,
    'grpc.keepalive_timeout_ms': Math.ceil(keepaliveMs / 2),
    'grpc.max_receive_message_length': FRAME_MAX_BYTES,
    'grpc.max_send_message_length': FRAME_MAX_BYTES,
    'grpc.enable_channelz': 0,
  };
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Fault('config', `the certificate file ${path} cannot be read`, { cause });
  }
}
