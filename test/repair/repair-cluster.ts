/**
 * A cluster of replicas for repair tests: real stores and replicas, one ring, and a peer that carries
 * every message through its wire form. Nodes can be down, and links can swallow what they carry.
 */

import { Fault } from '../../src/base/fault.ts';
import type { Epoch, NodeId, ObjectKey } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import type { ClusterState, Member } from '../../src/membership/cluster-state.ts';
import { openStep } from '../../src/membership/ring-steps.ts';
import type { NewContent } from '../../src/object/requests.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type {
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../../src/peer/messages.ts';
import type { Peer } from '../../src/peer/peer.ts';
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
import { fetchCopies, takeRecords, type CopyPorts } from '../../src/node/copy-requests.ts';
import type { StoreReplica, StoreReplicaOptions } from '../../src/replica/store-replica.ts';
import type { TransferPorts } from '../../src/repair/ports.ts';
import { Ring } from '../../src/ring/ring.ts';
import { NO_SECURITY } from '../../src/security/security-state.ts';
import {
  content,
  openReplica,
  partitionFor,
  placementOf,
  propertiesOf,
  record,
  RING_SIZE,
} from '../replica/replica-world.ts';
import { ShakyStore } from '../replica/shaky-store.ts';
import { readTruth } from '../replica/store-truth.ts';
import type { StoreTruth } from '../replica/store-truth.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

export class RepairCluster {
  readonly host: VirtualHost;
  readonly nodes: RepairNode[] = [];
  state: ClusterState;
  /** Where reads hold. */
  ring: Ring;
  jointRing: Ring | undefined;
  /** Whether every node acts on `state`. */
  hasSpread = true;
  /** What was asked of whom over streams. */
  readonly streamed: { source: NodeId; target: NodeId; request: PeerStreamRequest }[] = [];
  /** What happens after an item of a stream; may throw a fault, which ends it. */
  onItem: (source: NodeId, item: PeerStreamItem) => void = () => {};
  /** What a request meets before it is carried out; may throw a fault. */
  onRequest: (source: NodeId, target: NodeId, request: PeerRequest) => void = () => {};

  private constructor(host: VirtualHost, nodeCount: number, owningCount: number) {
    this.host = host;
    const ids = Array.from(
      { length: nodeCount },
      (_, index) => `${'abcdefgh'[index]}@host` as NodeId,
    );
    const members = ids.map((id): Member => ({
      id,
      host: 'localhost',
      peerPort: 1,
      httpPort: 2,
      pbcPort: 3,
      location: '',
      status: 'valid',
    }));
    const ownerByPartition = Array.from({ length: RING_SIZE }, (_, index) => index % owningCount);
    this.state = {
      clusterName: 'test',
      epoch: 1 as Epoch,
      ringSize: RING_SIZE,
      members,
      ownerByPartition,
      ancestors: [],
      lineages: [],
      staged: [],
      step: undefined,
      defaultProperties: {},
      bucketTypes: new Map(),
      bucketProperties: new Map(),
      security: NO_SECURITY,
    };
    this.ring = new Ring(this.state);
  }

  static async open(
    nodeCount: number,
    options: Partial<StoreReplicaOptions> = {},
    /** The nodes that own partitions, the first of all. */
    owningCount = nodeCount,
  ): Promise<RepairCluster> {
    const cluster = new RepairCluster(new VirtualHost(nodeCount), nodeCount, owningCount);
    for (const { id } of cluster.state.members) {
      const store = new ShakyStore(cluster.host.random);
      const { replica } = await openReplica(cluster.host, store, options);
      cluster.nodes.push(new RepairNode(cluster, id, { store, replica }));
    }
    return cluster;
  }

  /** All act on `state` from now on. */
  adopt(state: ClusterState): void {
    this.state = state;
    const ring = new Ring(state);
    const target = state.step && new Ring({ ...state, ownerByPartition: state.step.target });
    const isTurning = state.step?.phase === 'turning';
    this.ring = isTurning && target !== undefined ? target : ring;
    this.jointRing = isTurning ? ring : target;
  }

  /** A step to a ring whose partitions these nodes own in turn. */
  openStep(owners: readonly NodeId[]): void {
    const { members } = this.state;
    const outcome = openStep(this.state, {
      owners: Array.from(
        { length: RING_SIZE },
        (_, index) => owners[index % owners.length] as NodeId,
      ),
      members,
      staged: [],
    });
    if (outcome.kind !== 'changed') throw new Error(outcome.kind);
    this.adopt(outcome.state);
  }

  /** The node with this id. */
  node(id: NodeId): RepairNode {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`no node ${id}`);
    return found;
  }

  /** The replicas of a key, in the order of its preference list. */
  primaries(key: ObjectKey): RepairNode[] {
    const { replicas } = this.ring.preferenceList(partitionFor(key), propertiesOf(key).n_val);
    return replicas.map(({ node }) => this.node(node));
  }

  /** The nodes that are no replicas of a key. */
  others(key: ObjectKey): RepairNode[] {
    const primaries = this.primaries(key);
    return this.nodes.filter((node) => !primaries.includes(node));
  }

  /** Every store, after its parts were found to agree. */
  truths(): Promise<StoreTruth[]> {
    return Promise.all(this.nodes.map(({ store }) => readTruth(store, propertiesOf)));
  }
}

export class RepairNode implements Peer {
  readonly id: NodeId;
  readonly store: ShakyStore;
  readonly replica: StoreReplica;
  readonly ports: { -readonly [Port in keyof TransferPorts]: TransferPorts[Port] };
  isUp = true;
  /** What this node makes of a key that it is sent; may throw a fault. */
  place: typeof placementOf = placementOf;
  /** It was told that its refill is over. */
  isFilled = false;
  readonly #cluster: RepairCluster;

  constructor(
    cluster: RepairCluster,
    id: NodeId,
    parts: { readonly store: ShakyStore; readonly replica: StoreReplica },
  ) {
    this.#cluster = cluster;
    this.id = id;
    this.store = parts.store;
    this.replica = parts.replica;
    this.ports = {
      host: cluster.host,
      replica: parts.replica,
      peer: this,
      store: parts.store,
      self: id,
      view: {
        state: () => cluster.state,
        ring: () => cluster.ring,
        jointRing: () => cluster.jointRing,
        hasSpread: () => cluster.hasSpread,
        isUp: (node) => cluster.nodes.some(({ id, isUp }) => id === node && isUp),
        place: placementOf,
      },
      propose: (change) => {
        const outcome = change(cluster.state);
        if ('state' in outcome) cluster.adopt(outcome.state);
        return Promise.resolve();
      },
      filled: () => {
        this.isFilled = true;
      },
    };
  }

  /** Writes here, and here only. */
  async write(
    key: ObjectKey,
    what: NewContent | string,
    context: VersionVector = EMPTY_VERSION_VECTOR,
  ): Promise<StoredObject> {
    const written = typeof what === 'string' ? content(what) : what;
    const outcome = await this.replica.coordinate(key, placementOf(key), {
      context,
      content: written,
    });
    if (outcome.kind !== 'issued') throw new Error(outcome.kind);
    await outcome.durable;
    return outcome.object;
  }

  merge(key: ObjectKey, object: StoredObject, hintFor?: NodeId): Promise<void> {
    return this.replica.merge(key, placementOf(key), record(object), hintFor);
  }

  get(key: ObjectKey): Promise<StoredObject | undefined> {
    return this.replica.get(key, partitionFor(key));
  }

  async request(target: NodeId, request: PeerRequest): Promise<PeerReply> {
    const node = this.#cluster.node(target);
    if (!node.isUp) throw new Fault('peer-unreachable', 'the node is down');
    this.#cluster.onRequest(this.id, target, request);
    const reply = await node.answer(decodeRequest(encodeRequest(request)));
    return decodeReply(encodeReply(reply));
  }

  async *stream(target: NodeId, request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem> {
    const node = this.#cluster.node(target);
    this.#cluster.streamed.push({ source: this.id, target, request });
    if (!node.isUp) throw new Fault('peer-unreachable', 'the node is down');
    for await (const item of node.answerStream(decodeStreamRequest(encodeStreamRequest(request)))) {
      yield decodeStreamItem(encodeStreamItem(item));
      this.#cluster.onItem(target, item);
    }
  }

  async answer(request: PeerRequest): Promise<PeerReply> {
    const { replica } = this;
    switch (request.verb) {
      case 'get': {
        const { key, headOnly } = request;
        const record = await replica.getRecord(key, partitionFor(key), headOnly);
        if (record === undefined && replica.isDamaged(key)) {
          throw new Fault('store-corrupt', 'the copy is damaged');
        }
        return { kind: 'object', record };
      }
      case 'merge': {
        const { key, hintFor } = request;
        await replica.merge(key, placementOf(key), request.record, hintFor);
        return { kind: 'done' };
      }
      case 'fetch':
        return {
          kind: 'copies',
          copies: await fetchCopies(this.#copies(), request.keys, request.headsOnly),
        };
      case 'deliver':
        return { kind: 'delivered', refused: await takeRecords(this.#copies(), request.records) };
      case 'reap': {
        const { key, tombstoneHash } = request;
        return { kind: 'reaped', isGone: await replica.reap(key, placementOf(key), tombstoneHash) };
      }
      case 'tree':
        return { kind: 'tree', segments: await replica.tree(request.partition, request.nVal) };
      case 'trace':
        return {
          kind: 'trace',
          trace: await replica.trace(request.key, partitionFor(request.key)),
        };
      case 'map':
      case 'sizes':
      case 'put':
      case 'update':
      case 'ping':
      case 'agree':
      case 'state':
        throw new Fault('peer-refused', `no ${request.verb} in this test`);
    }
  }

  #copies(): CopyPorts {
    return { replica: this.replica, place: (key) => this.place(key) };
  }

  async *answerStream(request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem> {
    if (request.verb === 'records') {
      const { partition, nVal, after } = request;
      for await (const records of this.replica.records(partition, nVal, after)) {
        yield { kind: 'records', records };
      }
      return;
    }
    if (request.verb === 'hashes') {
      const { partition, nVal, segments } = request;
      for await (const hashes of this.replica.hashes(partition, nVal, segments)) {
        yield { kind: 'hashes', hashes };
      }
      return;
    }
    if (request.verb !== 'heads') throw new Fault('peer-refused', 'no queries in this test');
    const { partition, nVal, segments } = request;
    for await (const heads of this.replica.heads(partition, nVal, segments)) {
      yield { kind: 'heads', heads };
    }
  }
}
