/**
 * How a node that may have lost its record of promises gets its vote back.
 *
 * It asks the other members (`survey`). The voters among them who are sure of their own memory must be
 * so many that each majority it may have been part of has one of them: then whatever was, or may yet
 * be, chosen with its forgotten vote is known to one who answered, and it takes over the highest
 * promise and acceptance. Who regained its vote answers for the epoch that it asked about, and for no
 * other.
 *
 * With fewer it stays mute, for ever if need be: a majority has forgotten, any state may have been
 * chosen, and only an operator can say that it does not count (`recovery.ts`). So does a lone voter
 * among members that remember: what it chose before it lost its disk they need not have heard of.
 *
 * A cluster must begin, though, and may be restored as a whole. When all answer and nobody remembers
 * anything, nobody is left who could know more: they found it anew. Who does is `founding` until it
 * has seen all others vote, and contradicts no other founder till then; who meets a `free` one has
 * lost its disk later, and enough of the sure must tell it what it forgot.
 */

import type { NodeId } from '../base/names.ts';
import {
  isAsked,
  isBallotBelow,
  majorityOf,
  votersOf,
  type AgreementRecord,
  type AgreementReply,
  type Ballot,
} from './agreement.ts';
import { FIRST_EPOCH } from './initial-state.ts';

export type Surveyed = Extract<AgreementReply, { kind: 'surveyed' }>;

export type RecoveredVote = Pick<AgreementRecord, 'promised' | 'accepted' | 'vote'>;

export interface Survey {
  /** Of each of `surveyedBy`; undefined for who did not answer. */
  readonly replies: ReadonlyMap<NodeId, Surveyed | undefined>;
  /** Whether every round that may count on a forgotten promise had timed out before the survey. */
  readonly isPastOldRounds: boolean;
}

/** Whom `self` asks: the other voters, and those who may know what the voters have forgotten. */
export function surveyedBy({ state }: AgreementRecord, self: NodeId): NodeId[] {
  return state.members
    .filter(isAsked)
    .map(({ id }) => id)
    .filter((node) => node !== self);
}

/** How many of the other voters must be sure. */
export function sureNeeded({ state }: AgreementRecord): number {
  const voterCount = votersOf(state).length;
  return voterCount - majorityOf(voterCount) + 1;
}

/** How many of the other voters are sure of what they promised after the state of `record`. */
export function sureCount(record: AgreementRecord, { replies }: Survey): number {
  return answersOf(record, voterReplies(record, replies)).filter((reply) => isSure(record, reply))
    .length;
}

/** The vote of a node that is `unsure` or `founding` after a survey; undefined if it must ask again. */
export function recoverVote(record: AgreementRecord, survey: Survey): RecoveredVote | undefined {
  if (record.vote === 'founding') return voteOfFounder(record, survey);
  const { isPastOldRounds } = survey;
  if (sureCount(record, survey) >= sureNeeded(record)) {
    if (!isPastOldRounds) return undefined;
    const heard = highestOf(record, survey);
    // Each majority that could have chosen a state after this one has a member among those who are
    // sure, and none has accepted one: so this node has forgotten no vote of a later epoch either.
    return { ...heard, vote: heard.accepted === undefined ? 'free' : 'regained' };
  }
  if (!mayFound(record, survey)) return undefined;
  if (!isPastOldRounds && !isUntouched(record, survey)) return undefined;
  const isLast = sureCount(record, survey) === survey.replies.size;
  return { ...highestOf(record, survey), vote: isLast ? 'free' : 'founding' };
}

function voteOfFounder(record: AgreementRecord, { replies }: Survey): RecoveredVote | undefined {
  const { promised, accepted } = record;
  const doAllVote = voterReplies(record, replies).every(
    (reply) => (reply?.vote ?? 'unsure') !== 'unsure',
  );
  return doAllVote ? { promised, accepted, vote: 'free' } : undefined;
}

/** Whether nobody is left who could know more. */
function mayFound(record: AgreementRecord, { replies }: Survey): boolean {
  const answers = answersOf(record, [...replies.values()]);
  return (
    answers.length === replies.size &&
    answers.every(({ vote }) => vote === 'unsure' || vote === 'founding')
  );
}

/**
 * Whether no round is under way. In the first epoch all members vote: whoever may count on a
 * forgotten promise has been asked, and would have said that it has proposed.
 */
function isUntouched(record: AgreementRecord, { replies }: Survey): boolean {
  return (
    record.state.epoch === FIRST_EPOCH &&
    [...replies.values()].every(
      (reply) => reply !== undefined && reply.promised === undefined && !reply.hasProposed,
    )
  );
}

function voterReplies(
  { state }: AgreementRecord,
  replies: Survey['replies'],
): (Surveyed | undefined)[] {
  return votersOf(state)
    .filter((node) => replies.has(node))
    .map((node) => replies.get(node));
}

/** Those who know no newer state: from one who does, that is learnt first. */
function answersOf(
  { state }: AgreementRecord,
  replies: readonly (Surveyed | undefined)[],
): Surveyed[] {
  return replies.filter((reply) => reply !== undefined).filter(({ epoch }) => epoch <= state.epoch);
}

function isSure({ state }: AgreementRecord, { vote, epoch }: Surveyed): boolean {
  // What it may have forgotten of later epochs it finds out when it comes to them.
  if (vote === 'regained') return epoch === state.epoch;
  return vote !== 'unsure';
}

function highestOf(
  { state }: AgreementRecord,
  { replies }: Survey,
): Pick<RecoveredVote, 'promised' | 'accepted'> {
  let promised: Ballot | undefined;
  let accepted: AgreementRecord['accepted'];
  for (const reply of replies.values()) {
    if (reply?.epoch !== state.epoch) continue;
    if (isHigher(reply.promised, promised)) promised = reply.promised;
    if (isHigher(reply.accepted?.ballot, accepted?.ballot)) accepted = reply.accepted;
  }
  return { promised, accepted };
}

function isHigher(ballot: Ballot | undefined, than: Ballot | undefined): boolean {
  return ballot !== undefined && (than === undefined || isBallotBelow(than, ballot));
}
