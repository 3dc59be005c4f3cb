/** Claim for changes: exact replacement, balance, few moves, and impossible rings refused by name. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import { claimChange, type ChangedRing, type ClaimChange } from '../../src/ring/claim-change.ts';
import { claim, type ClaimMember } from '../../src/ring/claim.ts';
import { membersOf, nodeOf, ringFromOwners } from './clusters.ts';

type Claimed = Extract<ChangedRing, { kind: 'claimed' }>;

function claimed(ring: ChangedRing): Claimed {
  if (ring.kind !== 'claimed') throw new Error(ring.kind);
  return ring;
}

function countsOf(owners: readonly NodeId[], members: readonly ClaimMember[]): number[] {
  return members.map(({ id }) => owners.filter((owner) => owner === id).length);
}

/** A ring in force and who is to own it afterwards. */
const anyChange: fc.Arbitrary<ClaimChange & { readonly before: readonly ClaimMember[] }> = fc
  .record({
    ringSize: fc.constantFrom(8, 16, 32),
    nodeCount: fc.integer({ min: 1, max: 8 }),
    locationCount: fc.integer({ min: 0, max: 4 }),
    leaving: fc.uniqueArray(fc.nat(7), { maxLength: 4 }),
    joiningCount: fc.integer({ min: 0, max: 4 }),
    replaced: fc.boolean(),
    isRelocating: fc.boolean(),
    targetN: fc.integer({ min: 1, max: 5 }),
  })
  .map((drawn) => {
    const { ringSize, nodeCount, locationCount, joiningCount } = drawn;
    const everyone = membersOf(nodeCount + joiningCount, locationCount);
    const before = everyone.slice(0, nodeCount);
    const leaving = new Set(drawn.leaving.filter((index) => index < nodeCount).map(nodeOf));
    const successors = new Map<NodeId, NodeId>();
    const [gone] = leaving;
    if (drawn.replaced && gone !== undefined && joiningCount > 0) {
      successors.set(gone, nodeOf(nodeCount));
    }
    return {
      before,
      owners: claim({ members: before, ringSize }).ownerByPartition,
      members: everyone.filter(({ id }) => !leaving.has(id)),
      successors,
      isRelocating: drawn.isRelocating,
      targetN: drawn.targetN,
    };
  });

t.test('a changed ring is balanced over its members, deterministic, or refused by name', (t) => {
  fc.assert(
    fc.property(anyChange, (change) => {
      const ring = runAtOnce(claimChange(change));
      t.same(runAtOnce(claimChange({ ...change, members: change.members.toReversed() })), ring);
      if (change.members.length === 0) return ring.kind === 'no-nodes';
      if (change.members.length > change.owners.length) {
        return ring.kind === 'more-nodes-than-partitions';
      }
      const counts = countsOf(claimed(ring).owners, change.members);
      const isBalanced = Math.max(...counts) - Math.min(...counts) <= 1;
      const total = counts.reduce((sum, count) => sum + count, 0);
      return isBalanced && total === change.owners.length;
    }),
    { numRuns: 1_000 },
  );
  t.end();
});

t.test('who replaces another gets exactly its partitions and nothing else moves', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.nat(8),
      fc.constantFrom(16, 64),
      (nodeCount, drawn, ringSize) => {
        const everyone = membersOf(nodeCount + 1, 3);
        const before = everyone.slice(0, nodeCount);
        const [gone, successor] = [nodeOf(drawn % nodeCount), nodeOf(nodeCount)];
        const owners = claim({ members: before, ringSize }).ownerByPartition;
        const ring = runAtOnce(
          claimChange({
            owners,
            members: everyone.filter(({ id }) => id !== gone),
            successors: new Map([[gone, successor]]),
            isRelocating: false,
            targetN: 4,
          }),
        );
        const wanted = owners.map((owner) => (owner === gone ? successor : owner));
        t.same(claimed(ring).owners, wanted);
      },
    ),
  );
  t.end();
});

t.test('a node that joins four or more moves two shares at most', (t) => {
  for (let nodeCount = 4; nodeCount <= 12; nodeCount += 1) {
    const everyone = membersOf(nodeCount + 1);
    const owners = claim({ members: everyone.slice(0, nodeCount), ringSize: 64 }).ownerByPartition;
    const change = { owners, members: everyone, successors: new Map(), isRelocating: false };
    const ring = claimed(runAtOnce(claimChange({ ...change, targetN: 4 })));
    const moved = ring.owners.filter((owner, partition) => owner !== owners[partition]).length;
    const share = Math.ceil(64 / (nodeCount + 1));
    t.ok(
      moved <= 2 * share,
      `${nodeCount} nodes and one more: ${moved} moved, a share is ${share}`,
    );
  }
  t.end();
});

t.test('nothing moves when nobody comes, goes or changes place', (t) => {
  fc.assert(
    fc.property(anyChange, (change) => {
      const same = { ...change, members: change.before, successors: new Map<NodeId, NodeId>() };
      if (same.before.length > change.owners.length) return true;
      const owning = new Set(change.owners);
      if (same.before.some(({ id }) => !owning.has(id))) return true;
      t.same(
        claimed(runAtOnce(claimChange({ ...same, isRelocating: false }))).owners,
        change.owners,
      );
      return true;
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('replicas on distinct nodes stay on distinct nodes where there are enough', (t) => {
  fc.assert(
    fc.property(anyChange, (change) => {
      if (change.members.length < 5 || change.owners.length < 16) return true;
      if (change.successors.size > 0) return true;
      const ring = ringFromOwners(change.members, claimed(runAtOnce(claimChange(change))).owners);
      for (let partition = 0; partition < ring.ringSize; partition += 1) {
        const owners = [0, 1].map((step) =>
          ring.ownerOf(((partition + step) % ring.ringSize) as never),
        );
        if (owners[0] === owners[1]) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.end();
});

t.test('too few nodes for the copies asked for is a warning, as in Riak', (t) => {
  const members = membersOf(2);
  const owners = claim({ members, ringSize: 16 }).ownerByPartition;
  const change = { owners, members, successors: new Map(), isRelocating: true, targetN: 3 };
  t.same(claimed(runAtOnce(claimChange(change))).warnings, [
    { kind: 'fewer-nodes-than-target', nodes: 2, targetN: 4 },
  ]);
  t.end();
});
