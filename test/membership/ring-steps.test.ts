/** Steps of the ring: they go from A to B, count nobody twice and forget nobody. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import type {
  ClusterState,
  Member,
  MemberStatus,
  RingStep,
} from '../../src/membership/cluster-state.ts';
import { replicaCountsInUse } from '../../src/membership/effective-properties.ts';
import { succeeds } from '../../src/membership/lineage.ts';
import {
  closeStep,
  finishExit,
  gainingNodes,
  openStep,
  ownersOf,
  reportFilled,
  targetOwnersOf,
  type StepOutcome,
} from '../../src/membership/ring-steps.ts';
import { decodeState, encodeState } from '../../src/membership/state-document.ts';
import { Ring } from '../../src/ring/ring.ts';
import { nodeOf, stateOf } from './states.ts';

function changed(outcome: StepOutcome): ClusterState {
  if (outcome.kind !== 'changed') throw new Error(`the change was ${outcome.kind}`);
  return outcome.state;
}

/** The state with `owners` as ring B, and `status` for the members named. */
function opened(
  state: ClusterState,
  owners: readonly NodeId[],
  statusById: ReadonlyMap<NodeId, MemberStatus> = new Map(),
): ClusterState {
  const members = state.members.map((member): Member => ({
    ...member,
    status: statusById.get(member.id) ?? member.status,
  }));
  return changed(openStep(state, { owners, members, staged: state.staged }));
}

/** Every node that has to reports that it is full. */
function filled(state: ClusterState): ClusterState {
  let next = state;
  for (const node of state.step?.unfilled ?? []) {
    const since = state.step?.since as Epoch;
    next = changed(reportFilled(next, { node, since }));
  }
  return next;
}

/** A cluster and another ring for it. */
const anyMove = fc
  .integer({ min: 1, max: 7 })
  .chain((memberCount) =>
    fc.record({
      memberCount: fc.constant(memberCount),
      owners: fc.array(fc.nat(memberCount - 1), { minLength: 16, maxLength: 16 }),
      n: fc.integer({ min: 1, max: 5 }),
    }),
  )
  .map(({ memberCount, owners, n }) => ({
    state: {
      ...stateOf(memberCount),
      bucketProperties: new Map([[utf8ToByteString('7:defaultb'), { n_val: n }]]),
    },
    owners: owners.map(nodeOf),
  }));

t.test('a step goes from A to B by one epoch for each change of phase', (t) => {
  fc.assert(
    fc.property(anyMove, ({ state, owners }) => {
      const before = ownersOf(state);
      const open = opened(state, owners);
      if (open.step === undefined) return owners.every((each, index) => each === before[index]);
      const turned = filled(open);
      const closed = changed(closeStep(turned, { since: open.step.since }));
      t.same(ownersOf(open), before, 'ring A holds while B is filled');
      t.same(ownersOf(turned), before);
      t.equal(turned.step?.phase, 'turning');
      t.same(targetOwnersOf(turned, turned.step as never), owners);
      t.same(ownersOf(closed), owners);
      t.equal(closed.step, undefined);
      t.equal(closed.epoch, turned.epoch + 1);
      return succeeds(open, state) && succeeds(closed, turned);
    }),
  );
  t.end();
});

t.test('each node that gains a replica for some n in use must fill it, and nobody else', (t) => {
  fc.assert(
    fc.property(anyMove, ({ state, owners }) => {
      const { step } = opened(state, owners);
      if (step === undefined) return true;
      const after = { ...state, ownerByPartition: step.target };
      const [ringA, ringB] = [new Ring(state), new Ring(after)];
      const gaining = state.members
        .map(({ id }) => id)
        .filter((id) =>
          replicaCountsInUse(state).some((n) =>
            owners.some(
              (_, partition) =>
                ringB.isReplica(partition as never, n, id) &&
                !ringA.isReplica(partition as never, n, id),
            ),
          ),
        );
      t.same(gainingNodes(state, after), gaining);
      t.same(step.unfilled, gaining);
      t.equal(step.phase, gaining.length === 0 ? 'turning' : 'filling');
      return true;
    }),
  );
  t.end();
});

t.test('every state of a step is a document', (t) => {
  fc.assert(
    fc.property(anyMove, ({ state, owners }) => {
      for (const each of [opened(state, owners), filled(opened(state, owners))]) {
        t.ok(encodeState(decodeState(Buffer.from(encodeState(each)))).equals(encodeState(each)));
      }
    }),
    { numRuns: 50 },
  );
  t.end();
});

t.test('a report is counted once, and only for the step it was made for', (t) => {
  const open = opened(
    stateOf(4),
    Array.from({ length: 16 }, (_, index) => nodeOf(index % 2)),
  );
  const [node] = (open.step as RingStep).unfilled as [NodeId];
  t.equal(closeStep(stateOf(4), { since: 2 as Epoch }).kind, 'other-step');
  t.equal(reportFilled(open, { node, since: 9 as Epoch }).kind, 'other-step');
  const once = changed(reportFilled(open, { node, since: 2 as Epoch }));
  t.equal(reportFilled(once, { node, since: 2 as Epoch }).kind, 'unchanged');
  t.end();
});

t.test('a step is not closed before all are full', (t) => {
  const open = opened(
    stateOf(4),
    Array.from({ length: 16 }, (_, index) => nodeOf(index % 2)),
  );
  const outcome = closeStep(open, { since: open.step?.since as Epoch });
  t.same(outcome, { kind: 'unfilled', nodes: open.step?.unfilled });
  t.end();
});

t.test('a step that fills gives way to another, one that turns does not', (t) => {
  const open = opened(
    stateOf(4),
    Array.from({ length: 16 }, (_, index) => nodeOf(index % 2)),
  );
  const other = Array.from({ length: 16 }, (_, index) => nodeOf(2 + (index % 2)));
  const again = opened(open, other);
  t.equal(again.step?.since, 3);
  t.same(ownersOf(again), ownersOf(stateOf(4)));
  const request = { owners: other, members: open.members, staged: [] };
  t.equal(openStep(filled(open), request).kind, 'turning');
  t.equal(opened(open, ownersOf(open)).step, undefined, 'back to A: there is nothing to do');
  t.end();
});

t.test(
  'who gave everything away is exiting and then gone, who was removed is gone at once',
  (t) => {
    const state: ClusterState = {
      ...stateOf(5),
      staged: [{ kind: 'location', node: nodeOf(0), location: 'x' }],
    };
    const owners = Array.from({ length: 16 }, (_, index) => nodeOf(2 + (index % 3)));
    const statuses = new Map<NodeId, MemberStatus>([
      [nodeOf(0), 'invalid'],
      [nodeOf(1), 'leaving'],
    ]);
    const turned = filled(opened(state, owners, statuses));
    t.equal(turned.members.length, 5, 'both stay while ring A names them');
    const closed = changed(closeStep(turned, { since: 2 as Epoch }));
    t.same(
      closed.members.map(({ id, status }) => [id, status]),
      [
        [nodeOf(1), 'exiting'],
        [nodeOf(2), 'valid'],
        [nodeOf(3), 'valid'],
        [nodeOf(4), 'valid'],
      ],
    );
    t.same(closed.staged, [], 'what was staged for a node goes with it');
    t.same(ownersOf(closed), owners);
    const gone = changed(finishExit(closed, nodeOf(1)));
    t.same(
      gone.members.map(({ id }) => id),
      [nodeOf(2), nodeOf(3), nodeOf(4)],
    );
    t.same(ownersOf(gone), owners);
    t.equal(finishExit(gone, nodeOf(1)).kind, 'unchanged');
    t.end();
  },
);
