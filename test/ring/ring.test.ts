/** Preference lists: who holds a key, in which positions, and who stands in for the absent. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId, Partition } from '../../src/base/names.ts';
import { membersOf, nodeOf, ringFromOwners, ringOf, ringSizes } from './clusters.ts';

const [A, B, C, D] = [nodeOf(0), nodeOf(1), nodeOf(2), nodeOf(3)] as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];
const P = (partition: number) => partition as Partition;

/** A random ring of `nodeCount` nodes, not only those that claim would make. */
const anyRing = fc
  .record({ ringSize: ringSizes, nodeCount: fc.integer({ min: 1, max: 20 }) })
  .chain(({ ringSize, nodeCount }) =>
    fc
      .array(fc.integer({ min: 0, max: nodeCount - 1 }), {
        minLength: ringSize,
        maxLength: ringSize,
      })
      .map((owners) => ringFromOwners(membersOf(nodeCount), owners.map(nodeOf))),
  );
const anyPlace = fc.record({ ring: anyRing, n: fc.integer({ min: 1, max: 24 }), at: fc.nat() });

t.test('the first nodes from a partition on are those of its preference list', (t) => {
  fc.assert(
    fc.property(anyPlace, ({ ring, n, at }) => {
      const partition = P(at % ring.ringSize);
      const { replicas } = ring.preferenceList(partition, n);
      t.strictSame(
        ring.nodesFrom(partition, n),
        replicas.map(({ node }) => node),
      );
    }),
  );
  t.end();
});

t.test('with enough nodes a list has n positions on n nodes', (t) => {
  fc.assert(
    fc.property(anyPlace, ({ ring, n, at }) => {
      const { positions, replicas } = ring.preferenceList(P(at % ring.ringSize), n);
      const expected = Math.min(n, ring.ringSize);
      const nodes = Math.min(expected, ring.nodes.length);
      return positions.length === expected && replicas.length === nodes;
    }),
  );
  t.end();
});

t.test('positions are met in walking order, each served by its partition’s owner', (t) => {
  fc.assert(
    fc.property(anyPlace, ({ ring, n, at }) => {
      const first = P(at % ring.ringSize);
      const { positions } = ring.preferenceList(first, n);
      const steps = positions.map(({ partition }) => partition);
      return (
        steps[0] === first &&
        positions.every(({ position }, index) => position === index) &&
        positions.every(({ partition, node }) => ring.ownerOf(partition) === node)
      );
    }),
  );
  t.end();
});

t.test('with fewer nodes than n their positions differ by at most one', (t) => {
  fc.assert(
    fc.property(anyPlace, ({ ring, n, at }) => {
      const counts = ring.preferenceList(P(at % ring.ringSize), n).replicas.map((r) => r.count);
      return Math.max(...counts) - Math.min(...counts) <= 1;
    }),
  );
  t.end();
});

t.test('one node holds all three positions of every key', (t) => {
  const ring = ringOf(membersOf(1), 8);
  const list = ring.preferenceList(P(7), 3);
  t.same(
    list.positions.map(({ partition }) => partition),
    [7, 0, 1],
  );
  t.same(list.replicas, [{ node: A, count: 3 }]);
  t.end();
});

t.test('two nodes share three positions as the ring has them', (t) => {
  const ring = ringFromOwners(membersOf(2), [A, B, A, B, A, B, A, B]);
  const list = ring.preferenceList(P(6), 3);
  t.same(
    list.positions.map(({ partition, node }) => [partition, node]),
    [
      [6, A],
      [7, B],
      [0, A],
    ],
  );
  t.same(list.replicas, [
    { node: A, count: 2 },
    { node: B, count: 1 },
  ]);
  t.end();
});

t.test('a node met twice is passed by while others are left', (t) => {
  const ring = ringFromOwners(membersOf(3), [A, A, B, A, C, A, B, C]);
  t.same(
    ring.preferenceList(P(0), 3).positions.map(({ partition }) => partition),
    [0, 2, 4],
  );
  t.end();
});

t.test('an n beyond the ring size gives one position for each partition', (t) => {
  const ring = ringOf(membersOf(2), 8);
  t.equal(ring.preferenceList(P(0), 1_000_000_000).positions.length, 8);
  t.end();
});

t.test('when all are up the active list is the very list that is kept', (t) => {
  const ring = ringOf(membersOf(5), 64);
  const isUp = () => true;
  const list = ring.activePreferenceList(P(9), 3, isUp);
  t.equal(ring.activePreferenceList(P(9), 3, isUp), list);
  t.equal(ring.preferenceList(P(9), 3), list);
  t.ok(list.positions.every(({ isPrimary, primary, node }) => isPrimary && primary === node));
  t.end();
});

t.test('the next up node past the list stands in for one that is down', (t) => {
  const ring = ringFromOwners(membersOf(4), [A, B, C, D, A, B, C, D]);
  const list = ring.activePreferenceList(P(0), 3, (node) => node !== B);
  t.same(list.positions, [
    { position: 0, partition: 0, node: A, primary: A, isPrimary: true },
    { position: 1, partition: 1, node: D, primary: B, isPrimary: false },
    { position: 2, partition: 2, node: C, primary: C, isPrimary: true },
  ]);
  t.end();
});

t.test('with no other node left a node of the list stands in', (t) => {
  const ring = ringFromOwners(membersOf(3), [A, B, C, A, B, C, A, B]);
  const list = ring.activePreferenceList(P(0), 3, (node) => node !== C);
  t.same(
    list.positions.map(({ node }) => node),
    [A, B, A],
  );
  t.same(list.replicas, [
    { node: A, count: 2 },
    { node: B, count: 1 },
  ]);
  t.end();
});

t.test('an active list is full while one node is up, and its nodes are up', (t) => {
  fc.assert(
    fc.property(anyPlace, fc.func(fc.boolean()), ({ ring, n, at }, upByNode) => {
      const isUp = (node: NodeId) => upByNode(node);
      const partition = P(at % ring.ringSize);
      const primary = ring.preferenceList(partition, n);
      const active = ring.activePreferenceList(partition, n, isUp);
      if (!ring.nodes.some(isUp)) return active.positions.length === 0;
      return (
        active.positions.length === primary.positions.length &&
        active.positions.every(({ node }) => isUp(node)) &&
        active.positions.every(
          (place, index) => place.primary === primary.positions[index]?.node,
        ) &&
        active.positions.every((place) => place.isPrimary === isUp(place.primary))
      );
    }),
  );
  t.end();
});

t.test('fallbacks are distinct and new as long as there are such nodes', (t) => {
  fc.assert(
    fc.property(anyPlace, fc.func(fc.boolean()), ({ ring, n, at }, upByNode) => {
      const isUp = (node: NodeId) => upByNode(node);
      const list = ring.preferenceList(P(at % ring.ringSize), n);
      const active = ring.activePreferenceList(P(at % ring.ringSize), n, isUp);
      const inList = new Set(list.replicas.map(({ node }) => node));
      const spare = ring.nodes.filter((node) => isUp(node) && !inList.has(node)).length;
      const standIns = active.positions.filter((p) => !p.isPrimary).map(({ node }) => node);
      const fresh = new Set(standIns.filter((node) => !inList.has(node)));
      return fresh.size === Math.min(spare, standIns.length);
    }),
  );
  t.end();
});

t.test('a node holds a partition exactly when it is on its list', (t) => {
  fc.assert(
    fc.property(anyRing, fc.integer({ min: 1, max: 5 }), (ring, n) => {
      return ring.nodes.every((node) => {
        const held = new Set(ring.partitionsHeldBy(node, n));
        return Array.from({ length: ring.ringSize }, (_, index) => P(index)).every(
          (partition) => held.has(partition) === ring.isReplica(partition, n, node),
        );
      });
    }),
    { numRuns: 30 },
  );
  t.end();
});

t.test('owners, their partitions and their locations can be looked up', (t) => {
  const ring = ringFromOwners(membersOf(2, 2), [A, B, A, B, A, B, A, A]);
  t.same(ring.partitionsOf(B), [1, 3, 5]);
  t.equal(ring.locationOf(B), 'rack1');
  t.equal(ring.locationOf(D), '');
  t.same(ring.nodes, [A, B]);
  t.throws(() => ring.ownerOf(P(8)), /below the ring size/);
  t.throws(() => ring.preferenceList(P(0), 0), /at least one replica/);
  t.end();
});
