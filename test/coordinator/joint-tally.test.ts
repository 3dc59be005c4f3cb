/**
 * The joint tally against two tallies that each see their own list.
 */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { JointWriteTally } from '../../src/coordinator/joint-tally.ts';
import type { Participant } from '../../src/coordinator/participants.ts';
import type { WriteRequirement } from '../../src/coordinator/requirement.ts';
import { WriteTally, type ReplicaFailure } from '../../src/coordinator/tally.ts';

const REPLIES = ['ack', 'failed', 'overloaded', 'timed-out'] as const;

function node(name: string): Participant {
  return { node: name as NodeId, positionCount: 1, primaryCount: 1, hintTargets: [] };
}

const QUORUM: WriteRequirement = { n: 3, w: 2, dw: 2, pw: 0, nodeConfirms: 0 };
const [A, B, C, D, E] = ['a', 'b', 'c', 'd', 'e'].map(node) as [
  Participant,
  Participant,
  Participant,
  Participant,
  Participant,
];

t.test('a quorum in one of the two rings is not enough', (t) => {
  const tally = new JointWriteTally(QUORUM, [
    [A, B, C],
    [C, D, E],
  ]);
  t.equal(tally.acknowledge(A).kind, 'pending');
  t.equal(tally.acknowledge(B).kind, 'pending', 'the first list has its quorum');
  t.equal(tally.acknowledge(C).kind, 'pending', 'one reply counts in both');
  t.equal(tally.acknowledge(E).kind, 'met');
  t.end();
});

t.test('a write fails as soon as it cannot be enough in one of them', (t) => {
  const tally = new JointWriteTally(QUORUM, [
    [A, B, C],
    [C, D, E],
  ]);
  tally.acknowledge(A);
  tally.acknowledge(B);
  t.equal(tally.fail(D, 'failed').kind, 'pending');
  t.same(tally.fail(E, 'failed'), { kind: 'unsatisfied', quorum: 'dw', needed: 2, got: 0 });
  t.end();
});

t.test('a stand-in takes the part of the one that failed in each list', (t) => {
  const tally = new JointWriteTally({ ...QUORUM, w: 3 }, [
    [A, B, C],
    [B, C, D],
  ]);
  tally.acknowledge(A);
  tally.acknowledge(D);
  tally.acknowledge(B);
  t.equal(tally.needs(C), true);
  const standIn = { ...E, primaryCount: 0, hintTargets: [C.node] };
  t.equal(tally.replace(C, standIn).kind, 'pending');
  t.equal(tally.acknowledge(standIn).kind, 'met');
  t.end();
});

t.test('the verdict is met when both are and fails when one does, whatever the order', (t) => {
  const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map(node);
  const list = fc.shuffledSubarray(nodes, { minLength: 1, maxLength: 3 });
  const required = fc
    .record({
      w: fc.nat({ max: 3 }),
      dw: fc.integer({ min: 1, max: 3 }),
      pw: fc.nat({ max: 3 }),
      nodeConfirms: fc.nat({ max: 3 }),
    })
    .map((quorums) => ({ n: 3, ...quorums }));
  const replies = fc.array(fc.constantFrom(...REPLIES), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(list, list, required, replies, (left, right, required, said) => {
      const joint = new JointWriteTally(required, [left, right]);
      const halves = [left, right].map((each) => ({ each, tally: new WriteTally(required, each) }));
      nodes.forEach((participant, index) => {
        const reply = said[index] as 'ack' | ReplicaFailure;
        for (const { each, tally } of halves) {
          if (!each.includes(participant)) continue;
          if (reply === 'ack') tally.acknowledge(participant);
          else tally.fail(participant, reply);
        }
        if (![...left, ...right].includes(participant)) return;
        if (reply === 'ack') joint.acknowledge(participant);
        else joint.fail(participant, reply);
      });
      const kinds = halves.map(({ tally }) => tally.verdict.kind);
      const expected = kinds.find((kind) => kind !== 'met' && kind !== 'pending');
      if (expected !== undefined) return kinds.includes(joint.verdict.kind);
      return joint.verdict.kind === (kinds.includes('pending') ? 'pending' : 'met');
    }),
  );
  t.end();
});
