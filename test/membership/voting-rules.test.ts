/** One voter and one round, step by step: what is promised, accepted, refused and chosen. */

import t from 'tap';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import {
  adopt,
  answer,
  isBallotBelow,
  nextBallot,
  votersOf,
  type AgreementRecord,
  type Ballot,
} from '../../src/membership/agreement.ts';
import { BallotRound } from '../../src/membership/ballot-round.ts';
import type { ClusterState, MemberStatus } from '../../src/membership/cluster-state.ts';
import { successorOf } from '../../src/membership/lineage.ts';
import { hashState } from '../../src/membership/state-document.ts';
import { nodeOf, stateOf } from './states.ts';

const BASE = stateOf(3, 8);
const [A, B, C] = [nodeOf(0), nodeOf(1), nodeOf(2)];
const X = successorOf(BASE, { defaultProperties: { n_val: 1 } });
const Y = successorOf(BASE, { defaultProperties: { n_val: 2 } });

function ballot(round: number, node: NodeId = A, life = 1): Ballot {
  return { round, node, life };
}

function recordOf(changes: Partial<AgreementRecord> = {}): AgreementRecord {
  return {
    state: BASE,
    promised: undefined,
    accepted: undefined,
    round: 0,
    life: 1,
    vote: 'free',
    ...changes,
  };
}

function prepare(record: AgreementRecord, by: Ballot, epoch = 2, parent = hashState(BASE)) {
  return answer(record, { kind: 'prepare', epoch: epoch as Epoch, parent, ballot: by });
}

function accept(record: AgreementRecord, by: Ballot, state: ClusterState) {
  return answer(record, { kind: 'accept', ballot: by, state });
}

t.test('ballots are ordered by round, then node, then life', (t) => {
  t.ok(isBallotBelow(ballot(1, C), ballot(2, A)));
  t.ok(isBallotBelow(ballot(1, A), ballot(1, B)));
  t.ok(isBallotBelow(ballot(1, A, 1), ballot(1, A, 2)));
  t.notOk(isBallotBelow(ballot(1), ballot(1)));
  t.end();
});

t.test('a voter keeps its promise', (t) => {
  const promised = prepare(recordOf(), ballot(2)).record;
  t.same(promised.promised, ballot(2));
  t.same(prepare(promised, ballot(1)).reply, { kind: 'refused', promised: ballot(2) });
  t.same(accept(promised, ballot(1), X).reply, { kind: 'refused', promised: ballot(2) });
  t.equal(accept(promised, ballot(1), X).record, promised, 'and has nothing to save');
  t.same(prepare(promised, ballot(2)).reply, { kind: 'promised', accepted: undefined });
  t.same(accept(promised, ballot(2), X).reply, { kind: 'accepted' });
  t.end();
});

t.test('a voter tells what it has accepted, and accepting is promising', (t) => {
  const accepted = accept(recordOf(), ballot(5), X).record;
  t.same(prepare(accepted, ballot(4)).reply, { kind: 'refused', promised: ballot(5) });
  const reply = prepare(accepted, ballot(6)).reply;
  t.same(reply, { kind: 'promised', accepted: { ballot: ballot(5), state: X } });
  t.end();
});

t.test('other epochs and other histories are not voted on', (t) => {
  const record = recordOf();
  t.same(prepare(record, ballot(1), 1).reply, { kind: 'behind', epoch: 1 });
  t.same(prepare(record, ballot(1), 3).reply, { kind: 'lagging', epoch: 1 });
  const stranger = hashState(stateOf(4, 8));
  t.same(prepare(record, ballot(1), 2, stranger).reply, { kind: 'diverged', epoch: 1 });
  t.same(accept(record, ballot(1), BASE).reply, { kind: 'behind', epoch: 1 });
  const foreign = successorOf(stateOf(4, 8), {});
  t.same(accept(record, ballot(1), foreign).reply, { kind: 'diverged', epoch: 1 });
  t.same(answer(record, { kind: 'learn', state: foreign }).reply, { kind: 'diverged', epoch: 1 });
  t.same(answer(record, { kind: 'learn', state: stateOf(4, 8) }).reply.kind, 'diverged');
  t.end();
});

t.test('who is unsure does not vote, but learns and can be asked', (t) => {
  const record = recordOf({ vote: 'unsure' });
  t.same(prepare(record, ballot(1)).reply, { kind: 'abstained' });
  t.same(accept(record, ballot(1), X).reply, { kind: 'abstained' });
  t.same(answer(record, { kind: 'survey' }).reply, {
    kind: 'surveyed',
    epoch: 1,
    promised: undefined,
    accepted: undefined,
    hasProposed: false,
    vote: 'unsure',
  });
  const learnt = answer(record, { kind: 'learn', state: X }).record;
  t.equal(learnt.state, X);
  t.equal(learnt.vote, 'unsure', 'and asks again for the epoch after');
  t.end();
});

t.test('a survey shows what was promised and accepted', (t) => {
  const { record } = accept(recordOf(), ballot(3), X);
  const { reply } = answer(record, { kind: 'survey' });
  t.match(reply, { promised: ballot(3), accepted: { ballot: ballot(3) }, vote: 'free' });
  t.end();
});

t.test('a newer state ends the promises, an older one changes nothing', (t) => {
  const voted = accept(recordOf(), ballot(3), Y).record;
  const learnt = adopt(voted, X);
  t.same([learnt.promised, learnt.accepted, learnt.state], [undefined, undefined, X]);
  t.equal(adopt(learnt, BASE), learnt);
  t.same(answer(learnt, { kind: 'learn', state: X }).reply, { kind: 'learnt', epoch: 2 });
  t.end();
});

t.test('who decides alone and hears of what it has not accepted has lost its disk', (t) => {
  const alone = stateOf(1, 8);
  const joined = successorOf(alone, { members: BASE.members });
  const later = successorOf(joined, {});
  t.equal(adopt(recordOf({ state: alone }), joined).vote, 'unsure');
  t.equal(adopt(recordOf({ state: alone }), later).vote, 'unsure');
  const { record } = accept(recordOf({ state: alone }), ballot(1), joined);
  t.equal(adopt(record, joined).vote, 'free');
  t.equal(adopt(record, later).vote, 'free', 'others have gone on from there');
  t.equal(adopt(record, successorOf(alone, {})).vote, 'unsure');
  t.end();
});

t.test('who regained its vote asks again when others are to vote with it', (t) => {
  const record = recordOf({ vote: 'regained' });
  t.equal(adopt(record, X).vote, 'free');
  const members = BASE.members.slice(0, 2);
  t.equal(adopt(record, successorOf(BASE, { members })).vote, 'unsure');
  t.end();
});

t.test('a ballot is above all that was seen and is remembered', (t) => {
  const { record, ballot: first } = nextBallot(recordOf({ promised: ballot(7) }), B, ballot(9));
  t.same(first, ballot(10, B));
  t.equal(nextBallot(record, B, undefined).ballot.round, 11);
  t.end();
});

t.test('valid and leaving members vote', (t) => {
  const statuses: MemberStatus[] = ['valid', 'leaving', 'joining', 'exiting', 'down'];
  const members = statuses.map((status, index) => ({
    ...(BASE.members[0] as ClusterState['members'][number]),
    id: nodeOf(index),
    status,
  }));
  t.same(votersOf({ ...BASE, members }), [A, B]);
  t.end();
});

t.test('a round proposes its own state if nobody has accepted another', (t) => {
  const round = new BallotRound(BASE, X);
  const promised = { kind: 'promised', accepted: undefined } as const;
  t.same(round.onReply(A, 'prepare', promised), { kind: 'wait' });
  t.same(round.onReply(A, 'prepare', promised), { kind: 'wait' }, 'a voter counts once');
  t.notOk(round.mayTakeEffect);
  t.same(round.onReply(B, 'prepare', promised), { kind: 'accept', state: X });
  t.ok(round.mayTakeEffect);
  t.same(round.onReply(C, 'prepare', promised), { kind: 'wait' }, 'too late to matter');
  t.same(round.onReply(C, 'accept', { kind: 'accepted' }), { kind: 'wait' });
  t.same(round.onReply(A, 'accept', { kind: 'accepted' }), { kind: 'chosen', state: X });
  t.end();
});

t.test('an answer to the other half of a round counts for nothing', (t) => {
  const promised = { kind: 'promised', accepted: undefined } as const;
  const early = new BallotRound(BASE, X);
  early.onReply(A, 'prepare', { kind: 'accepted' });
  t.same(early.onReply(B, 'prepare', promised), { kind: 'wait' }, 'one promise is no majority');
  const late = new BallotRound(BASE, X);
  for (const voter of [A, B]) late.onReply(voter, 'prepare', promised);
  late.onReply(A, 'accept', promised);
  t.same(late.onReply(B, 'accept', { kind: 'accepted' }), { kind: 'wait' });
  t.same(late.onReply(C, 'accept', { kind: 'accepted' }), { kind: 'chosen', state: X });
  t.end();
});

t.test('a round carries on what the highest ballot had accepted', (t) => {
  const round = new BallotRound(stateOf(5, 8), X);
  const said = (by: Ballot, state: ClusterState) =>
    ({ kind: 'promised', accepted: { ballot: by, state } }) as const;
  round.onReply(A, 'prepare', said(ballot(3), Y));
  round.onReply(B, 'prepare', { kind: 'promised', accepted: undefined });
  t.same(round.onReply(C, 'prepare', said(ballot(2), X)), { kind: 'accept', state: Y });
  t.notOk(round.mayTakeEffect, 'it is not the own state that is voted on');
  t.end();
});

t.test('a round is lost when a majority can no longer be had', (t) => {
  const round = new BallotRound(BASE, X);
  t.same(round.onReply(A, 'prepare', { kind: 'refused', promised: ballot(8) }), { kind: 'wait' });
  t.same(round.onReply(B, 'prepare', undefined), { kind: 'lost' });
  t.same(round.highestRefusal, ballot(8));

  const other = new BallotRound(BASE, X);
  t.same(other.onReply(A, 'prepare', { kind: 'behind', epoch: 4 as Epoch }), {
    kind: 'behind',
    node: A,
  });
  other.onReply(B, 'prepare', { kind: 'lagging', epoch: 1 as Epoch });
  other.onReply(C, 'prepare', { kind: 'diverged', epoch: 1 as Epoch });
  t.same([...other.laggards], [B]);
  t.ok(other.hasDiverged);
  t.end();
});
