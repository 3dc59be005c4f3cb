/**
 * A node: everything it is, behind the two faces it shows.
 *
 * To the edges it is a `NodeService`, to its peers a `PeerHandler`. It owns no logic of its own but
 * its life: opening what it rests on, letting requests in and out, and stopping so that its next start
 * may go on with the same actors.
 */

import type { ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import { sleep, type Host } from '../base/host.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId, type ObjectKey } from '../base/names.ts';
import { sizeOfOperation } from '../datatype/operation-limits.ts';
import type { MapRun } from '../mapreduce/job-ports.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  createdTypeProperties,
  effectiveTypeProperties,
  replicaCountsOfType,
} from '../membership/effective-properties.ts';
import { findMember, present } from '../membership/staging.ts';
import type { BucketProperties, PartialProperties } from '../object/bucket-properties.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../object/datatype-requests.ts';
import type {
  DeleteOutcome,
  DeleteRequest,
  Failure,
  GetOutcome,
  GetRequest,
  PutOutcome,
  PutRequest,
} from '../object/requests.ts';
import type {
  IndexScan,
  PeerReply,
  PeerRequest,
  PeerStreamItem,
  PeerStreamRequest,
} from '../peer/messages.ts';
import type { JoinHandler, JoinReply, JoinRequest } from '../peer/join.ts';
import type { Peer, PeerHandler } from '../peer/peer.ts';
import type { Gatekeeper } from '../security/gatekeeper.ts';
import { RememberingGatekeeper } from '../security/known-credentials.ts';
import { PasswordHasher } from '../security/password-hasher.ts';
import { ReportingGatekeeper } from '../security/refusals.ts';
import type { Store } from '../storage/store.ts';
import { AgreedGatekeeper } from './agreed-gatekeeper.ts';
import { Admission, type ClientWork } from './admission.ts';
import { CoverageAdmission } from './coverage-admission.ts';
import { DISK_GUARD_DEFAULTS, DiskGuard } from './disk-guard.ts';
import {
  NODE_LIMITS,
  NODE_TIMINGS,
  type NodeLimits,
  type NodeOptions,
  type NodeTimings,
} from './node-options.ts';
import { Entrance } from './entrance.ts';
import { HotKeys } from './hot-keys.ts';
import { openParts, type NodeParts } from './node-parts.ts';
import type {
  BucketTypeStatus,
  CoverageOptions,
  NodeService,
  PreferenceListEntry,
  PropertiesOutcome,
} from './node-service.ts';
import type { OperatorService } from './operations.ts';
import { RoutingPeer } from './routing-peer.ts';
import { spannedPeer } from './spanned-peer.ts';
import type { NodeIntroduction, Succession } from './succession.ts';

/** By a node that is no member: what others need to see that, and it to hear of it. */
const SERVED_WHEN_REMOVED: ReadonlySet<PeerRequest['verb']> = new Set(['ping', 'agree', 'state']);

const OVERLOAD: Failure = { kind: 'overload' };

export class VertebraNode implements NodeService, PeerHandler, JoinHandler {
  readonly id: NodeId;
  readonly entrance: Entrance;
  readonly gatekeeper: Gatekeeper;
  /** What clients of this node read and write most. */
  readonly hotKeys: HotKeys;
  readonly #host: Host;
  readonly #store: Store;
  readonly #peer: RoutingPeer;
  readonly #options: NodeOptions;
  readonly #limits: NodeLimits;
  readonly #timings: NodeTimings;
  readonly #passwords: PasswordHasher;
  readonly #admission: Admission;
  readonly #coverageAdmission: CoverageAdmission;
  readonly #disk: DiskGuard | undefined;
  #parts: NodeParts | undefined;
  #life: 'new' | 'starting' | 'serving' | 'stopping' | 'stopped' = 'new';
  #stopped: Promise<void> | undefined;
  /** Why the cluster does not count on this node any more. */
  #removal: string | undefined;
  /** Why clients should go elsewhere, though they are served. */
  notice: string | undefined;
  #isPresenting = false;

  /** `peer` reaches the other nodes; the store is this node's, and closed when it stops. */
  constructor(host: Host, store: Store, peer: Peer, options: NodeOptions) {
    this.id = options.id;
    this.#host = host;
    this.#store = store;
    this.#peer = new RoutingPeer(options.id, this, spannedPeer(peer, options.tracer));
    this.#options = options;
    this.#limits = { ...NODE_LIMITS, ...options.limits };
    this.#timings = { ...NODE_TIMINGS, ...options.timings };
    this.#admission = new Admission(host, {
      requestsMax: this.#limits.requestsMax,
      bytesMax: this.#limits.requestBytesMax,
    });
    this.hotKeys = new HotKeys(host);
    this.#passwords = new PasswordHasher(host.metrics);
    this.entrance = new Entrance(host, this.#admission, {
      turnMs: this.#timings.entranceTurnMs,
      waitMaxMs: this.#timings.entranceWaitMs,
      lengthMax: this.#limits.waitingMax,
    });
    const gatekeeper = new RememberingGatekeeper(
      host,
      new AgreedGatekeeper(host.metrics, this.#passwords, () => this.state().security),
      () => this.state().epoch,
    );
    const { refused } = options;
    this.gatekeeper =
      refused === undefined ? gatekeeper : new ReportingGatekeeper(gatekeeper, refused);
    const { diskSpace, diskGuard } = options;
    this.#disk =
      diskSpace && new DiskGuard(host, diskSpace, { ...DISK_GUARD_DEFAULTS, ...diskGuard });
    this.#coverageAdmission = new CoverageAdmission(host.metrics, this.#limits.coverageMax);
  }

  /** Resolves when clients may be served. Rejects with the fault that keeps the node from it. */
  async start(): Promise<void> {
    if (this.#life !== 'new') throw new Fault('closed', 'a node starts once');
    this.#life = 'starting';
    const parts = await openParts({
      host: this.#host,
      store: this.#store,
      peer: this.#peer,
      options: {
        ...this.#options,
        stateChanged: (state) => {
          this.#noteState(state);
          this.#options.stateChanged?.(state);
        },
      },
      limits: this.#limits,
      timings: this.#timings,
      disk: this.#disk,
      passwords: this.#passwords,
    });
    await this.#disk?.start();
    this.#parts = parts;
    this.#noteState(parts.topology.state());
    // From now on this node can introduce itself, so that links may be opened.
    this.#options.stateChanged?.(parts.topology.state());
    await parts.heartbeats.start(this.#timings.startGraceMs);
    await parts.catchUp.underWay;
    if (this.#life !== 'starting') return;
    this.#life = 'serving';
    parts.repair.start();
    this.#noteState(parts.topology.state());
    this.#host.log.info('node.started', { node: this.id, epoch: parts.topology.epoch });
  }

  /**
   * Finishes what is under way and closes the store, so that the next start goes on with the same
   * actors. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#life = 'stopping';
    const { clock, log } = this.#host;
    this.entrance.close();
    await Promise.race([this.#admission.close(), sleep(clock, this.#timings.drainTimeoutMs)]);
    const parts = this.#parts;
    this.#disk?.stop();
    parts?.heartbeats.stop();
    await parts?.repair.stop();
    await parts?.replica.close();
    await parts?.keeper.close();
    this.#life = 'stopped';
    try {
      await parts?.identity.close();
    } catch (error) {
      if (!isFault(error)) throw error;
      log.warn('node.stopped-uncleanly', { code: error.code });
    }
    await this.#store.close();
    log.info('node.stopped', { node: this.id });
  }

  get(request: GetRequest): Promise<GetOutcome> {
    this.hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', 0, ({ gets }) => gets.get(request));
  }

  put(request: PutRequest): Promise<PutOutcome> {
    this.hotKeys.note('write', request.key);
    const sizeBytes = request.content.value.length;
    return this.#admitted('node_put_fsm', sizeBytes, ({ puts }) => puts.put(request));
  }

  delete(request: DeleteRequest): Promise<DeleteOutcome> {
    this.hotKeys.note('write', request.key);
    return this.#admitted('node_put_fsm', 0, ({ deletes }) => deletes.delete(request));
  }

  fetchDatatype(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome> {
    this.hotKeys.note('read', request.key);
    return this.#admitted('node_get_fsm', 0, ({ datatypes }) => datatypes.fetch(request));
  }

  updateDatatype(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome> {
    this.hotKeys.note('write', request.key);
    const { sizeBytes } = sizeOfOperation(request.operation);
    return this.#admitted('node_put_fsm', sizeBytes, ({ datatypes }) => datatypes.update(request));
  }

  bucketProperties(type: ByteString, bucket: ByteString): BucketProperties | undefined {
    return this.#mustParts().topology.properties(type, bucket);
  }

  setBucketProperties(
    type: ByteString,
    bucket: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    return this.#mustParts().changes.setBucket(type, bucket, changes);
  }

  resetBucketProperties(type: ByteString, bucket: ByteString): Promise<PropertiesOutcome> {
    return this.#mustParts().changes.resetBucket(type, bucket);
  }

  bucketTypeProperties(type: ByteString): BucketProperties | undefined {
    return effectiveTypeProperties(this.state(), type);
  }

  setBucketTypeProperties(
    type: ByteString,
    changes: PartialProperties,
  ): Promise<PropertiesOutcome> {
    return this.#mustParts().changes.setType(type, changes);
  }

  createBucketType(type: ByteString, properties: PartialProperties): Promise<PropertiesOutcome> {
    return this.#mustParts().changes.createType(type, properties);
  }

  activateBucketType(type: ByteString): Promise<PropertiesOutcome> {
    return this.#mustParts().changes.activateType(type);
  }

  /** The default type first, then the created ones by name. */
  bucketTypes(): readonly BucketTypeStatus[] {
    const state = this.state();
    const defaults = effectiveTypeProperties(state, DEFAULT_BUCKET_TYPE);
    const created = [...state.bucketTypes]
      .map(([name, bucketType]) => ({
        name,
        isActive: bucketType.isActive,
        properties: createdTypeProperties(bucketType),
      }))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
    return defaults === undefined
      ? created
      : [{ name: DEFAULT_BUCKET_TYPE, isActive: true, properties: defaults }, ...created];
  }

  listBuckets(
    type: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    const { coverage } = this.#mustServe();
    // A plan for the least covers all buckets of the type, whatever their own n_val.
    const n = mustKnow(replicaCountsOfType(this.state(), type));
    return this.#coverageAdmission.admit('list_fsm', () => coverage.listBuckets(type, n, options));
  }

  listKeys(
    type: ByteString,
    bucket: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    const { coverage, topology } = this.#mustServe();
    const n = mustKnow(topology.properties(type, bucket)).n_val;
    return this.#coverageAdmission.admit('list_fsm', () =>
      coverage.listKeys({ type, bucket }, n, options),
    );
  }

  index(
    scan: IndexScan,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly (readonly [term: ByteString, key: ByteString])[]> {
    const { coverage, topology } = this.#mustServe();
    const n = mustKnow(topology.properties(scan.type, scan.bucket)).n_val;
    return this.#coverageAdmission.admit('index_fsm', () => coverage.index(scan, n, options));
  }

  mapRun(task: Buffer | undefined, leftMs: () => number): MapRun {
    const read = (request: GetRequest): Promise<GetOutcome> => this.get(request);
    return this.#mustServe().makeMapRun({ task, leftMs, read });
  }

  preferenceList(key: ObjectKey): readonly PreferenceListEntry[] | undefined {
    const { topology } = this.#mustParts();
    const place = topology.place(key);
    if (place === undefined) return undefined;
    const { positions } = topology
      .ring()
      .activePreferenceList(place.partition, place.properties.n_val, (node) => topology.isUp(node));
    return positions.map(({ partition, node, isPrimary }) => ({ partition, node, isPrimary }));
  }

  state(): ClusterState {
    return this.#mustParts().topology.state();
  }

  readiness(): { readonly isReady: boolean; readonly reason: string } {
    if (this.#life !== 'serving') return { isReady: false, reason: `the node is ${this.#life}` };
    if (this.#removal !== undefined) return { isReady: false, reason: this.#removal };
    if (this.notice !== undefined) return { isReady: false, reason: this.notice };
    const health = this.#store.health();
    if (health.kind === 'fenced') {
      return { isReady: false, reason: `the store takes no writes: ${health.reason}` };
    }
    if (this.#disk?.isFull === true) {
      return { isReady: false, reason: 'the disk is nearly full: no new data is taken' };
    }
    const unreadable = this.#parts?.keeper.unreadable;
    if (unreadable !== undefined) return { isReady: false, reason: unreadable };
    return { isReady: true, reason: 'serving' };
  }

  liveMembers(): readonly NodeId[] {
    return this.#mustParts().liveness.liveNodes();
  }

  /** What its operator is offered. */
  operations(): OperatorService {
    return this.#mustParts().operations;
  }

  handle(source: NodeId, request: PeerRequest, timeoutMs: number): Promise<PeerReply> {
    const parts = this.#parts;
    // Who is about to go answers no pings, so that others stop counting on it.
    const isAway = this.#life === 'stopping' && request.verb === 'ping';
    if (parts === undefined || isAway || this.#life === 'stopped') {
      return Promise.reject(this.#closedFault());
    }
    if (this.#removal !== undefined && !SERVED_WHEN_REMOVED.has(request.verb)) {
      return Promise.reject(new Fault('peer-refused', this.#removal));
    }
    return parts.requests.handle(source, request, timeoutMs);
  }

  handleStream(source: NodeId, request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem> {
    const parts = this.#parts;
    if (parts === undefined || this.#life === 'stopped') return failedStream(this.#closedFault());
    return parts.requests.handleStream(source, request);
  }

  /** What this node tells a peer when a link opens; undefined before its store has been opened. */
  introduction(): NodeIntroduction | undefined {
    if (this.#parts === undefined) return undefined;
    const { identity, topology } = this.#parts;
    return {
      clusterName: topology.state().clusterName,
      node: this.id,
      identity: identity.identity,
      incarnation: identity.incarnation,
      epoch: topology.epoch,
    };
  }

  /** What an operator changes of the cluster. */
  cluster(): Pick<NodeParts, 'clusterChanges' | 'securityChanges' | 'joining'> {
    return this.#mustParts();
  }

  /** A node asks to be taken in. */
  admit(request: JoinRequest): Promise<JoinReply> {
    const parts = this.#parts;
    if (parts === undefined || this.#life !== 'serving') return Promise.reject(this.#closedFault());
    return parts.joining.admit(request);
  }

  /** `node` says that this one is no member. */
  calledStranger(node: NodeId): void {
    void this.#parts?.joining.calledStranger(node);
  }

  /** The transport says that the link to `node` opened or broke. */
  linkChanged(node: NodeId, isOpen: boolean): void {
    if (isOpen) this.succession()?.admittedBy(node);
    this.#parts?.heartbeats.linkChanged(node, isOpen);
  }

  /** Whom peers remember, once the store has been opened. */
  succession(): Succession | undefined {
    return this.#parts?.succession;
  }

  /** Serves a request that holds `sizeBytes` while the node serves, has room for it, and knows the epoch. */
  async #admitted<Outcome>(
    work: ClientWork,
    sizeBytes: number,
    serve: (parts: NodeParts) => Promise<Outcome>,
  ): Promise<Outcome | Failure> {
    const parts = this.#serving();
    if ('kind' in parts) return parts;
    const enteredMs = this.#admission.tryEnter(work, sizeBytes);
    if (enteredMs === undefined) return OVERLOAD;
    try {
      if (parts.catchUp.underWay !== undefined) await parts.catchUp.underWay;
      return await serve(parts);
    } finally {
      this.#admission.leave(work, { sizeBytes, atMs: enteredMs });
    }
  }

  /** Notes what has become of this node itself. */
  #noteState(state: ClusterState): void {
    const status = findMember(state, this.id)?.status;
    const isRemoved = status === undefined || status === 'invalid';
    if (isRemoved && this.#removal === undefined) {
      this.#host.log.warn('node.removed', { node: this.id, epoch: state.epoch });
    }
    this.#removal = isRemoved
      ? `this node was removed from cluster ${state.clusterName} (epoch ${state.epoch})`
      : undefined;
    if (this.#life === 'serving') void this.#present();
  }

  /** Tells the others until they have heard it that this node, marked as down, is back, or has moved. */
  async #present(): Promise<void> {
    const self = findMember(this.#options.initialState, this.id);
    if (self === undefined || this.#isPresenting) return;
    this.#isPresenting = true;
    while (this.#life === 'serving' && present(this.state(), self).kind === 'changed') {
      await this.#mustParts().clusterChanges.present(self);
      await sleep(this.#host.clock, this.#timings.heartbeatMs);
    }
    this.#isPresenting = false;
  }

  #serving(): NodeParts | Failure {
    if (this.#removal !== undefined) return { kind: 'unavailable', reason: this.#removal };
    if (this.#parts !== undefined && this.#life === 'serving') return this.#parts;
    return { kind: 'unavailable', reason: `the node is ${this.#life}` };
  }

  #mustServe(): NodeParts {
    if (this.#life !== 'serving') throw this.#closedFault();
    if (this.#removal !== undefined) throw new Fault('closed', this.#removal);
    return this.#mustParts();
  }

  #mustParts(): NodeParts {
    if (this.#parts === undefined) throw this.#closedFault();
    return this.#parts;
  }

  #closedFault(): Fault {
    return new Fault('closed', `the node is ${this.#life}`);
  }
}

/** A stream whose first `next` throws. */
function failedStream(fault: Fault): AsyncIterableIterator<PeerStreamItem> {
  const stream: AsyncIterableIterator<PeerStreamItem> = {
    [Symbol.asyncIterator]: () => stream,
    next: () => Promise.reject(fault),
  };
  return stream;
}

function mustKnow<T>(known: T | undefined): T {
  if (known === undefined) throw new Fault('malformed', 'the bucket type is unknown');
  return known;
}
