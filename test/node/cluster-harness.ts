/**
 * Several real nodes in one process: memory stores, virtual time, and a network with switches and the real
 * transport's gates.
 *
 * Messages go through the real encoding, so nothing but bytes crosses. A link can be cut (requests
 * fail at once), silent (nothing arrives, so they time out) or slow. A crashed node keeps its store.
 */

import { Fault } from '../../src/base/fault.ts';
import type { Host, Metrics } from '../../src/base/host.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId, type ObjectKey } from '../../src/base/names.ts';
import type { CommitHooks } from '../../src/coordinator/commit-hooks.ts';
import type { ScriptEngine } from '../../src/mapreduce/script.ts';
import { initialState, type InitialCluster } from '../../src/membership/initial-state.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { VertebraNode } from '../../src/node/node.ts';
import type { NodeLimits, NodeTimings } from '../../src/node/node-options.ts';
import type { ReplicationOptions } from '../../src/node/replication-queue.ts';
import { NO_QUEUES } from '../../src/node/replication-queues.ts';
import type { RepairOptions } from '../../src/node/repair-rounds.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../../src/peer/messages.ts';
import { MessageTooLarge, type Peer } from '../../src/peer/peer.ts';
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
import { encodeObjectKey } from '../../src/storage/keys.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { Store, StoreHealth, WriteOperation } from '../../src/storage/store.ts';
import { Gate } from '../simulation/gates.ts';
import { ProcessClock, VirtualTime } from './virtual-time.ts';

export interface ClusterOptions {
  readonly nodeCount: number;
  readonly ringSize?: number;
  readonly defaultProperties?: PartialProperties;
  readonly limits?: Partial<NodeLimits>;
  readonly timings?: Partial<NodeTimings>;
  readonly repair?: RepairOptions;
  readonly commitHooks?: CommitHooks;
  readonly scripts?: ScriptEngine;
  readonly replication?: ReplicationOptions;
  /** Of another cluster, so that its nodes draw other marks. */
  readonly seed?: number;
  /** Nodes that take no part in coverage, from 1. */
  readonly notInCoverage?: readonly number[];
}

const LATENCY_MS = 1;
const TERABYTE = 2 ** 40;

/** A memory store that outlives its node, and can be fenced. */
class KeptStore implements Store {
  readonly #kept: MemoryStore;
  #isClosed = false;
  #fencedFor: string | undefined;
  /** Writes wait for it. */
  gate: Promise<void> | undefined;

  constructor(kept: MemoryStore) {
    this.#kept = kept;
  }

  fence(reason: string): void {
    this.#fencedFor = reason;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#kept.get(key);
  }

  getHead(key: Buffer): Promise<Buffer | undefined> {
    return this.#kept.getHead(key);
  }

  refusal(): Fault | undefined {
    if (this.#isClosed) return new Fault('store-closed', 'closed');
    return this.#fencedFor === undefined ? undefined : new Fault('store-fenced', this.#fencedFor);
  }

  write(operations: readonly WriteOperation[]): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.gate?.then(() => this.#kept.write(operations)) ?? this.#kept.write(operations);
  }

  scan(range: Parameters<Store['scan']>[0]): ReturnType<Store['scan']> {
    return this.#kept.scan(range);
  }

  approximateSizeBytes(range: Parameters<Store['scan']>[0]): Promise<number> {
    return this.#kept.approximateSizeBytes(range);
  }

  health(): StoreHealth {
    return this.#fencedFor === undefined
      ? { kind: 'ready' }
      : { kind: 'fenced', reason: this.#fencedFor };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }
}

/** Adds up what is counted. */
class CountedMetrics implements Metrics {
  readonly counters = new Map<string, number>();

  count(name: string, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  gauge(): void {}

  observe(): void {}
}

/** One incarnation of a node's process. */
interface Process {
  readonly node: VertebraNode;
  readonly clock: ProcessClock;
  readonly store: KeptStore;
  readonly gate: Gate;
  isGone: boolean;
}

/** `narrow`: it takes messages of 64 KiB at most. `busy`: whatever is asked is `overload`. */
type LinkState = { kind: 'cut' | 'silent' | 'narrow' | 'busy' } | { kind: 'slow'; delayMs: number };

function clusterOf(options: ClusterOptions, ids: readonly NodeId[]): InitialCluster {
  return {
    clusterName: 'test',
    ringSize: options.ringSize ?? 16,
    members: ids.map((id) => {
      return { id, host: 'test', peerPort: 1, httpPort: 2, pbcPort: 3, location: '' };
    }),
    defaultProperties: options.defaultProperties ?? {},
  };
}

export class TestCluster {
  readonly time = new VirtualTime();
  readonly ids: readonly NodeId[];
  readonly metrics = new Map<NodeId, CountedMetrics>();
  /** Requests that reached each node, by verb: what was asked of whom. */
  readonly seen: { source: NodeId; target: NodeId; request: PeerRequest }[] = [];
  /** Streams that were opened. */
  readonly streamed: { source: NodeId; target: NodeId }[] = [];
  /** Verbs of a later version than that of all nodes: they call them malformed. */
  readonly unknownVerbs = new Set<PeerRequest['verb']>();
  /** Where nodes are configured to be; of a node that is not in it, where all are. */
  readonly hostByNode = new Map<NodeId, string>();
  /** Nodes that were told that their disk is an older copy, until they are started again. */
  readonly outdated = new Set<NodeId>();
  /** Nodes whose disk was mended before their next start. */
  readonly mended = new Set<NodeId>();
  /** How far wall clocks are ahead; of a node that is not in it, not at all. */
  readonly clockAheadMsByNode = new Map<NodeId, number>();
  /** Room on the disks; of a node that is not in it, plenty. */
  readonly freeBytesByNode = new Map<NodeId, number>();
  readonly #options: ClusterOptions;
  readonly #state: ClusterState;
  readonly #stateOfLoners = new Map<NodeId, ClusterState>();
  readonly #stores = new Map<NodeId, MemoryStore>();
  readonly #processes = new Map<NodeId, Process>();
  readonly #links = new Map<string, LinkState>();
  #random: number;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = options.seed ?? 1;
    this.ids = Array.from({ length: options.nodeCount }, (_, index) => `n${index + 1}` as NodeId);
    this.#state = initialState(clusterOf(options, this.ids)).state;
    for (const id of this.ids) {
      this.#stores.set(id, new MemoryStore());
      this.metrics.set(id, new CountedMetrics());
    }
  }

  /** A cluster in which all nodes serve and know each other. */
  static async start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    await cluster.settle(Promise.all(cluster.ids.map((id) => cluster.#boot(id))));
    await cluster.time.until(() => {
      return cluster.ids.every(
        (id) => cluster.node(id).liveMembers().length === cluster.ids.length,
      );
    });
    return cluster;
  }

  /** Starts a node that is a cluster of its own. */
  async startAlone(id: NodeId, own: Partial<InitialCluster> = {}): Promise<VertebraNode> {
    const cluster = { ...clusterOf(this.#options, [id]), ...own };
    this.#stateOfLoners.set(id, initialState(cluster).state);
    this.#stores.set(id, new MemoryStore());
    this.metrics.set(id, new CountedMetrics());
    await this.settle(this.#boot(id));
    return this.node(id);
  }

  node(id: NodeId): VertebraNode {
    return this.#mustProcess(id).node;
  }

  settle<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    return this.time.settle(promise, limitMs);
  }

  counted(id: NodeId, name: string): number {
    return this.metrics.get(id)?.counters.get(name) ?? 0;
  }

  /** What the node writes is on its way to the disk until the function that this returns is called. */
  holdWrites(id: NodeId): () => void {
    const { store } = this.#mustProcess(id);
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    return () => {
      store.gate = undefined;
      open();
    };
  }

  /** The process is gone from one moment to the next; its store stays. */
  crash(id: NodeId): void {
    const process = this.#mustProcess(id);
    process.isGone = true;
    process.clock.stop();
    void process.store.close();
    this.#processes.delete(id);
  }

  /** A node that is down loses its store. */
  wipe(id: NodeId): void {
    this.#stores.set(id, new MemoryStore());
  }

  /** What is on the disk of a node now. */
  async copy(id: NodeId): Promise<MemoryStore> {
    const copy = new MemoryStore();
    const all = { from: Buffer.from([0]), to: Buffer.from([0xff]) };
    for await (const entries of (this.#stores.get(id) ?? copy).scan(all)) {
      await copy.write(entries.map(({ key, value }) => ({ kind: 'put', key, head: value })));
    }
    return copy;
  }

  /** A node that is down comes to have another disk, and nobody is told. */
  replaceDisk(id: NodeId, copy: MemoryStore): void {
    this.#stores.set(id, copy);
  }

  async restart(id: NodeId): Promise<void> {
    await this.settle(this.#boot(id));
  }

  async stop(id: NodeId): Promise<void> {
    const process = this.#mustProcess(id);
    await this.settle(process.node.stop());
    process.isGone = true;
    this.#processes.delete(id);
  }

  fence(id: NodeId): void {
    this.#mustProcess(id).store.fence('a test says so');
  }

  /** Flips a bit in the copy that `id` holds. */
  async corrupt(id: NodeId, key: ObjectKey): Promise<void> {
    const [first] = this.node(id).preferenceList(key) ?? [];
    const kept = this.#stores.get(id);
    if (first === undefined || kept === undefined) throw new Error('no such copy');
    const objectKey = encodeObjectKey(first.partition, key);
    const bytes = Buffer.from((await kept.get(objectKey)) ?? Buffer.alloc(1));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    await kept.write([{ kind: 'put', key: objectKey, head: bytes }]);
  }

  /** What `source` sends to `target` from now on. */
  link(source: NodeId, target: NodeId, state: LinkState): void {
    this.#links.set(`${source}>${target}`, state);
  }

  /** Cuts `id` off from all others, both ways. */
  isolate(id: NodeId, kind: 'cut' | 'silent' = 'cut'): void {
    for (const other of this.ids) {
      if (other === id) continue;
      this.link(id, other, { kind });
      this.link(other, id, { kind });
    }
  }

  heal(): void {
    this.#links.clear();
  }

  /** Until every running node sees exactly these as up. */
  async untilUp(...up: readonly NodeId[]): Promise<void> {
    await this.time.until(() => {
      return up.every((id) => {
        const live = this.node(id).liveMembers();
        return live.length === up.length && up.every((each) => live.includes(each));
      });
    });
  }

  /** A key of the default type, or another, whose preference list is what `isWanted` asks for. */
  keyWhere(
    isWanted: (nodes: readonly NodeId[]) => boolean,
    { type = 'default', bucket = 'b' } = {},
  ): ObjectKey {
    for (let index = 0; index < 100_000; index += 1) {
      const key = {
        type: type === 'default' ? DEFAULT_BUCKET_TYPE : utf8ToByteString(type),
        bucket: utf8ToByteString(bucket),
        key: utf8ToByteString(`key-${index}`),
      };
      const anyNode = [...this.#processes.values()][0];
      const list = anyNode?.node.preferenceList(key);
      if (list !== undefined && isWanted(list.map(({ node }) => node))) return key;
    }
    throw new Error('no such key');
  }

  async #boot(id: NodeId): Promise<void> {
    const clock = new ProcessClock(this.time, () => this.clockAheadMsByNode.get(id) ?? 0);
    const store = new KeptStore(this.#stores.get(id) ?? new MemoryStore());
    const metrics = this.metrics.get(id) ?? new CountedMetrics();
    const { limits = {}, timings = {}, repair = {}, notInCoverage = [] } = this.#options;
    const { commitHooks, scripts, replication = NO_QUEUES } = this.#options;
    const isMended = this.mended.delete(id);
    const node = new VertebraNode(this.#host(clock, metrics), store, this.#peer(id), {
      id,
      mayHaveForgotten: isMended,
      isMended,
      inCoverage: !notInCoverage.some((number) => id === `n${number}`),
      initialState: this.#stateOfLoners.get(id) ?? this.#configuredState(id),
      // An address names the node as its host.
      joinPort: {
        askToJoin: async ({ host }, request) => {
          const process = this.#processes.get(host as NodeId);
          if (process === undefined) throw new Fault('peer-unreachable', `no node at ${host}`);
          return process.node.admit(request);
        },
      },
      limits,
      timings,
      repair,
      scripts,
      replication,
      outdated: () => {
        this.outdated.add(id);
      },
      ...(commitHooks === undefined ? {} : { commitHooks }),
      diskSpace: async () => {
        return { freeBytes: this.freeBytesByNode.get(id) ?? TERABYTE, totalBytes: TERABYTE };
      },
    });
    this.outdated.delete(id);
    this.#processes.set(id, { node, clock, store, gate: new Gate(node, clock), isGone: false });
    await node.start();
  }

  #configuredState(id: NodeId): ClusterState {
    const host = this.hostByNode.get(id);
    if (host === undefined) return this.#state;
    const configured = clusterOf(this.#options, this.ids);
    const members = configured.members.map((member) => {
      return member.id === id ? { ...member, host } : member;
    });
    return initialState({ ...configured, members }).state;
  }

  #host(clock: ProcessClock, metrics: Metrics): Host {
    const silent = (): void => {};
    return {
      clock,
      metrics,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      random: {
        bytes: (size) => Buffer.from(Array.from({ length: size }, () => this.#draw(256))),
        integer: (below) => this.#draw(below),
      },
    };
  }

  /** A linear congruential generator: the same scenario draws the same. */
  #draw(below: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 4_294_967_296) * below);
  }

  #mustProcess(id: NodeId): Process {
    const process = this.#processes.get(id);
    if (process === undefined) throw new Error(`${id} does not run`);
    return process;
  }

  #peer(source: NodeId): Peer {
    return {
      request: (target, request, timeoutMs) =>
        this.#request(source, target, { request, timeoutMs }),
      stream: (target, request) => this.#stream(source, target, request),
    };
  }

  #request(
    source: NodeId,
    target: NodeId,
    call: { readonly request: PeerRequest; readonly timeoutMs: number },
  ): Promise<PeerReply> {
    const bytes = encodeRequest(call.request);
    const asking = this.#processes.get(source);
    return new Promise((resolve, reject) => {
      const process = this.#processes.get(target);
      const link = this.#links.get(`${source}>${target}`);
      if (process === undefined || link?.kind === 'cut') {
        reject(new Fault('peer-unreachable', `no link to ${target}`));
        return;
      }
      const isTooLarge = link?.kind === 'narrow' && bytes.length > 65_536;
      if (isTooLarge) return reject(new MessageTooLarge(bytes.length));
      if (link?.kind === 'busy') return reject(new Fault('overload', 'much waits'));
      this.time.after(call.timeoutMs, () => reject(new Fault('timeout', 'no answer')));
      if (link?.kind === 'silent') return;
      this.#deliver(source, target, () => {
        if (process.isGone) {
          reject(new Fault('peer-closed', `the link to ${target} broke`));
          return;
        }
        if (asking?.gate.opensTo(process.gate, !asking.isGone) === false) {
          reject(new Fault('peer-unreachable', `${target} refuses the link`));
          return;
        }
        const request = decodeRequest(bytes);
        this.seen.push({ source, target, request });
        const answer = (run: () => void): void => {
          if (process.isGone) reject(new Fault('peer-closed', `the link to ${target} broke`));
          else if (this.#links.get(`${target}>${source}`)?.kind !== 'silent') {
            this.#deliver(target, source, run);
          }
        };
        const handled = this.unknownVerbs.has(request.verb)
          ? Promise.reject(new Fault('peer-malformed', 'unknown verb'))
          : process.node.handle(source, request, call.timeoutMs);
        handled.then(
          (reply) => {
            const replyBytes = encodeReply(reply);
            answer(() => resolve(decodeReply(replyBytes)));
          },
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  }

  #deliver(source: NodeId, target: NodeId, run: () => void): void {
    const link = this.#links.get(`${source}>${target}`);
    this.time.after(link?.kind === 'slow' ? link.delayMs : LATENCY_MS, run);
  }

  async *#stream(
    source: NodeId,
    target: NodeId,
    request: PeerStreamRequest,
  ): AsyncIterableIterator<PeerStreamItem> {
    const process = this.#processes.get(target);
    const isCut = (): boolean => this.#links.get(`${source}>${target}`)?.kind === 'cut';
    if (process === undefined || isCut()) throw new Fault('peer-unreachable', 'no link');
    this.streamed.push({ source, target });
    const asked = decodeStreamRequest(encodeStreamRequest(request));
    for await (const item of process.node.handleStream(source, asked)) {
      await new Promise<void>((resolve) => {
        this.#deliver(target, source, resolve);
      });
      if (process.isGone || isCut()) throw new Fault('peer-closed', 'the link broke');
      yield decodeStreamItem(encodeStreamItem(item));
    }
  }
}
