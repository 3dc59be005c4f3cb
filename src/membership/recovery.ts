/**
 * Recovery: the cluster goes on with its survivors when those who are gone for good were a majority.
 *
 * Gone is also who has lost its disk when too many others have, too, to tell it what it had promised
 * (`vote-recovery.ts`). No agreement is possible then, so an operator decides, once, on the disk of
 * one survivor that is stopped. The state that comes out begins a new lineage a long way ahead of the
 * old epochs; whoever still is in the old one follows when it hears of it, and if the lost come back
 * they are strangers.
 *
 * What that risks: changes that only the lost had agreed on are undone, and data of which only they
 * held copies is gone, acknowledged or not. If they are alive after all and still serve clients, the
 * cluster is split until they hear of the new lineage.
 */

import type { Epoch, NodeId } from '../base/names.ts';
import { runAtOnce } from '../base/sliced.ts';
import { majorityOf, votersOf, type AgreementRecord } from './agreement.ts';
import type { ClusterState, Member } from './cluster-state.ts';
import { commitPlan, type PlanRefusal } from './plan.ts';
import { closeStep } from './ring-steps.ts';
import { findMember } from './staging.ts';
import { LINEAGES_MAX } from './state-document.ts';

export interface RecoveryRequest {
  readonly survivors: readonly NodeId[];
  /** 32 hex digits, random. */
  readonly lineage: string;
}

export type RecoveryOutcome =
  | {
      readonly kind: 'recovered';
      readonly record: AgreementRecord;
      readonly lost: readonly NodeId[];
    }
  | { readonly kind: 'not-member'; readonly node: NodeId }
  /** The survivors can agree: nothing has to be forced. */
  | { readonly kind: 'majority-survives'; readonly votes: number; readonly voters: number }
  | { readonly kind: 'not-planned'; readonly reason: PlanRefusal };

/** Epochs that the lost may have agreed on without the survivors knowing, at most. */
const EPOCH_LEAP = 1_000;

/** The record with which one survivor begins the new lineage. */
export function recover(record: AgreementRecord, request: RecoveryRequest): RecoveryOutcome {
  // What was voted on may have been agreed by those who are gone.
  const newest = record.accepted?.state ?? record.state;
  const { survivors } = request;
  const stranger = survivors.find((node) => findMember(newest, node) === undefined);
  if (stranger !== undefined) return { kind: 'not-member', node: stranger };
  const voters = votersOf(newest);
  const surviving = voters.filter((node) => survivors.includes(node)).length;
  // Whose own vote is lost with its memory, this one's, is no vote that survives.
  const votes = surviving - (record.vote === 'unsure' && surviving > 0 ? 1 : 0);
  if (votes >= majorityOf(voters.length)) {
    return { kind: 'majority-survives', votes, voters: voters.length };
  }
  const lost = newest.members.map(({ id }) => id).filter((id) => !survivors.includes(id));
  const outcome = runAtOnce(commitPlan(withoutLost(newest, lost, request.lineage), undefined));
  if (outcome.kind === 'not-planned') return outcome;
  const { state } = outcome;
  // Who was about to join is a member already: it cannot ask again, and waits for the next plan.
  const staged = state.members
    .filter(({ status }) => status === 'joining')
    .map(({ id: node }) => ({ kind: 'join', node }) as const);
  return {
    kind: 'recovered',
    lost,
    record: {
      ...record,
      state: { ...state, staged },
      promised: undefined,
      accepted: undefined,
      // Nobody has voted in a lineage that has just begun.
      vote: 'free',
    },
  };
}

/** The base of the new lineage: the lost are staged to be removed, and nothing else. */
function withoutLost(newest: ClusterState, lost: readonly NodeId[], lineage: string): ClusterState {
  const epoch = (newest.epoch + EPOCH_LEAP) as Epoch;
  const closed = newest.step && closeStep(newest, { since: newest.step.since });
  const settled = closed?.kind === 'changed' ? closed.state : newest;
  const surviving = settled.members.filter(({ id }) => !lost.includes(id));
  const isAnyStaying = surviving.some(({ status }) => status === 'valid' || status === 'down');
  const members = settled.members.map((member): Member => {
    // Those who were about to leave stay if nobody else is left to give anything to.
    const stays = member.status === 'down' || (member.status === 'leaving' && !isAnyStaying);
    return stays && surviving.includes(member) ? { ...member, status: 'valid' } : member;
  });
  return {
    ...settled,
    epoch,
    ancestors: [],
    lineages: [{ id: lineage, since: epoch }, ...newest.lineages].slice(0, LINEAGES_MAX),
    members,
    staged: lost
      .filter((node) => findMember(settled, node) !== undefined)
      .map((node) => ({ kind: 'force-remove', node })),
  };
}
