/**
 * Three real nodes in one process, on memory stores and in real time, each behind a server of either
 * protocol.
 *
 * What they say to each other goes through the real encoding, without a network between.
 */

import { readFileSync } from 'node:fs';
import { HTTP_DEFAULTS } from '../../src/api/http/http-options.ts';
import { HttpServer } from '../../src/api/http/http-server.ts';
import { PbcServer } from '../../src/api/pbc/pbc-server.ts';
import { Fault } from '../../src/base/fault.ts';
import { initialState } from '../../src/membership/initial-state.ts';
import { VertebraNode } from '../../src/node/node.ts';
import { NO_QUEUES } from '../../src/node/replication-queues.ts';
import {
  decodeReply,
  decodeRequest,
  decodeStreamItem,
  decodeStreamRequest,
  encodeReply,
  encodeRequest,
  encodeStreamItem,
  encodeStreamRequest,
} from '../../src/peer/wire.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Host } from '../../src/base/host.ts';
import type { ReplicationOptions } from '../../src/node/replication-queue.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { Tracer } from '../../src/base/span.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type { PeerStreamItem } from '../../src/peer/messages.ts';
import type { Peer } from '../../src/peer/peer.ts';
import type { ReaperOptions } from '../../src/repair/reaper.ts';

const TYPES_FILE = new URL('../../../test/transcripts/bucket-types.json', import.meta.url);
const NODE_COUNT = 3;

export interface ServedCluster {
  /** HTTP, one for each node. */
  readonly ports: readonly number[];
  /** Protocol Buffers, one for each node. */
  readonly pbcPorts: readonly number[];
  readonly nodes: readonly VertebraNode[];
  readonly bugs: readonly unknown[];
  close(): Promise<void>;
}

export interface ServedOptions {
  readonly reaper?: Partial<ReaperOptions>;
  readonly replication?: ReplicationOptions;
  /** Of the nodes, in their order. */
  readonly tracers?: readonly Tracer[];
  /** With the bucket types that the recorded scenarios need, active on every node. Default true. */
  readonly hasTypes?: boolean;
}

export async function serveCluster(options: ServedOptions = {}): Promise<ServedCluster> {
  const { reaper = {}, replication = NO_QUEUES, tracers = [], hasTypes = true } = options;
  const host = quietHost();
  const ids = Array.from({ length: NODE_COUNT }, (_, index) => {
    return `dev${index + 1}@127.0.0.1` as NodeId;
  });
  const { state } = initialState({
    clusterName: 'test',
    ringSize: 64,
    members: ids.map((id) => {
      return { id, host: '127.0.0.1', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' };
    }),
    defaultProperties: {},
  });
  const nodeById = new Map<NodeId, VertebraNode>();
  for (const [index, id] of ids.entries()) {
    const peer = new DirectPeer(id, nodeById);
    const told = {
      id,
      initialState: state,
      repair: { reaper },
      replication,
      tracer: tracers[index],
    };
    nodeById.set(id, new VertebraNode(host, new MemoryStore(), peer, told));
  }
  const nodes = [...nodeById.values()];
  const bugs: unknown[] = [];
  const servers = nodes.map((node, index) => {
    const stats = (): Record<string, unknown> => ({});
    const onBug = (error: unknown): void => void bugs.push(error);
    const told = { stats, metrics: () => '', onBug, tracer: tracers[index] };
    return new HttpServer(host, node, { ...HTTP_DEFAULTS, ...told });
  });
  const pbcServers = nodes.map((node, index) => {
    const onBug = (error: unknown): void => void bugs.push(error);
    return new PbcServer(host, node, { onBug, tracer: tracers[index] });
  });
  const listen = { host: '127.0.0.1', port: 0 };
  const ports = await Promise.all(servers.map((server) => server.listen(listen)));
  const pbcPorts = await Promise.all(pbcServers.map((server) => server.listen(listen)));
  // The listening servers keep the process alive; the nodes' own timers do not.
  await Promise.all(nodes.map((node) => node.start()));
  if (hasTypes) await createTypes(nodes);
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close(0)));
    await Promise.all(pbcServers.map((server) => server.close()));
    await Promise.all(nodes.map((node) => node.stop()));
  };
  return { ports, pbcPorts, nodes, bugs, close };
}

async function createTypes([first]: readonly VertebraNode[]): Promise<void> {
  const types = JSON.parse(readFileSync(TYPES_FILE, 'utf8')) as Record<string, PartialProperties>;
  for (const [name, properties] of Object.entries(types)) {
    await first?.createBucketType(name as ByteString, properties);
    await first?.activateBucketType(name as ByteString);
  }
}

function quietHost(): Host {
  const silent = (): void => {};
  return systemHost(
    { debug: silent, info: silent, warn: silent, error: silent },
    { count: silent, gauge: silent, observe: silent },
  );
}

class DirectPeer implements Peer {
  readonly #source: NodeId;
  readonly #nodeById: ReadonlyMap<NodeId, VertebraNode>;

  constructor(source: NodeId, nodeById: ReadonlyMap<NodeId, VertebraNode>) {
    this.#source = source;
    this.#nodeById = nodeById;
  }

  async request(
    ...[target, request, timeoutMs]: Parameters<Peer['request']>
  ): ReturnType<Peer['request']> {
    const asked = decodeRequest(encodeRequest(request));
    const reply = await this.#mustNode(target).handle(this.#source, asked, timeoutMs);
    return decodeReply(encodeReply(reply));
  }

  async *stream(...[target, request]: Parameters<Peer['stream']>): AsyncGenerator<PeerStreamItem> {
    const asked = decodeStreamRequest(encodeStreamRequest(request));
    for await (const item of this.#mustNode(target).handleStream(this.#source, asked)) {
      yield decodeStreamItem(encodeStreamItem(item));
    }
  }

  #mustNode(target: NodeId): VertebraNode {
    const node = this.#nodeById.get(target);
    if (node === undefined) throw new Fault('peer-unreachable', `no link to ${target}`);
    return node;
  }
}
