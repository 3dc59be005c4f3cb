/**
 * Who takes part in a request, and what each one's reply counts for.
 */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId, Partition } from '../../src/base/names.ts';
import { ActiveLists, type ClusterView } from '../../src/coordinator/participants.ts';
import { reachOf } from '../../src/coordinator/requirement.ts';
import { claim } from '../../src/ring/claim.ts';
import { Ring } from '../../src/ring/ring.ts';

class Cluster implements ClusterView {
  readonly nodes: readonly NodeId[];
  readonly down = new Set<NodeId>();
  readonly #ring: Ring;
  readonly #jointRing: Ring | undefined;

  /** With `nextCount` a step to a ring of so many nodes is open. */
  constructor(nodeCount: number, nextCount?: number) {
    const count = Math.max(nodeCount, nextCount ?? 0);
    this.nodes = Array.from({ length: count }, (_, index) => `n${index}` as NodeId);
    this.#ring = ringOf(this.nodes.slice(0, nodeCount));
    this.#jointRing = nextCount === undefined ? undefined : ringOf(this.nodes.slice(0, nextCount));
  }

  jointRing(): Ring | undefined {
    return this.#jointRing;
  }

  ring(): Ring {
    return this.#ring;
  }

  isUp(node: NodeId): boolean {
    return !this.down.has(node);
  }

  livenessVersion(): number {
    return this.down.size;
  }
}

function ringOf(nodes: readonly NodeId[]): Ring {
  const members = nodes.map((id) => ({ id, location: '' }));
  const { ownerByPartition } = claim({ members, ringSize: 16 });
  return new Ring({
    ringSize: 16,
    members,
    ownerByPartition: ownerByPartition.map((owner) => nodes.indexOf(owner)),
  });
}

const P = 3 as Partition;

t.test('a sloppy list covers all n positions while a node is up, each node asked once', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat({ max: 15 }),
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      (nodeCount, n, partition, isDown) => {
        const cluster = new Cluster(nodeCount);
        cluster.nodes.forEach((node, index) => {
          if (isDown[index] === true) cluster.down.add(node);
        });
        const lists = new ActiveLists(cluster);
        const sloppy = lists.participants(partition as Partition, n, true);
        const strict = lists.participants(partition as Partition, n, false);
        const isAlive = cluster.down.size < nodeCount;
        const asked = new Set(sloppy.map(({ node }) => node));
        return (
          reachOf(sloppy).positions === (isAlive ? n : 0) &&
          asked.size === sloppy.length &&
          [...asked].every((node) => cluster.isUp(node)) &&
          sloppy.every(({ hintTargets }) => hintTargets.every((node) => !cluster.isUp(node))) &&
          strict.every(({ positionCount, primaryCount }) => positionCount === primaryCount) &&
          reachOf(strict).primaries === reachOf(sloppy).primaries
        );
      },
    ),
  );
  t.end();
});

t.test('lists are kept until ring or liveness change', (t) => {
  const cluster = new Cluster(5);
  const lists = new ActiveLists(cluster);
  const before = lists.participants(P, 3, true);
  t.equal(lists.participants(P, 3, true), before);
  const [first] = before;
  cluster.down.add(first?.node as NodeId);
  const after = lists.participants(P, 3, true);
  t.same(
    after.flatMap(({ hintTargets }) => hintTargets),
    [first?.node],
  );
  cluster.down.clear();
  t.same(lists.participants(P, 3, true), before);
  t.end();
});

t.test('a stand-in is a node that was not asked, and owes what the lost one did', (t) => {
  const cluster = new Cluster(5);
  const lists = new ActiveLists(cluster);
  const asked = lists.participants(P, 3, true);
  const [lost] = asked;
  if (lost === undefined) throw new Error('a list of three');
  const tried = asked.map(({ node }) => node);
  const standIn = lists.findStandIn({ partition: P, n: 3 }, lost, tried);
  t.notOk(tried.includes(standIn?.node as NodeId));
  t.match(standIn, { positionCount: 1, primaryCount: 0, hintTargets: [lost.node] });
  if (standIn === undefined) throw new Error('five nodes leave two');
  const next = lists.findStandIn({ partition: P, n: 3 }, standIn, [...tried, standIn.node]);
  t.same(next?.hintTargets, [lost.node]);
  t.equal(lists.findStandIn({ partition: P, n: 3 }, lost, cluster.nodes), undefined);
  t.end();
});

t.test('without a step a write has one list', (t) => {
  const lists = new ActiveLists(new Cluster(5));
  t.equal(lists.jointLists(P, 3, true), undefined);
  t.end();
});

t.test('while a step is open a write goes to the lists of both rings, to each node once', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 6 }),
      fc.record({ n: fc.integer({ min: 1, max: 4 }), partition: fc.nat({ max: 15 }) }),
      fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      fc.boolean(),
      (nodeCount, nextCount, { n, partition }, isDown, isSloppy) => {
        const cluster = new Cluster(nodeCount, nextCount);
        cluster.nodes.forEach((node, index) => {
          if (isDown[index] === true) cluster.down.add(node);
        });
        const lists = new ActiveLists(cluster);
        const place = partition as Partition;
        const ours = lists.participants(place, n, isSloppy);
        const joint = lists.jointLists(place, n, isSloppy);
        const [left, right] = joint?.each ?? [ours, ours];
        const union = joint?.union ?? ours;
        const names = union.map(({ node }) => node);
        return (
          left.every(({ node }, index) => node === ours[index]?.node) &&
          new Set(names).size === names.length &&
          [...left, ...right].every((part) => {
            const whole = union.find(({ node }) => node === part.node);
            return (
              whole !== undefined &&
              whole.primaryCount >= part.primaryCount &&
              part.hintTargets.every((target) => whole.hintTargets.includes(target))
            );
          })
        );
      },
    ),
  );
  t.end();
});
