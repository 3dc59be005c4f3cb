/**
 * Connections: addresses, and how gRPC is set up for a cluster's inside.
 *
 * gRPC's own retries, reconnection, name services, proxies and tracing are off: this room decides
 * when to dial again, and a proxy variable in some shell must not send replication through it. A
 * connection that stays silent is probed, so that a peer that vanished without a word is noticed.
 */

import { Client } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import { FRAME_MAX_BYTES } from './frame.ts';

/** Where a node listens for its peers. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** What may be on its way unread, for each use: enough to fill a fast network's pipe. */
const FLOW_CONTROL_WINDOW_BYTES = { link: 4 * 1024 * 1024, bulk: 1024 * 1024 } as const;

export interface DialOptions {
  readonly credentials: ChannelCredentials;
  readonly keepaliveMs: number;
  /** Longest pause before it is tried again to connect. Default 2,000. */
  readonly reconnectDelayMaxMs?: number | undefined;
  readonly use: keyof typeof FLOW_CONTROL_WINDOW_BYTES;
}

export function dial(address: PeerAddress, options: DialOptions): Client {
  return new Client(addressToTarget(address), options.credentials, {
    ...commonOptions(options.keepaliveMs),
    // A connection of its own for each client, so that its fate is its own.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    // Whoever is closed after it failed tries once more, after this: late, that would find the peer back again,
    // and keep a connection that nobody uses.
    'grpc.initial_reconnect_backoff_ms': 1,
    // What streams use is not given up while there is a link: it must not be missing for minutes after an hour.
    'grpc.max_reconnect_backoff_ms': options.reconnectDelayMaxMs ?? 2_000,
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

/** Of a host that is called `unix` or `dns`, too: without the scheme gRPC takes such a name for one. */
export function addressToTarget(address: PeerAddress): string {
  return `dns:${addressToText(address)}`;
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
