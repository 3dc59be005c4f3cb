/**
 * A node: everything it is, behind the two faces it shows.
 *
 * To the edges it is a `NodeService`, to its peers a `PeerHandler`. It owns no logic of its own but
 * its life: opening what it rests on, saying whether it serves, and stopping so that its next start may
 * go on with the same actors.
 */

import type { ByteString } from '../base/bytes.ts';
import { assert, Fault, isFault } from '../base/fault.ts';
import { sleep, type Host } from '../base/host.ts';
import type { NodeId, ObjectKey } from '../base/names.ts';
import type { AbsorbOutcome, AbsorbRequest } from '../coordinator/absorb.ts';
import type { MapRun } from '../mapreduce/job-ports.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { effectiveTypeProperties } from '../membership/effective-properties.ts';
import { findMember } from '../membership/staging.ts';
import type { BucketProperties, PartialProperties } from '../object/bucket-properties.ts';
import type {
  FetchDatatypeOutcome,
  FetchDatatypeRequest,
  UpdateDatatypeOutcome,
  UpdateDatatypeRequest,
} from '../object/datatype-requests.ts';
import type { IndexMatch } from '../object/index-entries.ts';
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
import { PasswordHasher } from '../security/password-hasher.ts';
import type { Store } from '../storage/store.ts';
import { Admission } from './admission.ts';
import { ClientRequests } from './client-requests.ts';
import { DISK_GUARD_DEFAULTS, DiskGuard } from './disk-guard.ts';
import {
  NODE_LIMITS,
  NODE_TIMINGS,
  type NodeLimits,
  type NodeOptions,
  type NodeTimings,
} from './node-options.ts';
import { Entrance } from './entrance.ts';
import type { FoldOptions, FoldOutcome, FoldRequest } from './fold-requests.ts';
import { Folds } from './folds.ts';
import { wireGatekeeper } from './gatekeeper-wiring.ts';
import { HotKeys } from './hot-keys.ts';
import { Listings } from './listings.ts';
import { openParts, type NodeParts } from './node-parts.ts';
import type {
  BucketTypeStatus,
  CoverageOptions,
  NodeService,
  PreferenceListEntry,
  PropertiesOutcome,
} from './node-service.ts';
import { noteOlderCopy } from './older-copy.ts';
import type { OperatorService } from './operations.ts';
import type { AdmittedPeer, PeerStart } from './peer-starts.ts';
import { bucketTypesIn } from './property-changes.ts';
import { NO_QUEUES, ReplicationQueues } from './replication-queues.ts';
import { failedStream, RoutingPeer } from './routing-peer.ts';
import { spannedPeer } from './spanned-peer.ts';
import { Standing, type StandingPorts } from './standing.ts';
import type { NodeIntroduction, RememberedIncarnation, Succession } from './succession.ts';

/** By a node that is no member: what others need to see that, and it to hear of it. */
const SERVED_WHEN_REMOVED: ReadonlySet<PeerRequest['verb']> = new Set(['ping', 'agree', 'state']);

export class VertebraNode implements NodeService, PeerHandler, JoinHandler {
  readonly id: NodeId;
  readonly entrance: Entrance;
  readonly gatekeeper: Gatekeeper;
  /** What clients of this node read and write most. */
  readonly hotKeys: HotKeys;
  readonly replication: ReplicationQueues;
  readonly #host: Host;
  readonly #store: Store;
  readonly #peer: RoutingPeer;
  readonly #options: NodeOptions;
  readonly #limits: NodeLimits;
  readonly #timings: NodeTimings;
  readonly #passwords: PasswordHasher;
  readonly #admission: Admission;
  readonly #requests: ClientRequests;
  readonly #standing: Standing;
  readonly #listings: Listings;
  readonly #folds: Folds;
  readonly #disk: DiskGuard | undefined;
  #opening: Promise<NodeParts> | undefined;
  #parts: NodeParts | undefined;
  #life: 'new' | 'starting' | 'serving' | 'outdated' | 'stopping' | 'stopped' = 'new';
  #stopped: Promise<void> | undefined;
  /** Why clients should go elsewhere, though they are served. */
  notice: string | undefined;

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
    this.replication = new ReplicationQueues(
      {
        host,
        read: (request) => this.#requests.getStored(request),
        isDiskFull: () => this.#disk?.isFull === true,
      },
      options.replication ?? NO_QUEUES,
    );
    this.#requests = new ClientRequests({
      clock: host.clock,
      admission: this.#admission,
      hotKeys: this.hotKeys,
      serving: () => this.#serving(),
      written: this.replication.listener,
    });
    this.#standing = this.#newStanding();
    this.#passwords = new PasswordHasher(host.metrics);
    this.entrance = new Entrance(host, this.#admission, {
      turnMs: this.#timings.entranceTurnMs,
      waitMaxMs: this.#timings.entranceWaitMs,
      lengthMax: this.#limits.waitingMax,
    });
    const state = (): ClusterState => this.state();
    this.gatekeeper = wireGatekeeper(host, this.#passwords, state, options.refused);
    const { diskSpace, diskGuard } = options;
    this.#disk =
      diskSpace && new DiskGuard(host, diskSpace, { ...DISK_GUARD_DEFAULTS, ...diskGuard });
    this.#listings = new Listings({ host, mustServe: () => this.#mustServe() }, this.#limits);
    this.#folds = new Folds({
      host,
      mustServe: () => this.#mustServe(),
      replication: this.replication,
      delete: (request) => this.delete(request),
    });
  }

  /** Resolves when clients may be served. Rejects with the fault that keeps the node from it. */
  async start(): Promise<void> {
    if (this.#life !== 'new') throw new Fault('closed', 'a node starts once');
    this.#life = 'starting';
    this.#opening = openParts({
      host: this.#host,
      store: this.#store,
      peer: this.#peer,
      options: {
        ...this.#options,
        stateChanged: (state) => {
          this.#standing.note(state);
          this.#options.stateChanged?.(state);
        },
      },
      limits: this.#limits,
      timings: this.#timings,
      disk: this.#disk,
      passwords: this.#passwords,
      foundOld: (peer, remembered) => void this.#becomeOutdated(peer, remembered),
    });
    const parts = await this.#opening;
    this.#parts = parts;
    // A stop that came meanwhile closes what is open now; nothing more may begin.
    if (!this.#isStarting()) return;
    await this.#disk?.start();
    await this.replication.open();
    if (!this.#isStarting()) return;
    this.#standing.note(parts.topology.state());
    // From now on this node can introduce itself, so that links may be opened.
    this.#options.stateChanged?.(parts.topology.state());
    await parts.heartbeats.start(this.#timings.startGraceMs);
    await parts.catchUp.underWay;
    if (!this.#isStarting()) return;
    // Who was not vouched for by now has actors of its own.
    parts.identity.beginAfresh();
    this.#life = 'serving';
    parts.repair.start();
    this.#standing.note(parts.topology.state());
    this.#host.log.info('node.started', { epoch: parts.topology.epoch });
  }

  #isStarting(): boolean {
    return this.#life === 'starting';
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
    if (this.#life !== 'outdated') this.#life = 'stopping';
    const { clock, log } = this.#host;
    this.entrance.close();
    await Promise.race([this.#admission.close(), sleep(clock, this.#timings.drainTimeoutMs)]);
    this.#requests.tellUnanswered();
    await this.replication.close();
    // What it fails with `start` tells.
    const parts = await this.#opening?.catch(() => undefined);
    this.#disk?.stop();
    parts?.heartbeats.stop();
    const repairEnds = parts?.repair.stop();
    await Promise.race([repairEnds, sleep(clock, this.#timings.repairStopMs)]);
    // Heartbeats have ended: nobody else finds that a peer has become silent.
    this.#peer.close();
    await repairEnds;
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
    log.info('node.stopped');
  }

  findPutRefusal: NodeService['findPutRefusal'] = (terms) => this.#requests.findPutRefusal(terms);

  get(request: GetRequest): Promise<GetOutcome> {
    return this.#requests.get(request);
  }

  put(request: PutRequest): Promise<PutOutcome> {
    return this.#requests.put(request);
  }

  delete(request: DeleteRequest): Promise<DeleteOutcome> {
    return this.#requests.delete(request);
  }

  /** Merges a record of another cluster. */
  absorb(request: AbsorbRequest): Promise<AbsorbOutcome> {
    return this.#requests.absorb(request);
  }

  fetchDatatype(request: FetchDatatypeRequest): Promise<FetchDatatypeOutcome> {
    return this.#requests.fetchDatatype(request);
  }

  updateDatatype(request: UpdateDatatypeRequest): Promise<UpdateDatatypeOutcome> {
    return this.#requests.updateDatatype(request);
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
    return bucketTypesIn(this.state());
  }

  listBuckets(
    type: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    return this.#listings.buckets(type, options);
  }

  listKeys(
    type: ByteString,
    bucket: ByteString,
    options: CoverageOptions,
  ): AsyncIterableIterator<readonly ByteString[]> {
    return this.#listings.keys(type, bucket, options);
  }

  index(scan: IndexScan, options: CoverageOptions): AsyncIterableIterator<readonly IndexMatch[]> {
    return this.#listings.index(scan, options);
  }

  fold(request: FoldRequest, options: FoldOptions): Promise<FoldOutcome> {
    return this.#folds.fold(request, options);
  }

  mapRun(task: Buffer | undefined, leftMs: () => number): MapRun {
    const read = (request: GetRequest): Promise<GetOutcome> => this.get(request);
    return this.#mustServe().makeMapRun({ task, leftMs, read });
  }

  preferenceList(key: ObjectKey): readonly PreferenceListEntry[] | undefined {
    return this.#mustParts().topology.preferenceList(key);
  }

  state(): ClusterState {
    return this.#mustParts().topology.state();
  }

  readiness(): { readonly isReady: boolean; readonly reason: string } {
    if (this.#life !== 'serving') return { isReady: false, reason: `the node is ${this.#life}` };
    const { removal } = this.#standing;
    if (removal !== undefined) return { isReady: false, reason: removal };
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

  isMember(): boolean {
    return this.#standing.removal === undefined;
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
    if (parts === undefined || isAway || this.#isGone()) {
      return Promise.reject(this.#closedFault());
    }
    const { removal } = this.#standing;
    if (removal !== undefined && !SERVED_WHEN_REMOVED.has(request.verb)) {
      return Promise.reject(new Fault('peer-refused', removal));
    }
    return parts.requests.handle(source, request, timeoutMs);
  }

  handleStream(source: NodeId, request: PeerStreamRequest): AsyncIterableIterator<PeerStreamItem> {
    const parts = this.#parts;
    if (parts === undefined || this.#isGone()) return failedStream(this.#closedFault());
    return parts.requests.handleStream(source, request);
  }

  /** What this node tells a peer when a link opens; undefined before its store has been opened. */
  introduction(): NodeIntroduction | undefined {
    if (this.#parts === undefined) return undefined;
    const { identity, topology } = this.#parts;
    return {
      clusterName: topology.state().clusterName,
      node: this.id,
      identity: identity.mark,
      incarnation: identity.incarnation,
      lineage: identity.lineage,
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

  /** The transport has let `peer` in. */
  admittedPeer(peer: AdmittedPeer): void {
    this.#parts?.peerStarts.note(peer);
  }

  /** Which start of `node` was noted before this one of this node. */
  recallPeer(node: NodeId): PeerStart | undefined {
    return this.#parts?.peerStarts.recall(node);
  }

  /**
   * The transport says that the link to `node` opened or broke; `isVouching`: the peer knew a start that
   * this one comes from, and none since.
   */
  linkChanged(node: NodeId, isOpen: boolean, isVouching: boolean): void {
    if (isOpen) this.succession()?.admittedBy(node, isVouching);
    this.#parts?.heartbeats.linkChanged(node, isOpen);
  }

  /** Whom peers remember, once the store has been opened. */
  succession(): Succession | undefined {
    return this.#parts?.succession;
  }

  #isGone(): boolean {
    return this.#life === 'outdated' || this.#life === 'stopped';
  }

  async #becomeOutdated(peer: NodeId, { incarnation }: RememberedIncarnation): Promise<void> {
    // Its next start is told again.
    if (this.#life === 'stopping' || this.#life === 'stopped') return;
    this.#life = 'outdated';
    await noteOlderCopy(this.#host, this.#store, { peer, remembered: incarnation });
    this.#options.outdated?.(
      `the disk is an older copy: ${peer} remembers start ${incarnation} of ${this.id}`,
    );
  }

  #newStanding(): Standing {
    const self = findMember(this.#options.initialState, this.id);
    assert(self !== undefined, 'a node is a member of its first state');
    const ports: StandingPorts = {
      state: () => this.state(),
      isServing: () => this.#life === 'serving',
      present: (member) => this.#mustParts().clusterChanges.present(member),
    };
    return new Standing(this.#host, ports, { self, retryMs: this.#timings.heartbeatMs });
  }

  #serving(): NodeParts | Failure {
    const { removal } = this.#standing;
    if (removal !== undefined) return { kind: 'unavailable', reason: removal };
    if (this.#parts !== undefined && this.#life === 'serving') return this.#parts;
    return { kind: 'unavailable', reason: `the node is ${this.#life}` };
  }

  #mustServe(): NodeParts {
    if (this.#life !== 'serving') throw this.#closedFault();
    const { removal } = this.#standing;
    if (removal !== undefined) throw new Fault('closed', removal);
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
