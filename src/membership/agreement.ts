/**
 * The epoch agreement: which state is epoch e+1, decided by the voters of epoch e.
 *
 * Single-decree Paxos for each epoch. The invariant: at most one state is ever chosen for an epoch,
 * because any two majorities share a voter, a voter keeps its promises, and a proposer adopts what
 * it hears was accepted. Nothing here waits, sends or saves: a request goes in, the reply and the
 * record that must be durable *before the reply leaves* come out.
 *
 * A record that was lost takes its promises with it, so a node that finds none is `unsure`: it may
 * propose but does not vote until others have told it what it could have forgotten
 * (`vote-recovery.ts`). It then takes over the highest promise and acceptance it heard of: refusing
 * more than it promised is always safe, and so is reporting what was really proposed; only an
 * acceptance it never gave would count. If one was accepted it may have been chosen, and this node may
 * have voted on the epoch behind it too: with the same voters it would have heard of that vote as
 * well; if they change, it asks again.
 *
 * This holds for as long as fewer forget at once than would leave no majority with a memory. Where a
 * majority has forgotten, no protocol can know what it chose: nobody votes until an operator decides.
 *
 * Source: Lamport 2001, "Paxos Made Simple".
 */

import type { Epoch, NodeId } from '../base/names.ts';
import type { ClusterState, Member } from './cluster-state.ts';
import { descent, succeeds } from './lineage.ts';
import { hashState } from './state-document.ts';

/** Totally ordered and never used twice: `life` differs for each record a node has begun. */
export interface Ballot {
  readonly round: number;
  readonly node: NodeId;
  readonly life: number;
}

/**
 * `unsure`: it may have voted and lost the record. `founding`: it votes, for nobody was left who could
 * know more, and has not seen yet that all others do. `regained`: it has asked those who vote with it
 * what it could have forgotten, and may have forgotten votes of the epoch that they were about to
 * choose; if others are to vote with it then, it must ask them too. `free`: it has forgotten nothing
 * that counts.
 */
export type Vote = 'free' | 'founding' | 'regained' | 'unsure';

export interface AcceptedState {
  readonly ballot: Ballot;
  readonly state: ClusterState;
}

/** What a node must not forget. The promises are for the epoch after `state`'s. */
export interface AgreementRecord {
  /** The newest state known to be chosen. */
  readonly state: ClusterState;
  readonly promised: Ballot | undefined;
  readonly accepted: AcceptedState | undefined;
  /** The highest round this node has begun itself. */
  readonly round: number;
  /** Drawn when the record was begun. */
  readonly life: number;
  readonly vote: Vote;
}

export type AgreementRequest =
  | {
      readonly kind: 'prepare';
      readonly epoch: Epoch;
      /** The hash of the state before. */
      readonly parent: Buffer;
      readonly ballot: Ballot;
    }
  | { readonly kind: 'accept'; readonly ballot: Ballot; readonly state: ClusterState }
  /** This state is chosen. */
  | { readonly kind: 'learn'; readonly state: ClusterState }
  /** What could I have forgotten? */
  | { readonly kind: 'survey' };

export type AgreementReply =
  | { readonly kind: 'promised'; readonly accepted: AcceptedState | undefined }
  | { readonly kind: 'accepted' }
  /** A higher ballot has the promise. */
  | { readonly kind: 'refused'; readonly promised: Ballot }
  /** The asker is behind: `epoch` is known here. */
  | { readonly kind: 'behind'; readonly epoch: Epoch }
  /** The answerer is behind: it knows no more than `epoch`. */
  | { readonly kind: 'lagging'; readonly epoch: Epoch }
  | { readonly kind: 'abstained' }
  /** Asker and answerer hold different states of one epoch. */
  | { readonly kind: 'diverged'; readonly epoch: Epoch }
  | { readonly kind: 'learnt'; readonly epoch: Epoch }
  | {
      readonly kind: 'surveyed';
      readonly epoch: Epoch;
      /** For the epoch after. */
      readonly promised: Ballot | undefined;
      readonly accepted: AcceptedState | undefined;
      /** Whether it has ever begun a round itself. */
      readonly hasProposed: boolean;
      readonly vote: Vote;
    };

export interface Answer {
  /** The very record that was given if nothing is to be saved. */
  readonly record: AgreementRecord;
  readonly reply: AgreementReply;
}

/** Those whose majority decides the epoch after `state`. */
export function votersOf(state: ClusterState): NodeId[] {
  return state.members
    .filter(({ status }) => status === 'valid' || status === 'leaving')
    .map(({ id }) => id);
}

/** Whether a member has nobody to ask what it could have forgotten. */
export function isAlone(state: ClusterState): boolean {
  return state.members.filter(isAsked).length === 1;
}

/** Who is removed by force is gone and is not waited for. */
export function isAsked({ status }: Member): boolean {
  return status !== 'invalid';
}

export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

export function isBallotBelow(left: Ballot, right: Ballot): boolean {
  if (left.round !== right.round) return left.round < right.round;
  if (left.node !== right.node) return left.node < right.node;
  return left.life < right.life;
}

/** A voter's answer to one request. */
export function answer(record: AgreementRecord, request: AgreementRequest): Answer {
  switch (request.kind) {
    case 'prepare':
      return answerPrepare(record, request);
    case 'accept':
      return answerAccept(record, request.ballot, request.state);
    case 'learn':
      return answerLearn(record, request.state);
    case 'survey': {
      const { promised, accepted, round, vote, state } = record;
      const hasProposed = round > 0;
      return {
        record,
        reply: { kind: 'surveyed', epoch: state.epoch, promised, accepted, hasProposed, vote },
      };
    }
  }
}

/** The record of a node that acts on `state`, a chosen one, from now on. */
export function adopt(record: AgreementRecord, state: ClusterState): AgreementRecord {
  if (state.epoch <= record.state.epoch) return record;
  return {
    ...record,
    state,
    promised: undefined,
    accepted: undefined,
    vote: voteAfter(record, state),
  };
}

/** What a node's vote is worth once it acts on `next`. */
function voteAfter(record: AgreementRecord, next: ClusterState): Vote {
  const { state, accepted, vote } = record;
  // As the only voter this node must have accepted whatever was decided. If it does not remember that, its
  // store was lost and it took itself for a new node; it may have forgotten other votes as well.
  if (isAlone(state) && (accepted === undefined || descent(next, accepted.state) !== 'yes')) {
    return 'unsure';
  }
  if (vote !== 'regained') return vote;
  // Those who were asked meet each majority of the same voters, so they told of its later votes too.
  return isSameElectorate(state, next) ? 'free' : 'unsure';
}

/** The next ballot of `node`, above `seen`, and the record that remembers it. */
export function nextBallot(
  record: AgreementRecord,
  node: NodeId,
  seen: Ballot | undefined,
): { readonly record: AgreementRecord; readonly ballot: Ballot } {
  const round = Math.max(record.round, record.promised?.round ?? 0, seen?.round ?? 0) + 1;
  return { record: { ...record, round }, ballot: { round, node, life: record.life } };
}

function answerPrepare(
  record: AgreementRecord,
  request: Extract<AgreementRequest, { kind: 'prepare' }>,
): Answer {
  const { epoch, parent, ballot } = request;
  const misplaced = misplacedReply(record, epoch);
  if (misplaced !== undefined) return { record, reply: misplaced };
  if (!parent.equals(hashState(record.state))) {
    return { record, reply: { kind: 'diverged', epoch: record.state.epoch } };
  }
  if (record.vote === 'unsure') return { record, reply: { kind: 'abstained' } };
  if (record.promised !== undefined && isBallotBelow(ballot, record.promised)) {
    return { record, reply: { kind: 'refused', promised: record.promised } };
  }
  return {
    record: { ...record, promised: ballot },
    reply: { kind: 'promised', accepted: record.accepted },
  };
}

function answerAccept(record: AgreementRecord, ballot: Ballot, state: ClusterState): Answer {
  const misplaced = misplacedReply(record, state.epoch);
  if (misplaced !== undefined) return { record, reply: misplaced };
  if (!succeeds(state, record.state)) {
    return { record, reply: { kind: 'diverged', epoch: record.state.epoch } };
  }
  if (record.vote === 'unsure') return { record, reply: { kind: 'abstained' } };
  if (record.promised !== undefined && isBallotBelow(ballot, record.promised)) {
    return { record, reply: { kind: 'refused', promised: record.promised } };
  }
  return {
    record: { ...record, promised: ballot, accepted: { ballot, state } },
    reply: { kind: 'accepted' },
  };
}

function answerLearn(record: AgreementRecord, state: ClusterState): Answer {
  const isKin = state.epoch < record.state.epoch || descent(state, record.state) !== 'no';
  if (!isKin || state.clusterName !== record.state.clusterName) {
    return { record, reply: { kind: 'diverged', epoch: record.state.epoch } };
  }
  const next = adopt(record, state);
  return { record: next, reply: { kind: 'learnt', epoch: next.state.epoch } };
}

function isSameElectorate(left: ClusterState, right: ClusterState): boolean {
  const [leftVoters, rightVoters] = [votersOf(left), votersOf(right)];
  return (
    leftVoters.length === rightVoters.length &&
    leftVoters.every((voter, index) => voter === rightVoters[index])
  );
}

/** The answer to a request about another epoch than the one that is next here. */
function misplacedReply(record: AgreementRecord, epoch: Epoch): AgreementReply | undefined {
  const known = record.state.epoch;
  if (epoch <= known) return { kind: 'behind', epoch: known };
  if (epoch > known + 1) return { kind: 'lagging', epoch: known };
  return undefined;
}
