/** Plans: staged changes come to one step, shown under a hash, and nothing else is committed. */

import fc from 'fast-check';
import t from 'tap';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import { votersOf } from '../../src/membership/agreement.ts';
import type { ClusterState, Member } from '../../src/membership/cluster-state.ts';
import { succeeds } from '../../src/membership/lineage.ts';
import { effectOf } from '../../src/membership/plan-effect.ts';
import { commitPlan, planChanges, type ClusterPlan } from '../../src/membership/plan.ts';
import { closeStep, finishExit, ownersOf, reportFilled } from '../../src/membership/ring-steps.ts';
import {
  clearStaged,
  findMember,
  markDown,
  present,
  stageForceRemove,
  stageJoin,
  stageLeave,
  stageLocation,
  stageReplace,
  type Newcomer,
} from '../../src/membership/staging.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { clusterOf, nodeOf, stateOf } from './states.ts';

interface Outcome {
  readonly kind: string;
  readonly state?: ClusterState;
  readonly reason?: string;
}

function memberOf(state: ClusterState, index: number): Member {
  const member = findMember(state, nodeOf(index));
  if (member === undefined) throw new Error('no such member');
  return member;
}

function done(outcome: Outcome): ClusterState {
  if (outcome.state === undefined) throw new Error(`${outcome.kind} ${outcome.reason ?? ''}`);
  return outcome.state;
}

function newcomer(index: number, location = ''): Newcomer {
  return { ...(clusterOf(index + 1).members[index] as Newcomer), location };
}

function planOf(state: ClusterState): ClusterPlan {
  const outcome = runAtOnce(planChanges(state));
  if (outcome.kind !== 'planned') throw new Error(outcome.reason);
  return outcome.plan;
}

/** The state when all that was committed has been carried out. */
function carriedOut(state: ClusterState): ClusterState {
  let next = state;
  if (next.step !== undefined) {
    const { since, unfilled } = next.step;
    for (const node of unfilled) next = done(reportFilled(next, { node, since }));
    next = done(closeStep(next, { since }));
  }
  for (const { id, status } of next.members) {
    if (status === 'exiting') next = done(finishExit(next, id));
  }
  return next;
}

function committed(state: ClusterState): ClusterState {
  return carriedOut(done(runAtOnce(commitPlan(state, planOf(state).hash))));
}

function idsOf(state: ClusterState): NodeId[] {
  return state.members.map(({ id }) => id);
}

t.test('a joined node gets its share and votes', (t) => {
  const staged = done(stageJoin(stateOf(3), newcomer(3)));
  t.equal(findMember(staged, nodeOf(3))?.status, 'joining');
  t.same(ownersOf(staged), ownersOf(stateOf(3)), 'nothing moves before the commit');
  const after = committed(staged);
  t.equal(findMember(after, nodeOf(3))?.status, 'valid');
  t.equal(ownersOf(after).filter((owner) => owner === nodeOf(3)).length, 4);
  t.same(after.staged, []);
  t.end();
});

t.test('a node that left owns nothing and is no member', (t) => {
  const after = committed(done(stageLeave(stateOf(4), nodeOf(1))));
  t.same(idsOf(after), [nodeOf(0), nodeOf(2), nodeOf(3)]);
  t.end();
});

t.test('a replacement gets exactly the partitions of the node it replaces', (t) => {
  for (const kind of ['replace', 'force-replace'] as const) {
    const joined = done(stageJoin(stateOf(4), newcomer(4)));
    const change = { kind, node: nodeOf(1), successor: nodeOf(4) };
    const after = committed(done(stageReplace(joined, change)));
    t.same(idsOf(after), [nodeOf(0), nodeOf(2), nodeOf(3), nodeOf(4)]);
    t.same(
      ownersOf(after),
      ownersOf(stateOf(4)).map((owner) => (owner === nodeOf(1) ? nodeOf(4) : owner)),
    );
  }
  t.end();
});

t.test('a plan is refused when what it was shown of has changed', (t) => {
  const staged = done(stageLeave(stateOf(5), nodeOf(1)));
  const { hash } = planOf(staged);
  const other = done(stageLeave(staged, nodeOf(2)));
  t.same(runAtOnce(commitPlan(other, hash)), { kind: 'not-planned', reason: 'stale-plan' });
  const typed = { ...staged, epoch: 9 as Epoch, defaultProperties: { allow_mult: true } };
  t.equal(planOf(typed).hash, hash, 'what does not matter to it changes no plan');
  t.same(runAtOnce(commitPlan(stateOf(3), undefined)), {
    kind: 'not-planned',
    reason: 'nothing-staged',
  });
  t.end();
});

t.test('what cannot be is refused by name', (t) => {
  const reasonOf = (outcome: Outcome): string | undefined => outcome.reason;
  const one = stateOf(1);
  t.equal(reasonOf(stageLeave(one, nodeOf(0))), 'only-member');
  t.equal(reasonOf(stageForceRemove(one, nodeOf(0))), 'only-member');
  t.equal(reasonOf(stageLeave(one, nodeOf(7))), 'not-member');
  t.equal(reasonOf(markDown(one, nodeOf(0))), 'only-member');
  const joined = done(stageJoin(stateOf(3), newcomer(3)));
  const replace = { kind: 'replace', node: nodeOf(0), successor: nodeOf(1) } as const;
  t.equal(reasonOf(stageReplace(joined, replace)), 'not-joining');
  const taken = done(stageReplace(joined, { ...replace, successor: nodeOf(3) }));
  t.equal(
    reasonOf(stageReplace(taken, { ...replace, node: nodeOf(1), successor: nodeOf(3) })),
    'already-replacement',
  );
  const leaving = done(runAtOnce(commitPlan(done(stageLeave(stateOf(4), nodeOf(1))), undefined)));
  t.equal(reasonOf(stageLeave(leaving, nodeOf(1))), 'already-leaving');
  const down = done(markDown(stateOf(3), nodeOf(1)));
  t.equal(reasonOf(stageLeave(down, nodeOf(1))), 'is-down');
  const far = { node: nodeOf(1), location: 'x'.repeat(1_025) };
  t.equal(reasonOf(stageLocation(stateOf(3), far)), 'location-too-long');
  let all = stateOf(3);
  for (const index of [0, 1, 2]) all = done(stageLeave(all, nodeOf(index)));
  t.same(runAtOnce(planChanges(all)), { kind: 'not-planned', reason: 'no-nodes' });
  for (const stage of [stageLeave, stageForceRemove]) {
    const last = done(stage(done(markDown(stateOf(2), nodeOf(1))), nodeOf(0)));
    t.same(runAtOnce(planChanges(last)), { kind: 'not-planned', reason: 'no-voters' });
  }
  let crowd = stateOf(7, 8);
  for (const index of [7, 8]) crowd = done(stageJoin(crowd, newcomer(index)));
  t.same(runAtOnce(planChanges(crowd)), {
    kind: 'not-planned',
    reason: 'more-nodes-than-partitions',
  });
  t.end();
});

t.test('staging is forgotten by clear, and a join by leaving again', (t) => {
  const joined = done(stageJoin(stateOf(3), newcomer(3)));
  const staged = done(
    stageReplace(joined, { kind: 'replace', node: nodeOf(0), successor: nodeOf(3) }),
  );
  t.same(done(clearStaged(staged)).members, stateOf(3).members);
  t.same(done(clearStaged(staged)).staged, []);
  t.same(done(stageLeave(staged, nodeOf(3))).staged, []);
  t.equal(
    stageJoin(joined, newcomer(3)).kind,
    'unchanged',
    'a member that asks again is taken back',
  );
  t.end();
});

t.test('a location is part of the plan, and moves what it must', (t) => {
  const staged = done(stageLocation(stateOf(4), { node: nodeOf(1), location: 'hall 2' }));
  t.same(staged.staged, [{ kind: 'location', node: nodeOf(1), location: 'hall 2' }]);
  const back = done(stageLocation(staged, { node: nodeOf(1), location: '' }));
  t.same(back.staged, []);
  t.equal(findMember(committed(staged), nodeOf(1))?.location, 'hall 2');
  t.end();
});

t.test('a node marked as down comes back with all it had', (t) => {
  const down = done(markDown(stateOf(3), nodeOf(1)));
  t.equal(findMember(down, nodeOf(1))?.status, 'down');
  t.same(ownersOf(down), ownersOf(stateOf(3)));
  t.equal(findMember(done(present(down, memberOf(down, 1))), nodeOf(1))?.status, 'valid');
  t.equal(present(stateOf(3), memberOf(down, 1)).kind, 'unchanged');
  t.end();
});

t.test('a member that is found elsewhere keeps all but its address', (t) => {
  const state = stateOf(3);
  const moved = { ...memberOf(state, 1), host: 'elsewhere', peerPort: 7, httpPort: 8, pbcPort: 9 };
  const after = done(present(state, { ...moved, location: 'not by this way' }));
  t.same(findMember(after, nodeOf(1)), moved);
  t.same(ownersOf(after), ownersOf(state));
  t.equal(present(after, moved).kind, 'unchanged');
  t.equal(present(state, { ...moved, id: nodeOf(7) }).kind, 'unchanged', 'no stranger gets in');
  t.end();
});

t.test('no key has fewer live copies while a join or a leave is carried out', (t) => {
  for (const staged of [
    done(stageJoin(stateOf(4), newcomer(4))),
    done(stageLeave(stateOf(4), nodeOf(1))),
  ]) {
    const { copies, ownership, replicas } = runAtOnce(effectOf(staged, planOf(staged), () => true));
    t.match(copies, [{ nVal: 3, before: 3, lowest: 3, after: 3 }]);
    t.ok(ownership.length > 0);
    t.ok(replicas.every(({ source, target }) => source !== undefined && source !== target));
  }
  t.end();
});

t.test('a node removed by force takes one copy with it until the others have filled', (t) => {
  const staged = done(stageForceRemove(stateOf(5), nodeOf(1)));
  const effect = runAtOnce(effectOf(staged, planOf(staged), (node) => node !== nodeOf(1)));
  t.match(effect.copies, [{ nVal: 3, before: 2, lowest: 2, after: 3 }]);
  t.ok(effect.replicas.every(({ source }) => source !== nodeOf(1)));
  t.end();
});

type Act = (state: ClusterState, drawn: number) => Outcome;

const ACTS: readonly Act[] = [
  (state, drawn) => stageJoin(state, newcomer(drawn % 12, `hall${drawn % 3}`)),
  (state, drawn) => stageLeave(state, nodeOf(drawn % 12)),
  (state, drawn) => stageForceRemove(state, nodeOf(drawn % 12)),
  (state, drawn) =>
    stageReplace(state, {
      kind: drawn % 2 === 0 ? 'replace' : 'force-replace',
      node: nodeOf(drawn % 7),
      successor: nodeOf(drawn % 11),
    }),
  (state, drawn) =>
    stageLocation(state, { node: nodeOf(drawn % 12), location: `hall${drawn % 2}` }),
  (state, drawn) => markDown(state, nodeOf(drawn % 12)),
  (state, drawn) => present(state, { ...newcomer(drawn % 12), host: `host${drawn % 3}` }),
  (state) => clearStaged(state),
  (state) => runAtOnce(commitPlan(state, undefined)),
  (state, drawn) => runAtOnce(commitPlan(state, drawn % 2 === 0 ? planHashOf(state) : 'stale')),
  (state, drawn) => {
    const { since, unfilled } = state.step ?? { since: 1 as Epoch, unfilled: [] };
    const node = unfilled[drawn % Math.max(1, unfilled.length)] ?? nodeOf(0);
    return reportFilled(state, { node, since });
  },
  (state) => closeStep(state, { since: state.step?.since ?? (1 as Epoch) }),
  (state, drawn) => finishExit(state, nodeOf(drawn % 12)),
];

function planHashOf(state: ClusterState): string | undefined {
  const outcome = runAtOnce(planChanges(state));
  return outcome.kind === 'planned' ? outcome.plan.hash : undefined;
}

t.test(
  'any sequence of changes leads to whole documents, and at last to a settled cluster',
  (t) => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(ACTS.length - 1), fc.nat(1_000)), { maxLength: 40 }),
        (acts) => {
          let state = stateOf(3);
          for (const [act, drawn] of acts) {
            const outcome = (ACTS[act] as Act)(state, drawn);
            if (outcome.state === undefined) continue;
            if (!succeeds(outcome.state, state)) return false;
            state = decodeState(Buffer.from(encodeState(outcome.state)));
            if (votersOf(state).length === 0) return false;
            const named = state.members.map(({ id }) => id);
            const stagedNodes = state.staged.map(({ node }) => node);
            if (!stagedNodes.every((node) => named.includes(node))) return false;
          }
          const whole = carriedOut(state);
          const cleared: Outcome = clearStaged(whole);
          const settled = carriedOut(cleared.state ?? whole);
          const owners = new Set(ownersOf(settled));
          return settled.members.every(
            ({ id, status }) =>
              status === 'valid' || status === 'down' || (status === 'leaving' && owners.has(id)),
          );
        },
      ),
      { numRuns: 300 },
    );
    t.end();
  },
);
