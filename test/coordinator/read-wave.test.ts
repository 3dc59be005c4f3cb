/**
 * The first wave of a read: enough for every quorum, and not one replica more.
 */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import type { Participant } from '../../src/coordinator/participants.ts';
import { firstWave } from '../../src/coordinator/read-wave.ts';
import { reachOf, type ReadRequirement } from '../../src/coordinator/requirement.ts';

const [A, B, C, D] = ['a', 'b', 'c', 'd'] as string[] as [NodeId, NodeId, NodeId, NodeId];

function primary(node: NodeId): Participant {
  return { node, positionCount: 1, primaryCount: 1, hintTargets: [] };
}

function standIn(node: NodeId): Participant {
  return { node, positionCount: 1, primaryCount: 0, hintTargets: [] };
}

function required(needed: Partial<ReadRequirement>): ReadRequirement {
  return { n: 3, r: 2, pr: 0, nodeConfirms: 0, notFoundOk: true, basicQuorum: false, ...needed };
}

const inTime = { isLate: () => false };
const idle = { self: B, underWay: () => 0, answerTimes: inTime };

function namesOf(participants: readonly Participant[]): NodeId[] {
  return participants.map(({ node }) => node);
}

t.test('a quorum of two asks this node and the next of the list', async (t) => {
  const wave = firstWave([A, B, C].map(primary), required({}), idle);
  t.same(namesOf(wave.asked), [B, A]);
  t.same(namesOf(wave.spare), [C]);
});

t.test('every replica is asked where every one is needed', async (t) => {
  const list = [A, B, C].map(primary);
  for (const needed of [{ r: 3 }, { pr: 3 }, { nodeConfirms: 3 }]) {
    t.equal(firstWave(list, required(needed), idle).asked.length, 3);
  }
});

t.test('stand-ins come after primaries, and a primary is always asked', async (t) => {
  const list = [standIn(B), primary(A), primary(C)];
  t.same(namesOf(firstWave(list, required({}), idle).asked), [A, C]);
  const lone = [standIn(B), standIn(D), primary(A)];
  t.same(namesOf(firstWave(lone, required({ r: 1 }), idle).asked), [A]);
  t.same(namesOf(firstWave(lone, required({ r: 2 }), idle).asked), [A, B]);
});

t.test('a replica with many requests under way is passed by', async (t) => {
  const underWay = (node: NodeId): number => (node === A ? 200 : 10);
  const wave = firstWave([A, B, C].map(primary), required({}), {
    ...idle,
    underWay,
  });
  t.same(namesOf(wave.asked), [B, C]);
});

t.test('a replica that is late is passed by, but for a stand-in', async (t) => {
  const answerTimes = { isLate: (node: NodeId) => node === A };
  const nearness = { ...idle, answerTimes, underWay: (node: NodeId) => (node === C ? 5_000 : 0) };
  const list = [A, B, C].map(primary);
  t.same(namesOf(firstWave(list, required({}), nearness).asked), [B, C]);
  const shortened = [primary(A), primary(B), standIn(D)];
  t.same(namesOf(firstWave(shortened, required({}), nearness).asked), [B, A]);
});

const participants = fc.uniqueArray(
  fc.record({
    node: fc.constantFrom(A, B, C, D),
    positionCount: fc.integer({ min: 1, max: 2 }),
    primaryCount: fc.nat({ max: 1 }),
    hintTargets: fc.constant([]),
  }),
  { minLength: 1, maxLength: 4, selector: ({ node }) => node },
);

t.test('the first wave can meet whatever all could meet, and leaves nobody out', async (t) => {
  const needs = fc.record({ r: fc.nat(4), pr: fc.nat(3), nodeConfirms: fc.nat(3) });
  fc.assert(
    fc.property(participants, needs, (list, needed) => {
      const { asked, spare } = firstWave(list, required(needed), idle);
      const all = reachOf(list);
      const wave = reachOf(asked);
      const isEnough = (got: number, want: number, of: number): boolean =>
        got >= Math.min(want, of);
      return (
        isEnough(wave.positions, Math.max(1, needed.r), all.positions) &&
        isEnough(wave.primaries, needed.pr, all.primaries) &&
        isEnough(wave.nodes, needed.nodeConfirms, all.nodes) &&
        namesOf([...asked, ...spare])
          .sort()
          .join() === namesOf(list).sort().join()
      );
    }),
  );
  t.pass('for all lists');
});
