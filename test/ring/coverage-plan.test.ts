/** Coverage plans: every partition once, from few nodes, and honest about what is missing. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId, Partition } from '../../src/base/names.ts';
import { coveragePlan } from '../../src/ring/coverage-plan.ts';
import { membersOf, nodeOf, ringOf } from './clusters.ts';

const everyone = () => true;

const anyCase = fc.record({
  nodeCount: fc.integer({ min: 1, max: 12 }),
  ringSize: fc.constantFrom(8, 16, 64),
  n: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(50),
  upByNode: fc.func(fc.boolean()),
});

t.test('each partition is asked of one node that holds it, or said to be uncovered', (t) => {
  fc.assert(
    fc.property(anyCase, ({ nodeCount, ringSize, n, seed, upByNode }) => {
      const ring = ringOf(membersOf(nodeCount), ringSize);
      const mayAsk = (node: NodeId) => upByNode(node);
      const { shares, uncovered } = coveragePlan(ring, n, { mayAsk, seed });
      const asked = shares.flatMap(({ partitions }) => partitions);
      const all = Array.from({ length: ringSize }, (_, index) => index as Partition);
      t.same(
        [...asked, ...uncovered].sort((left, right) => left - right),
        all,
      );
      return (
        shares.every(({ node, partitions }) =>
          partitions.every((partition) => mayAsk(node) && ring.isReplica(partition, n, node)),
        ) &&
        uncovered.every((partition) =>
          ring.preferenceList(partition, n).replicas.every(({ node }) => !mayAsk(node)),
        )
      );
    }),
  );
  t.end();
});

t.test('no node is asked for nothing or twice', (t) => {
  fc.assert(
    fc.property(anyCase, ({ nodeCount, ringSize, n, seed }) => {
      const ring = ringOf(membersOf(nodeCount), ringSize);
      const { shares } = coveragePlan(ring, n, { mayAsk: everyone, seed });
      const nodes = new Set(shares.map(({ node }) => node));
      return nodes.size === shares.length && shares.every((share) => share.partitions.length > 0);
    }),
  );
  t.end();
});

t.test('with three nodes and three replicas the local node answers alone', (t) => {
  const ring = ringOf(membersOf(3), 64);
  for (const localNode of [nodeOf(0), nodeOf(1), nodeOf(2)]) {
    const { shares } = coveragePlan(ring, 3, { mayAsk: everyone, localNode });
    t.same(
      shares.map(({ node }) => node),
      [localNode],
    );
  }
  t.end();
});

t.test('about a third of the nodes is asked where each key has three replicas', (t) => {
  for (const [nodeCount, expected] of [
    [6, 3],
    [9, 5],
    [12, 6],
  ] as const) {
    const ring = ringOf(membersOf(nodeCount), 64);
    const { shares } = coveragePlan(ring, 3, { mayAsk: everyone });
    t.ok(shares.length <= expected, `${shares.length} of ${nodeCount} nodes`);
  }
  t.end();
});

t.test('seeds turn the choice among equals, and a seed repeats its plan', (t) => {
  const ring = ringOf(membersOf(6), 64);
  const plans = Array.from({ length: 6 }, (_, seed) =>
    coveragePlan(ring, 3, { mayAsk: everyone, seed }),
  );
  const first = new Set(plans.map(({ shares }) => shares[0]?.node));
  t.ok(first.size >= 3, `${first.size} different first nodes`);
  t.same(coveragePlan(ring, 3, { mayAsk: everyone, seed: 4 }), plans[4]);
  t.end();
});

t.test('one node down among three replicas costs no coverage', (t) => {
  const ring = ringOf(membersOf(5), 64);
  for (let down = 0; down < 5; down += 1) {
    const mayAsk = (node: NodeId) => node !== nodeOf(down);
    t.same(coveragePlan(ring, 3, { mayAsk }).uncovered, []);
  }
  t.same(coveragePlan(ring, 3, { mayAsk: () => false }).uncovered.length, 64);
  t.end();
});
