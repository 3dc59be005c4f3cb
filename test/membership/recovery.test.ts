/** Recovery: the survivors go on in a new lineage, all follow it, and nobody else is let in. */

import t from 'tap';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import { answer, votersOf, type AgreementRecord } from '../../src/membership/agreement.ts';
import { decodeRecord, encodeRecord } from '../../src/membership/agreement-codec.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { successorOf } from '../../src/membership/lineage.ts';
import { commitPlan, planChanges } from '../../src/membership/plan.ts';
import { recover } from '../../src/membership/recovery.ts';
import {
  closeStep,
  ownersOf,
  reportFilled,
  targetOwnersOf,
} from '../../src/membership/ring-steps.ts';
import { findMember, stageJoin, stageLeave, type Newcomer } from '../../src/membership/staging.ts';
import { clusterOf, nodeOf, stateOf } from './states.ts';

const LINEAGE = 'c0'.repeat(16);
const SURVIVORS = [nodeOf(0), nodeOf(3)];

function recordOf(state: ClusterState): AgreementRecord {
  return { state, promised: undefined, accepted: undefined, round: 0, life: 1, vote: 'free' };
}

function recovered(
  record: AgreementRecord,
  survivors: readonly NodeId[] = SURVIVORS,
): AgreementRecord {
  const outcome = recover(record, { survivors, lineage: LINEAGE });
  if (outcome.kind !== 'recovered') throw new Error(outcome.kind);
  // What is written is read again.
  return decodeRecord(encodeRecord(outcome.record));
}

/** The state of a node after it was told `state`. */
function after(record: AgreementRecord, state: ClusterState): ClusterState {
  return answer(record, { kind: 'learn', state }).record.state;
}

t.test('the survivors alone vote, and the others are removed by a step', (t) => {
  const { state } = recovered(recordOf(stateOf(5)));
  t.same(votersOf(state), SURVIVORS);
  t.equal(findMember(state, nodeOf(1))?.status, 'invalid');
  t.same(ownersOf(state), ownersOf(stateOf(5)), 'reads still ask who may hold something');
  t.ok(targetOwnersOf(state, state.step as never).every((owner) => SURVIVORS.includes(owner)));
  t.ok(state.epoch > 1_000);
  t.end();
});

t.test('survivors follow from whatever epoch, and nobody goes back', (t) => {
  const first = stateOf(5);
  const second = successorOf(first, { defaultProperties: { n_val: 2 } });
  const { state } = recovered(recordOf(first));
  t.equal(after(recordOf(first), state), state);
  t.equal(after(recordOf(second), state), state, 'who knew more follows too');
  t.equal(after(recordOf(state), second), state);
  const other = recover(recordOf(first), { survivors: [nodeOf(2)], lineage: 'd1'.repeat(16) });
  if (other.kind !== 'recovered') throw new Error(other.kind);
  t.equal(
    after(recordOf(state), other.record.state),
    state,
    'a second recovery is another cluster',
  );
  const reply = answer(recordOf(state), { kind: 'learn', state: other.record.state }).reply;
  t.equal(reply.kind, 'diverged');
  t.end();
});

t.test('another cluster is never followed, however old its beginning', (t) => {
  let stranger = stateOf(4);
  for (let epoch = 0; epoch < 40; epoch += 1) {
    stranger = successorOf(stranger, { defaultProperties: { n_val: epoch + 1 } });
  }
  const own = recordOf(stateOf(1));
  t.equal(after(own, stranger), own.state);
  t.end();
});

t.test('what a survivor voted for counts, for it may have been agreed', (t) => {
  const first = stateOf(5);
  const accepted = successorOf(first, { defaultProperties: { n_val: 2 } });
  const ballot = { round: 1, node: nodeOf(1), life: 1 };
  const { state } = recovered({ ...recordOf(first), accepted: { ballot, state: accepted } });
  t.same(state.defaultProperties, { n_val: 2 });
  t.end();
});

t.test('a step that was open is ended, one way or the other', (t) => {
  const staged = stageLeave(stateOf(5), nodeOf(4));
  if (staged.kind !== 'changed') throw new Error(staged.kind);
  const filling = runAtOnce(commitPlan(staged.state, undefined));
  if (filling.kind !== 'changed') throw new Error(filling.kind);
  t.same(votersOf(recovered(recordOf(filling.state)).state), SURVIVORS);
  let turning = filling.state;
  const since = turning.step?.since as Epoch;
  for (const node of turning.step?.unfilled ?? []) {
    const outcome = reportFilled(turning, { node, since });
    if (outcome.kind === 'changed') turning = outcome.state;
  }
  const closed = closeStep(turning, { since });
  if (closed.kind !== 'changed') throw new Error(closed.kind);
  t.same(ownersOf(recovered(recordOf(turning)).state), ownersOf(closed.state));
  t.end();
});

t.test('a survivor that was about to join still is, by the next plan', (t) => {
  const newcomer = clusterOf(6).members[5] as Newcomer;
  const joining = stageJoin(stateOf(5), newcomer);
  if (joining.kind !== 'changed') throw new Error(joining.kind);
  const { state } = recovered(recordOf(joining.state), [...SURVIVORS, newcomer.id]);
  t.equal(findMember(state, newcomer.id)?.status, 'joining');
  t.same(state.staged, [{ kind: 'join', node: newcomer.id }]);
  const plan = runAtOnce(planChanges(state));
  t.ok(plan.kind === 'planned' && plan.plan.nextOwners.includes(newcomer.id));
  const alone = recovered(recordOf(joining.state)).state;
  t.same(alone.staged, [], 'one that is lost is not waited for');
  t.end();
});

t.test('survivors that were all about to leave stay', (t) => {
  const staged = stageLeave(stateOf(5), nodeOf(0));
  if (staged.kind !== 'changed') throw new Error(staged.kind);
  const leaving = runAtOnce(commitPlan(staged.state, undefined));
  if (leaving.kind !== 'changed') throw new Error(leaving.kind);
  const { state } = recovered(recordOf(leaving.state), [nodeOf(0)]);
  t.same(votersOf(state), [nodeOf(0)]);
  t.equal(findMember(state, nodeOf(0))?.status, 'valid');
  const both = recovered(recordOf(leaving.state), [nodeOf(0), nodeOf(1)]).state;
  t.equal(findMember(both, nodeOf(0))?.status, 'leaving', 'one goes on leaving if others stay');
  t.end();
});

t.test('what need not be forced, or cannot be, is refused', (t) => {
  const record = recordOf(stateOf(5));
  const outcomeOf = (survivors: readonly NodeId[]) =>
    recover(record, { survivors, lineage: LINEAGE });
  t.match(outcomeOf([nodeOf(0), nodeOf(1), nodeOf(2)]), { kind: 'majority-survives', votes: 3 });
  t.match(outcomeOf([nodeOf(9)]), { kind: 'not-member' });
  const unsure = { ...record, vote: 'unsure' } as const;
  t.match(
    recover(unsure, { survivors: [nodeOf(0), nodeOf(1), nodeOf(2)], lineage: LINEAGE }),
    { kind: 'recovered' },
    'a survivor that has lost its vote is none of the majority',
  );
  t.end();
});
