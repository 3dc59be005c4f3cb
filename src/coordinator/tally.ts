/**
 * The tally: when is it enough, and when can it not be enough any more.
 *
 * Pure counting over *positions* of the preference list: one reply of a node counts for each of its
 * positions. A tally is told each reply once and answers with the verdict as soon as it is certain;
 * after that the verdict stays, whatever still comes in. It sends nothing and waits for nothing.
 *
 * On this store an acknowledgement means durable, so each counts for w and dw at once.
 *
 * Source: DeCandia et al. 2007, "Dynamo", section 4.5; which failure is told when several apply
 * follows Riak, because clients see it.
 */

import { assert } from '../base/fault.ts';
import type { Failure, QuorumName } from '../object/requests.ts';
import type { Participant } from './participants.ts';
import { reachOf, type ReadRequirement, type WriteRequirement } from './requirement.ts';

/** Why a replica did not do what it was asked. */
export type ReplicaFailure = 'failed' | 'overloaded' | 'timed-out';

/** What a replica said to a read. */
export type ReadReply = 'object' | 'tombstone' | 'absent' | ReplicaFailure;

export type ReadVerdict =
  | { readonly kind: 'pending' }
  | { readonly kind: 'met' }
  | { readonly kind: 'not-found' }
  | Failure;

export type WriteVerdict = { readonly kind: 'pending' } | { readonly kind: 'met' } | Failure;

const PENDING = { kind: 'pending' } as const;
const MET = { kind: 'met' } as const;
const NOT_FOUND = { kind: 'not-found' } as const;

/** Positions, primaries and distinct nodes: those that said yes, and those that still may. */
class Count {
  ok = 0;
  okPrimaries = 0;
  okNodes = 0;
  pending: number;
  pendingPrimaries: number;
  pendingNodes: number;
  hasOverload = false;
  hasTimeout = false;

  constructor(participants: readonly Participant[]) {
    const reach = reachOf(participants);
    this.pending = reach.positions;
    this.pendingPrimaries = reach.primaries;
    this.pendingNodes = reach.nodes;
  }

  accept(participant: Participant): void {
    this.#settle(participant);
    this.ok += participant.positionCount;
    this.okPrimaries += participant.primaryCount;
    this.okNodes += 1;
  }

  refuse(participant: Participant, reason: ReplicaFailure | 'absent'): void {
    this.#settle(participant);
    if (reason === 'overloaded') this.hasOverload = true;
    if (reason === 'timed-out') this.hasTimeout = true;
  }

  /** `standIn` is waited for in place of `failed`. */
  replace(failed: Participant, standIn: Participant): void {
    this.pending += standIn.positionCount - failed.positionCount;
    this.pendingPrimaries += standIn.primaryCount - failed.primaryCount;
    assert(this.pendingPrimaries >= 0, 'a stand-in replaces one that is pending');
  }

  /** Whether `positions` and `nodes` are out of reach without the pending `participant`. */
  needs(participant: Participant, positions: number, nodes: number): boolean {
    return (
      this.reachable() - participant.positionCount < positions || this.reachableNodes() - 1 < nodes
    );
  }

  reachable(): number {
    return this.ok + this.pending;
  }

  reachablePrimaries(): number {
    return this.okPrimaries + this.pendingPrimaries;
  }

  reachableNodes(): number {
    return this.okNodes + this.pendingNodes;
  }

  #settle(participant: Participant): void {
    this.pending -= participant.positionCount;
    this.pendingPrimaries -= participant.primaryCount;
    this.pendingNodes -= 1;
    assert(this.pendingNodes >= 0, 'a participant replies once');
  }
}

function unsatisfied(quorum: QuorumName, needed: number, got: number): Failure {
  return { kind: 'unsatisfied', quorum, needed, got };
}

export class ReadTally {
  readonly #required: ReadRequirement;
  readonly #count: Count;
  #verdict: ReadVerdict = PENDING;
  /** Positions that said "no copy" where that does not count as an answer. */
  #absent = 0;
  #failed = 0;
  /** Something other than "no copy" or a tombstone came in. */
  #hasObject = false;
  /** A copy, or a primary's word that it has none. */
  #hasEvidence = false;

  constructor(required: ReadRequirement, participants: readonly Participant[]) {
    this.#required = required;
    this.#count = new Count(participants);
  }

  get verdict(): ReadVerdict {
    return this.#verdict;
  }

  reply(participant: Participant, reply: ReadReply): ReadVerdict {
    switch (reply) {
      case 'object':
      case 'tombstone':
        this.#count.accept(participant);
        this.#hasEvidence = true;
        if (reply === 'object') this.#hasObject = true;
        break;
      case 'absent':
        if (this.#required.notFoundOk) this.#count.accept(participant);
        else {
          this.#count.refuse(participant, reply);
          this.#absent += participant.positionCount;
        }
        if (participant.primaryCount > 0) this.#hasEvidence = true;
        break;
      case 'failed':
      case 'overloaded':
      case 'timed-out':
        this.#count.refuse(participant, reply);
        this.#failed += participant.positionCount;
        break;
    }
    return this.#decide();
  }

  /** Whether a stand-in for `participant` could still save what is lost without it. */
  needs(participant: Participant): boolean {
    const { r, nodeConfirms } = this.#required;
    return (
      this.#verdict === PENDING && this.#count.needs(participant, Math.max(1, r), nodeConfirms)
    );
  }

  /** `standIn` was asked in place of `failed`, whose reply does not count. */
  replace(failed: Participant, standIn: Participant): ReadVerdict {
    this.#count.replace(failed, standIn);
    return this.#decide();
  }

  #decide(): ReadVerdict {
    if (this.#verdict !== PENDING) return this.#verdict;
    const { r, pr, nodeConfirms } = this.#required;
    const count = this.#count;
    const isMet =
      count.ok >= Math.max(1, r) && count.okPrimaries >= pr && count.okNodes >= nodeConfirms;
    if (isMet) {
      // Stand-ins that hold nothing do not prove that there is nothing while a primary may answer.
      if (this.#hasEvidence || count.pendingPrimaries === 0) this.#verdict = MET;
    } else if (this.#isHopeless()) this.#verdict = this.#failure();
    return this.#verdict;
  }

  #isHopeless(): boolean {
    const { n, r, pr, nodeConfirms, basicQuorum } = this.#required;
    const count = this.#count;
    const majority = Math.floor(n / 2) + 1;
    return (
      count.reachable() < Math.max(1, r, pr) ||
      count.reachablePrimaries() < pr ||
      count.reachableNodes() < nodeConfirms ||
      (basicQuorum && this.#absent + this.#failed >= majority)
    );
  }

  #failure(): Failure | typeof NOT_FOUND {
    const { r, pr, nodeConfirms } = this.#required;
    const { ok, okPrimaries, okNodes, hasOverload, hasTimeout } = this.#count;
    if (hasOverload) return { kind: 'overload' };
    if (this.#failed === 0 && !this.#hasObject) return NOT_FOUND;
    if (hasTimeout) return { kind: 'timeout' };
    const needed = Math.max(1, r);
    if (okPrimaries < pr && (ok >= needed || pr >= needed)) {
      return unsatisfied('pr', pr, okPrimaries);
    }
    if (ok < needed) return unsatisfied('r', needed, ok);
    return unsatisfied('node_confirms', nodeConfirms, okNodes);
  }
}

export class WriteTally {
  readonly #required: WriteRequirement;
  readonly #count: Count;
  readonly #confirmed: Participant[] = [];
  #verdict: WriteVerdict = PENDING;

  constructor(required: WriteRequirement, participants: readonly Participant[]) {
    this.#required = required;
    this.#count = new Count(participants);
  }

  get verdict(): WriteVerdict {
    return this.#verdict;
  }

  /** The write is durable at `participant`. */
  acknowledge(participant: Participant): WriteVerdict {
    this.#count.accept(participant);
    this.#confirmed.push(participant);
    this.#count.okNodes = this.#confirmed.filter((each) => !this.#mayHaveGivenAway(each)).length;
    return this.#decide();
  }

  /** A stand-in keeps its copy until those that it is owed to hold it: then theirs may be all there is. */
  #mayHaveGivenAway({ primaryCount, hintTargets }: Participant): boolean {
    if (primaryCount > 0 || hintTargets.length === 0) return false;
    return hintTargets.every((target) => this.#confirmed.some(({ node }) => node === target));
  }

  fail(participant: Participant, reason: ReplicaFailure): WriteVerdict {
    this.#count.refuse(participant, reason);
    return this.#decide();
  }

  /** Whether a stand-in for `participant` could still save what is lost without it. */
  needs(participant: Participant): boolean {
    const { w, dw, nodeConfirms } = this.#required;
    const positions = Math.max(w, dw);
    return this.#verdict === PENDING && this.#count.needs(participant, positions, nodeConfirms);
  }

  /** `standIn` is sent the write in place of `failed`, whose answer does not count. */
  replace(failed: Participant, standIn: Participant): WriteVerdict {
    this.#count.replace(failed, standIn);
    return this.#decide();
  }

  #decide(): WriteVerdict {
    if (this.#verdict !== PENDING) return this.#verdict;
    const { w, dw, pw, nodeConfirms } = this.#required;
    const count = this.#count;
    if (count.ok >= Math.max(w, dw) && count.okPrimaries >= pw && count.okNodes >= nodeConfirms) {
      this.#verdict = MET;
    } else if (
      count.reachable() < Math.max(w, dw) ||
      count.reachablePrimaries() < pw ||
      count.reachableNodes() < nodeConfirms
    ) {
      this.#verdict = this.#failure();
    }
    return this.#verdict;
  }

  #failure(): Failure {
    const { w, dw, pw, nodeConfirms } = this.#required;
    const count = this.#count;
    const { ok, okPrimaries, okNodes } = count;
    if (count.hasOverload) return { kind: 'overload' };
    if (count.hasTimeout) return { kind: 'timeout' };
    const isStored = ok >= w && ok >= dw;
    const needsPrimaries = count.reachablePrimaries() < pw;
    const needsNodes = count.reachableNodes() < nodeConfirms;
    if (needsPrimaries && (isStored || pw >= dw)) return unsatisfied('pw', pw, okPrimaries);
    if (needsNodes && (isStored || nodeConfirms >= dw)) {
      return unsatisfied('node_confirms', nodeConfirms, okNodes);
    }
    if (count.reachable() < dw) return unsatisfied('dw', dw, ok);
    if (count.reachable() < w) return unsatisfied('w', w, ok);
    if (needsPrimaries) return unsatisfied('pw', pw, okPrimaries);
    return unsatisfied('node_confirms', nodeConfirms, okNodes);
  }
}
