/**
 * Joining: how a node is taken into a cluster, and how one learns that it has been put out.
 *
 * A node that is alone and holds nothing asks any member of the cluster. The member has the join
 * staged, agreed by the others, and answers with the state; the node gives up its own and acts on
 * that, without partitions until an operator commits. Two clusters' epochs never mix: a state is
 * taken over here, by a node that asked for it, or else only from one's own lineage. While a node asks it
 * takes nobody in, and while it takes somebody in it does not ask.
 *
 * Asking again is safe: a member that lost its disk, or missed the answer, gets the state once more.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import { FIRST_EPOCH } from '../membership/initial-state.ts';
import type { Proposer } from '../membership/proposer.ts';
import { findMember, stageJoin, type Newcomer } from '../membership/staging.ts';
import { decodeState, encodeState } from '../membership/state-document.ts';
import type { StateKeeper } from '../membership/state-keeper.ts';
import {
  isNodeName,
  joinRefused,
  type JoinAddress,
  type JoinHandler,
  type JoinPort,
  type JoinPurpose,
  type JoinReply,
  type JoinRequest,
} from '../peer/join.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Topology } from './topology.ts';

export type JoinOutcome =
  | { readonly kind: 'joined' }
  /** This node has other members or data, is asked to join itself, or cannot call anyone. */
  | { readonly kind: 'not-able'; readonly reason: 'not-alone' | 'not-empty' | 'itself' | 'no-port' }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'unreachable'; readonly text: string };

export interface JoiningPorts {
  readonly host: Host;
  readonly keeper: StateKeeper;
  readonly proposer: Proposer;
  readonly heartbeats: Heartbeats;
  readonly topology: Topology;
  readonly joinPort: JoinPort | undefined;
  /** Whether this node has no copy of anything. */
  readonly isEmpty: () => Promise<boolean>;
}

export interface JoiningOptions {
  /** This node as its configuration has it. */
  readonly self: Newcomer;
  readonly agreeTimeoutMs: number;
  readonly spreadTimeoutMs: number;
}

/** A node called a stranger asks at most so often what has become of it. */
const INQUIRY_INTERVAL_MS = 1_000;

export class Joining implements JoinHandler {
  readonly #ports: JoiningPorts;
  readonly #options: JoiningOptions;
  #inquiredAtMs = Number.NEGATIVE_INFINITY;
  #isJoining = false;
  #givenBack: (move: () => Promise<void>) => Promise<void> = (move) => move();
  /** Nodes that are being taken in here. */
  #takingIn = 0;

  constructor(ports: JoiningPorts, options: JoiningOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** What is done when this node gets back a place that it had, and with it what it has lost; `move` takes it. */
  onGivenBack(around: (move: () => Promise<void>) => Promise<void>): void {
    this.#givenBack = around;
  }

  /** Has this node taken into the cluster of the node at `address`. */
  async join(address: JoinAddress): Promise<JoinOutcome> {
    const { keeper, isEmpty, joinPort } = this.#ports;
    const { self, agreeTimeoutMs } = this.#options;
    if (joinPort === undefined) return { kind: 'not-able', reason: 'no-port' };
    if (address.host === self.host && address.port === self.peerPort) {
      return { kind: 'not-able', reason: 'itself' };
    }
    if (this.#isJoining) return { kind: 'refused', text: 'a join is under way already' };
    if (!this.#isAlone()) return { kind: 'not-able', reason: 'not-alone' };
    this.#isJoining = true;
    try {
      if (!(await isEmpty())) return { kind: 'not-able', reason: 'not-empty' };
      const reply = await joinPort.askToJoin(address, this.#request('join'), 2 * agreeTimeoutMs);
      if (reply.kind === 'refused') return { kind: 'refused', text: reply.text };
      const state = decodeState(reply.document);
      if (findMember(state, self.id) === undefined) {
        return { kind: 'refused', text: 'the state that came back does not name this node' };
      }
      const move = () => keeper.moveTo(state, reply.isNew);
      await (reply.isNew ? move() : this.#givenBack(move));
      return { kind: 'joined' };
    } catch (error) {
      if (!isFault(error)) throw error;
      return { kind: 'unreachable', text: error.message };
    } finally {
      this.#isJoining = false;
    }
  }

  async admit(request: JoinRequest): Promise<JoinReply> {
    const state = this.#ports.topology.state();
    if (request.clusterName !== state.clusterName) {
      const text = `this is cluster ${state.clusterName}, not ${request.clusterName}`;
      return joinRefused('other-cluster', text);
    }
    if (request.purpose === 'inquire') {
      if (!state.lineages.some(({ id }) => id === request.lineage)) {
        return joinRefused('other-lineage', 'the node was never part of this cluster');
      }
      return { kind: 'welcome', document: encodeState(state), isNew: false };
    }
    const refusal = this.#refusalOf(request, state);
    if (refusal !== undefined) return refusal;
    this.#takingIn += 1;
    try {
      return await this.#takeIn(request.newcomer);
    } finally {
      this.#takingIn -= 1;
    }
  }

  /** `node` says that this one is no member: what has become of it is asked there. */
  async calledStranger(node: NodeId): Promise<void> {
    const { host, topology, keeper, joinPort } = this.#ports;
    const nowMs = host.clock.monotonicMs();
    const member = findMember(topology.state(), node);
    if (member === undefined || joinPort === undefined) return;
    if (nowMs - this.#inquiredAtMs < INQUIRY_INTERVAL_MS) return;
    this.#inquiredAtMs = nowMs;
    host.metrics.count('membership.inquiries');
    try {
      const address = { host: member.host, port: member.peerPort };
      const request = this.#request('inquire');
      const reply = await joinPort.askToJoin(address, request, this.#options.agreeTimeoutMs);
      if (reply.kind === 'welcome') await keeper.learn(decodeState(reply.document));
    } catch (error) {
      if (!isFault(error)) throw error;
      host.log.debug('membership.inquiry_failed', { peer: node, code: error.code });
    }
  }

  /** Whether nobody counts on this node: it has no others, was removed, or never met those it has. */
  #isAlone(): boolean {
    if (this.#takingIn > 0) return false;
    const { topology, keeper } = this.#ports;
    const { members, epoch } = topology.state();
    const isMember = members.some(({ id }) => id === this.#options.self.id);
    if (!isMember || members.length === 1) return true;
    return epoch === FIRST_EPOCH && keeper.vote() === 'unsure';
  }

  #request(purpose: JoinPurpose): JoinRequest {
    const { clusterName, lineages, ringSize } = this.#ports.topology.state();
    const lineage = lineages[0]?.id ?? '';
    return { purpose, clusterName, lineage, ringSize, newcomer: this.#options.self };
  }

  #refusalOf(request: JoinRequest, state: ClusterState): JoinReply | undefined {
    const { newcomer, ringSize } = request;
    if (this.#isJoining) {
      // Who was taken in now would be left behind in a cluster that nobody else is in.
      const text = `${this.#options.self.id} is about to join another cluster: try again`;
      return joinRefused('not-ready', text);
    }
    if (ringSize !== state.ringSize) {
      const text = `the ring has ${state.ringSize} partitions here, ${ringSize} at ${newcomer.id}`;
      return joinRefused('other-ring-size', text);
    }
    if (findMember(state, this.#options.self.id) === undefined) {
      return joinRefused('not-ready', `${this.#options.self.id} is no member itself`);
    }
    if (!isNodeName(newcomer.id)) return joinRefused('same-name', 'its name is no node name');
    const known = findMember(state, newcomer.id);
    if (known === undefined) return undefined;
    if (known.status === 'exiting' || known.status === 'invalid') {
      return joinRefused('same-name', `${newcomer.id} is still being removed`);
    }
    const isSame = known.host === newcomer.host && known.peerPort === newcomer.peerPort;
    const text = `there is a ${newcomer.id} at ${known.host}:${known.peerPort}`;
    return isSame ? undefined : joinRefused('same-name', text);
  }

  async #takeIn(newcomer: Newcomer): Promise<JoinReply> {
    const { proposer, heartbeats, topology } = this.#ports;
    const { agreeTimeoutMs, spreadTimeoutMs } = this.#options;
    const make = (state: ClusterState) => stageJoin(state, newcomer);
    const outcome = await proposer.propose(make, agreeTimeoutMs);
    if (outcome.kind === 'timeout') {
      return joinRefused('no-majority', 'no majority of the members agreed in time');
    }
    if (outcome.kind === 'not-staged') {
      return joinRefused('no-room', 'the cluster has as many members as it can');
    }
    if (outcome.kind === 'changed') await heartbeats.spread(outcome.state.epoch, spreadTimeoutMs);
    const isNew = outcome.kind === 'changed';
    return { kind: 'welcome', document: encodeState(topology.state()), isNew };
  }
}
