/**
 * The configuration as the rest of the program sees it: typed, complete, in milliseconds and bytes.
 *
 * `cluster.yml` is checked once, its defaults are merged once (`document-check.ts`), and this is what
 * comes out. Paths are absolute from here on.
 */

import { resolve } from 'node:path';
import { DEFAULT_CIPHERS } from 'node:tls';
import type { NodeId } from '../base/names.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import { JOB_CLASSES } from '../object/job-class.ts';
import type { JobClass } from '../object/job-class.ts';
import { toReplicationConfig } from './replication-settings.ts';
import type { ReplicationConfig, ReplicationDocument } from './replication-settings.ts';
import { measuredBytes as bytes, measuredMs as milliseconds } from './units.ts';

/** The checked document with its defaults, in the words of the file. */
export interface ClusterDocument {
  readonly cluster: string;
  readonly ring_size: number;
  readonly durability: 'fsync' | 'os';
  readonly delete_mode: string;
  readonly bucket_defaults: PartialProperties;
  readonly limits: {
    readonly body: string;
    readonly object: string;
    readonly headers: string;
    readonly siblings: number;
    readonly connections: number;
    readonly requests: number;
  };
  readonly timeouts: Readonly<
    Record<'request' | 'idle' | 'pbc_idle' | 'drain' | 'shutdown', string>
  >;
  readonly peer: {
    readonly heartbeat: string;
    readonly down_after: string;
    readonly handshake: string;
    readonly reconnect: string;
    readonly keepalive: string;
    readonly window_requests: number;
    readonly window: string;
    readonly concurrency: number;
  };
  readonly store: {
    readonly cache: string;
    readonly write_buffer: string;
    readonly inline_values: string;
  };
  readonly disk: { readonly reserve: string };
  readonly transfers: { readonly rate: string; readonly partitions: number };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
    readonly destination: string;
  };
  readonly slow_log: {
    readonly slow: string;
    readonly large: string;
    readonly siblings: number;
    readonly entries: number;
  };
  readonly tracing: {
    readonly endpoint?: string;
    readonly ratio: number;
    readonly slow: string;
    readonly clients: 'follow' | 'ratio';
    readonly headers_file?: string;
  };
  readonly audit: {
    readonly file: string;
    readonly files: number;
    readonly when_failing: 'refuse' | 'allow';
  };
  readonly tls: { readonly peer?: TlsDocument; readonly client?: ClientTlsDocument };
  readonly hooks: { readonly folder?: string; readonly timeout: string };
  readonly map_reduce: { readonly javascript: 'enabled' | 'disabled' };
  readonly jobs: Readonly<Record<JobClass, 'enabled' | 'disabled'>>;
  readonly replication: ReplicationDocument;
  readonly nodes: readonly NodeDocument[];
}

export interface TlsDocument {
  readonly ca_file: string;
  readonly cert_file: string;
  readonly key_file: string;
  readonly crl_file?: string;
  readonly verify: 'node' | 'authority';
}

export interface ClientTlsDocument {
  readonly cert_file: string;
  readonly key_file: string;
  readonly ca_file?: string;
  readonly crl_file?: string;
  readonly ciphers?: string;
}

export interface NodeDocument {
  readonly name: string;
  readonly host?: string;
  readonly listen?: string;
  readonly http_port: number;
  readonly https_port?: number;
  readonly pbc_port: number;
  readonly peer_port: number;
  readonly data_dir: string;
  readonly location: string;
  readonly participate_in_coverage: 'enabled' | 'disabled';
}

/** When a tombstone may be reaped, counted from when all primaries have it. */
export type DeleteMode =
  | { readonly kind: 'keep' }
  | { readonly kind: 'immediate' }
  | { readonly kind: 'after'; readonly delayMs: number };

export interface NodeConfig {
  readonly name: NodeId;
  /** Where others reach it. */
  readonly host: string;
  /** What it binds. */
  readonly listenHost: string;
  readonly httpPort: number;
  /** Undefined: HTTP is not offered over TLS. */
  readonly httpsPort: number | undefined;
  readonly pbcPort: number;
  readonly peerPort: number;
  readonly dataDir: string;
  readonly location: string;
  /** Listings and queries may ask it. */
  readonly inCoverage: boolean;
}

export interface PeerConfig {
  readonly heartbeatIntervalMs: number;
  readonly downAfterMs: number;
  readonly handshakeTimeoutMs: number;
  readonly reconnectDelayMaxMs: number;
  readonly keepaliveMs: number;
  readonly windowRequests: number;
  readonly windowBytes: number;
  readonly concurrency: number;
}

export interface TlsConfig {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Undefined: nothing counts as revoked. */
  readonly crlFile: string | undefined;
  readonly verifiesNames: boolean;
}

export interface ClientTlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** Undefined: clients cannot prove themselves by certificates. */
  readonly caFile: string | undefined;
  readonly crlFile: string | undefined;
  /** As OpenSSL takes them; undefined: Node's own list. */
  readonly ciphers: string | undefined;
}

export interface TracingConfig {
  readonly endpoint: string;
  readonly ratio: number;
  /** 0: no request is slow. */
  readonly slowMs: number;
  readonly followsClients: boolean;
  readonly headersFile: string | undefined;
}

export interface ClusterConfig {
  readonly clusterName: string;
  readonly ringSize: number;
  readonly durability: 'fsync' | 'os';
  readonly deleteMode: DeleteMode;
  readonly bucketDefaults: PartialProperties;
  readonly limits: {
    readonly bodySizeBytes: number;
    readonly objectSizeBytes: number;
    readonly headerSizeBytes: number;
    readonly siblings: number;
    readonly connections: number;
    readonly requests: number;
  };
  readonly timeouts: {
    readonly requestMs: number;
    readonly idleMs: number;
    /** Infinity: never. */
    readonly pbcIdleMs: number;
    readonly drainMs: number;
    readonly shutdownMs: number;
  };
  readonly peer: PeerConfig;
  readonly store: {
    readonly cacheSizeBytes: number;
    readonly writeBufferSizeBytes: number;
    readonly inlineMaxBytes: number;
  };
  readonly disk: { readonly reserveBytes: number };
  readonly transfers: { readonly bytesPerSecond: number; readonly treesMax: number };
  readonly log: ClusterDocument['log'];
  readonly slowLog: {
    /** 0 at any threshold: off. */
    readonly slowMs: number;
    readonly largeBytes: number;
    readonly siblings: number;
    readonly entriesMax: number;
  };
  /** Absent: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  readonly audit: {
    readonly fileMaxBytes: number;
    readonly filesMax: number;
    /** What cannot be recorded is done all the same. */
    readonly isLenient: boolean;
  };
  /** Absent: the links between nodes are not encrypted. */
  readonly peerTls: TlsConfig | undefined;
  /** Absent: clients cannot use TLS, and so security cannot be enabled. */
  readonly clientTls: ClientTlsConfig | undefined;
  readonly disabledJobs: ReadonlySet<JobClass>;
  /** Commit hooks; undefined: there are none. */
  readonly hooks: { readonly folder: string; readonly timeoutMs: number } | undefined;
  /** MapReduce jobs may bring functions in JavaScript. */
  readonly hasScripts: boolean;
  readonly replication: ReplicationConfig;
  readonly nodes: readonly NodeConfig[];
}

/** `folder` is what relative paths start from: where the file lies. */
export function documentToConfig(document: ClusterDocument, folder: string): ClusterConfig {
  const { limits, timeouts, store, tls } = document;
  return {
    clusterName: document.cluster,
    ringSize: document.ring_size,
    durability: document.durability,
    deleteMode: toDeleteMode(document.delete_mode),
    bucketDefaults: document.bucket_defaults,
    limits: {
      bodySizeBytes: bytes(limits.body),
      objectSizeBytes: bytes(limits.object),
      headerSizeBytes: bytes(limits.headers),
      siblings: limits.siblings,
      connections: limits.connections,
      requests: limits.requests,
    },
    timeouts: {
      requestMs: milliseconds(timeouts.request),
      idleMs: milliseconds(timeouts.idle),
      pbcIdleMs: timeouts.pbc_idle === 'never' ? Infinity : milliseconds(timeouts.pbc_idle),
      drainMs: milliseconds(timeouts.drain),
      shutdownMs: milliseconds(timeouts.shutdown),
    },
    peer: toPeerConfig(document.peer),
    store: {
      cacheSizeBytes: bytes(store.cache),
      writeBufferSizeBytes: bytes(store.write_buffer),
      inlineMaxBytes: bytes(store.inline_values),
    },
    disk: { reserveBytes: bytes(document.disk.reserve) },
    transfers: {
      bytesPerSecond: bytes(document.transfers.rate),
      treesMax: document.transfers.partitions,
    },
    log: toLogConfig(document.log, folder),
    slowLog: toSlowLogConfig(document.slow_log),
    tracing: toTracingConfig(document.tracing, folder),
    audit: {
      fileMaxBytes: bytes(document.audit.file),
      filesMax: document.audit.files,
      isLenient: document.audit.when_failing === 'allow',
    },
    peerTls: tls.peer && toTlsConfig(tls.peer, folder),
    clientTls: tls.client && toClientTlsConfig(tls.client, folder),
    hooks: toHooksConfig(document.hooks, folder),
    hasScripts: document.map_reduce.javascript === 'enabled',
    disabledJobs: new Set(JOB_CLASSES.filter((name) => document.jobs[name] === 'disabled')),
    replication: toReplicationConfig(document.replication, folder),
    nodes: document.nodes.map((node) => toNodeConfig(node, folder)),
  };
}

function toHooksConfig(hooks: ClusterDocument['hooks'], folder: string): ClusterConfig['hooks'] {
  if (hooks.folder === undefined) return undefined;
  return { folder: resolve(folder, hooks.folder), timeoutMs: milliseconds(hooks.timeout) };
}

/** The address part of a node's name. */
export function hostOfNodeName(name: string): string {
  return name.slice(name.indexOf('@') + 1);
}

/** Whether it stands for every address of the machine, whichever that is. */
export function isAnyAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function toNodeConfig(node: NodeDocument, folder: string): NodeConfig {
  const host = node.host ?? hostOfNodeName(node.name);
  return {
    name: node.name as NodeId,
    host,
    listenHost: node.listen ?? host,
    httpPort: node.http_port,
    httpsPort: node.https_port,
    pbcPort: node.pbc_port,
    peerPort: node.peer_port,
    dataDir: resolve(folder, node.data_dir),
    location: node.location,
    inCoverage: node.participate_in_coverage === 'enabled',
  };
}

function toPeerConfig(peer: ClusterDocument['peer']): PeerConfig {
  return {
    heartbeatIntervalMs: milliseconds(peer.heartbeat),
    downAfterMs: milliseconds(peer.down_after),
    handshakeTimeoutMs: milliseconds(peer.handshake),
    reconnectDelayMaxMs: milliseconds(peer.reconnect),
    keepaliveMs: milliseconds(peer.keepalive),
    windowRequests: peer.window_requests,
    windowBytes: bytes(peer.window),
    concurrency: peer.concurrency,
  };
}

function toTlsConfig(tls: TlsDocument, folder: string): TlsConfig {
  return {
    caFile: resolve(folder, tls.ca_file),
    certFile: resolve(folder, tls.cert_file),
    keyFile: resolve(folder, tls.key_file),
    crlFile: tls.crl_file === undefined ? undefined : resolve(folder, tls.crl_file),
    verifiesNames: tls.verify === 'node',
  };
}

function toClientTlsConfig(tls: ClientTlsDocument, folder: string): ClientTlsConfig {
  return {
    certFile: resolve(folder, tls.cert_file),
    keyFile: resolve(folder, tls.key_file),
    caFile: tls.ca_file === undefined ? undefined : resolve(folder, tls.ca_file),
    crlFile: tls.crl_file === undefined ? undefined : resolve(folder, tls.crl_file),
    // A level alone is no list.
    ciphers: tls.ciphers?.startsWith('@') ? `${DEFAULT_CIPHERS}:${tls.ciphers}` : tls.ciphers,
  };
}

function toLogConfig(log: ClusterDocument['log'], folder: string): ClusterDocument['log'] {
  if (log.destination === 'stdout') return log;
  return { ...log, destination: resolve(folder, log.destination) };
}

function toSlowLogConfig(slowLog: ClusterDocument['slow_log']): ClusterConfig['slowLog'] {
  return {
    slowMs: milliseconds(slowLog.slow),
    largeBytes: bytes(slowLog.large),
    siblings: slowLog.siblings,
    entriesMax: slowLog.entries,
  };
}

function toTracingConfig(
  { endpoint, ratio, slow, clients, headers_file: file }: ClusterDocument['tracing'],
  folder: string,
): TracingConfig | undefined {
  if (endpoint === undefined) return undefined;
  return {
    endpoint,
    ratio,
    slowMs: milliseconds(slow),
    followsClients: clients === 'follow',
    headersFile: file === undefined ? undefined : resolve(folder, file),
  };
}

function toDeleteMode(text: string): DeleteMode {
  if (text === 'keep' || text === 'immediate') return { kind: text };
  return { kind: 'after', delayMs: milliseconds(text) };
}
