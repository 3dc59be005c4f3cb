/**
 * The parts of a running node, opened in the order in which they rest on each other.
 *
 * Whether the store is its own first, then its identity, because nothing may be written before the node
 * knows who it is; then the agreed state, the replica, and what coordinates and answers on top of them.
 */

import { assert } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import { AbsorbCoordinator } from '../coordinator/absorb.ts';
import { AnswerTimes } from '../coordinator/answer-times.ts';
import { CoverageCoordinator } from '../coordinator/coverage.ts';
import { DatatypeCoordinator } from '../coordinator/datatype.ts';
import { DeleteCoordinator } from '../coordinator/delete.ts';
import { GetCoordinator } from '../coordinator/get.ts';
import { MapRun, type MapRunOptions } from '../coordinator/map-run.ts';
import { ActiveLists } from '../coordinator/participants.ts';
import type { CoordinatorPorts } from '../coordinator/ports.ts';
import { PutCoordinator } from '../coordinator/put.ts';
import { NO_HOOKS } from '../coordinator/commit-hooks.ts';
import { ReadRepair } from '../coordinator/read-repair.ts';
import { Liveness } from '../membership/liveness.ts';
import { Proposer } from '../membership/proposer.ts';
import { awaitedMembers, findMember } from '../membership/staging.ts';
import { StateKeeper } from '../membership/state-keeper.ts';
import type { PeerHandler } from '../peer/peer.ts';
import { holdsNothing } from '../replica/partition-size.ts';
import { damageNote, findIndexRepair } from '../repair/index-repair.ts';
import { findRefill, refillNote } from '../repair/refill.ts';
import { openIdentity, type Identity } from '../replica/identity.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../replica/store-replica.ts';
import type { PasswordHasher } from '../security/password-hasher.ts';
import type { Store } from '../storage/store.ts';
import { PeerAgreement, StoreAgreementLog } from './agreement-wiring.ts';
import { CatchUp } from './catch-up.ts';
import { ClusterChanges } from './cluster-changes.ts';
import type { DiskGuard } from './disk-guard.ts';
import { Heartbeats } from './heartbeats.ts';
import { Joining } from './joining.ts';
import type { NodeLimits, NodeOptions, NodeTimings } from './node-options.ts';
import { dropOlderCopyNote, isOlderCopy } from './older-copy.ts';
import { Operations } from './operations.ts';
import { PeerRequests } from './peer-requests.ts';
import { PeerStarts } from './peer-starts.ts';
import { PropertyChanges } from './property-changes.ts';
import { SecurityChanges } from './security-changes.ts';
import { claimStore } from './store-owner.ts';
import { Succession, type SuccessionPorts } from './succession.ts';
import { RepairRounds, type FoundDisk } from './repair-rounds.ts';
import type { RoutingPeer } from './routing-peer.ts';
import { Topology } from './topology.ts';

export interface NodeParts {
  readonly identity: Identity;
  readonly succession: Succession;
  readonly peerStarts: PeerStarts;
  readonly keeper: StateKeeper;
  readonly topology: Topology;
  readonly liveness: Liveness;
  readonly catchUp: CatchUp;
  readonly heartbeats: Heartbeats;
  readonly replica: StoreReplica;
  readonly gets: GetCoordinator;
  readonly puts: PutCoordinator;
  readonly deletes: DeleteCoordinator;
  readonly datatypes: DatatypeCoordinator;
  readonly absorbs: AbsorbCoordinator;
  readonly coverage: CoverageCoordinator;
  readonly makeMapRun: (run: MapRunOptions) => MapRun;
  readonly repair: RepairRounds;
  readonly proposer: Proposer;
  readonly changes: PropertyChanges;
  readonly clusterChanges: ClusterChanges;
  readonly securityChanges: SecurityChanges;
  readonly joining: Joining;
  /** What peers are answered by. */
  readonly requests: PeerHandler;
  readonly operations: Operations;
}

export interface NodePorts {
  readonly host: Host;
  readonly store: Store;
  /** To this node itself too. */
  readonly peer: RoutingPeer;
  readonly options: NodeOptions;
  readonly limits: NodeLimits;
  readonly timings: NodeTimings;
  readonly disk: DiskGuard | undefined;
  readonly passwords: PasswordHasher;
  readonly foundOld: SuccessionPorts['foundOld'];
}

export async function openParts(given: NodePorts): Promise<NodeParts> {
  const { host, store, limits } = given;
  await claimStore(store, given.options.id);
  const isOld = await isOlderCopy(store);
  const mayHaveForgotten = isOld || (given.options.mayHaveForgotten ?? false);
  const options = { ...given.options, mayHaveForgotten };
  const ports = { ...given, options };
  const identity = await openIdentity(store, host, {
    mayHaveForgotten,
    withNew: (isEmpty) => {
      const refill = refillNote(host, isEmpty);
      return options.isMended === true ? [refill, damageNote()] : [refill];
    },
  });
  const found = { refill: await findRefill(store), indexRepair: await findIndexRepair(store) };
  const membership = await openMembership(ports, identity);
  const { topology } = membership;
  const starts = await openStarts(ports, { identity, topology });
  if (isOld) {
    // Counted here: the process that was told has ended.
    host.metrics.count('older_copies_found');
    await dropOlderCopyNote(store);
  }
  // Who has nobody to be admitted by would keep the claim of a new store for ever.
  if (awaitedMembers(topology.state()).length === 1) await identity.noteLinked();
  const replica = await StoreReplica.open(
    host,
    {
      store,
      identity,
      properties: (type, bucket) => topology.propertiesOrDefault(type, bucket),
      isDiskFull: () => ports.disk?.isFull === true,
    },
    {
      ...STORE_REPLICA_DEFAULTS,
      objectSizeMaxBytes: limits.objectSizeMaxBytes,
      siblingsMax: limits.siblingsMax,
      recentHeadsMax: limits.recentHeadsMax,
      recentRecordsMaxBytes: limits.recentRecordsMaxBytes,
    },
  );
  const { peer } = ports;
  const repair = makeRepair(ports, { topology, replica, proposer: membership.proposer }, found);
  const coordinators = makeCoordinators(ports, { topology, replica, repair });
  const { keeper, catchUp, heartbeats } = membership;
  heartbeats.onReturned((node) => repair.nodeReturned(node));
  membership.joining.onGivenBack((move) => repair.refillAfter(move));
  topology.onAdopted((state) => repair.stateAdopted(state));
  const requests = new PeerRequests({
    host,
    self: options.id,
    store,
    replica,
    topology,
    catchUp,
    puts: coordinators.puts,
    datatypes: coordinators.datatypes,
    scripts: options.scripts,
    tracer: options.tracer,
    incarnation: () => identity.incarnation,
    isUndecided: () => identity.isUndecided,
    inCoverage: options.inCoverage ?? true,
    agree: (message) => keeper.handle(message),
    heardPing: (source) => heartbeats.heardPing(source),
    fillBytesPerSecond: () => repair.fillBytesPerSecond,
  });
  const { peerClocks } = heartbeats;
  const watched = { topology, repair, keeper, peerClocks };
  const operations = new Operations({ clock: host.clock, peer, ...watched });
  const own = { identity, replica, repair, requests, operations };
  return { ...own, ...starts, ...membership, ...coordinators };
}

/** What peers remember of this node's starts, and this one of theirs. */
async function openStarts(
  { host, store, options, foundOld }: NodePorts,
  { identity, topology }: Pick<NodeParts, 'identity' | 'topology'>,
): Promise<Pick<NodeParts, 'succession' | 'peerStarts'>> {
  const otherMembers = (): NodeId[] => {
    return awaitedMembers(topology.state()).filter((id) => id !== options.id);
  };
  const succession = new Succession(host, identity, { otherMembers, foundOld });
  const isMember = (id: NodeId): boolean => otherMembers().includes(id);
  const mayHaveForgotten = options.mayHaveForgotten ?? false;
  const peerStarts = await PeerStarts.open(host, { store, isMember }, { mayHaveForgotten });
  return { succession, peerStarts };
}

type Membership = Pick<
  NodeParts,
  | 'keeper'
  | 'topology'
  | 'liveness'
  | 'catchUp'
  | 'heartbeats'
  | 'proposer'
  | 'changes'
  | 'clusterChanges'
  | 'securityChanges'
  | 'joining'
>;

async function openMembership(ports: NodePorts, identity: Identity): Promise<Membership> {
  const { host, store, peer, options, timings } = ports;
  const liveness = new Liveness(options.id, {
    heartbeatMs: timings.heartbeatMs,
    missesMax: timings.missesMax,
  });
  // The first states may be learnt while the keeper is still being opened.
  let opened: { readonly topology: Topology; readonly heartbeats: Heartbeats } | undefined;
  const keeper = await StateKeeper.open(
    host,
    { log: new StoreAgreementLog(store), peers: new PeerAgreement(peer) },
    {
      id: options.id,
      initialState: options.initialState,
      mayHaveForgotten: options.mayHaveForgotten ?? false,
      onState: (state) => {
        if (opened === undefined) return;
        host.metrics.count('states_adopted');
        const changes = opened.topology.adopt(state, host.clock.monotonicMs());
        opened.heartbeats.noteChanges(changes);
        options.stateChanged?.(state);
      },
    },
  );
  const topology = new Topology(keeper.state(), liveness);
  topology.setInCoverage(options.id, options.inCoverage ?? true);
  liveness.setMembers(awaitedMembers(keeper.state()), host.clock.monotonicMs());
  const catchUp = new CatchUp(keeper);
  const heartbeats = new Heartbeats(
    {
      host,
      peer,
      self: options.id,
      incarnation: () => identity.incarnation,
      topology,
      liveness,
      heardEpoch: (node, epoch) => catchUp.heard(node, epoch),
      lost: (node) => peer.abandon(node),
    },
    { intervalMs: timings.heartbeatMs, timeoutMs: timings.heartbeatMs * timings.missesMax },
  );
  opened = { topology, heartbeats };
  const proposer = new Proposer(host, keeper);
  const opening = { keeper, topology, liveness, catchUp, heartbeats, proposer };
  return { ...opening, ...makeChanges(ports, opening) };
}

/** What changes the cluster state, on request of a client or an operator. */
function makeChanges(
  { host, peer, store, options, timings, passwords }: NodePorts,
  parts: Pick<NodeParts, 'keeper' | 'topology' | 'heartbeats' | 'proposer'>,
): Pick<NodeParts, 'changes' | 'clusterChanges' | 'securityChanges' | 'joining'> {
  const self = findMember(options.initialState, options.id);
  assert(self !== undefined, 'a node is a member of its first state');
  return {
    changes: new PropertyChanges({ metrics: host.metrics, ...parts }, timings),
    clusterChanges: new ClusterChanges({ clock: host.clock, peer, ...parts }, timings),
    securityChanges: new SecurityChanges({ host, passwords, ...parts }, timings),
    joining: new Joining(
      { host, ...parts, joinPort: options.joinPort, isEmpty: () => holdsNothing(store) },
      { ...timings, self },
    ),
  };
}

function makeRepair(
  { host, store, peer, options, timings }: NodePorts,
  parts: Pick<NodeParts, 'topology' | 'replica' | 'proposer'>,
  found: FoundDisk,
): RepairRounds {
  const { topology, replica, proposer } = parts;
  return new RepairRounds(
    {
      host,
      replica,
      peer,
      store,
      self: options.id,
      view: topology,
      propose: async (change) => {
        await proposer.propose(change, timings.agreeTimeoutMs);
      },
      setFilled: (isFilled) => {
        topology.setFilled(isFilled);
      },
    },
    options.repair ?? {},
    found,
  );
}

type Coordinators = Pick<
  NodeParts,
  'gets' | 'puts' | 'deletes' | 'datatypes' | 'absorbs' | 'coverage' | 'makeMapRun'
>;

function makeCoordinators(
  nodePorts: NodePorts,
  parts: Pick<NodeParts, 'topology' | 'replica' | 'repair'>,
): Coordinators {
  const { topology, replica, repair: rounds } = parts;
  const { host, options, limits, timings } = nodePorts;
  const { peer } = nodePorts;
  const ports: CoordinatorPorts = {
    host,
    peer,
    self: options.id,
    underWay: (node) => peer.underWay(node),
    answerTimes: new AnswerTimes({
      initialMs: timings.spareDelayMs,
      minMs: timings.spareDelayMinMs,
      maxMs: timings.spareDelayMaxMs,
    }),
    requestTimeoutMs: timings.requestTimeoutMs,
    view: topology,
    lists: new ActiveLists(topology),
    hooks: options.commitHooks ?? NO_HOOKS,
    onTombstone: (key) => rounds.considerReap(key),
  };
  const repair = new ReadRepair(ports, {
    inFlightMax: limits.readRepairsMax,
    inFlightBytesMax: limits.readRepairBytesMax,
    timeoutMs: timings.readRepairTimeoutMs,
  });
  const gets = new GetCoordinator(ports, repair, {
    fullReadInterval: limits.fullReadInterval,
  });
  const puts = new PutCoordinator(ports, replica, gets);
  const deletes = new DeleteCoordinator(ports, gets, puts);
  const datatypes = new DatatypeCoordinator(ports, replica, gets);
  const absorbs = new AbsorbCoordinator(ports, replica, gets, limits);
  const makeMapRun = (run: MapRunOptions): MapRun => new MapRun(ports, run);
  const coverage = new CoverageCoordinator(ports);
  return { gets, puts, deletes, datatypes, absorbs, coverage, makeMapRun };
}
