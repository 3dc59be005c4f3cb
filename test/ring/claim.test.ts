/** Claim: balanced, spread, the same for everyone, and moving little. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { claim, type ClaimMember } from '../../src/ring/claim.ts';
import { membersOf, nodeOf, ringSizes } from './clusters.ts';

const memberCounts = fc.integer({ min: 1, max: 20 });
const locationCounts = fc.integer({ min: 0, max: 5 });

/** What is wrong with the ring by the first two promises; '' if nothing. */
function flaw(members: readonly ClaimMember[], owners: readonly NodeId[], targetN = 4): string {
  const counts = members.map(({ id }) => owners.filter((owner) => owner === id).length);
  if (Math.max(...counts) - Math.min(...counts) > 1) return `unbalanced: ${counts.join(' ')}`;
  const size = owners.length;
  const spacing = Math.min(targetN, Math.floor(size / Math.ceil(size / members.length)));
  for (let partition = 0; partition < size; partition += 1) {
    for (let distance = 1; distance < spacing; distance += 1) {
      if (owners[partition] === owners[(partition + distance) % size]) {
        return `${partition} and the partition ${distance} further share a node`;
      }
    }
  }
  return '';
}

/** Partitions for which fewer than `n` locations are met in the next `n` partitions. */
function locationRepeats(members: readonly ClaimMember[], owners: readonly NodeId[], n: number) {
  const locationById = new Map(members.map(({ id, location }) => [id, location]));
  return owners.filter((_, partition) => {
    const met = new Set<string | undefined>();
    for (let distance = 0; distance < n; distance += 1) {
      met.add(locationById.get(owners[(partition + distance) % owners.length] as NodeId));
    }
    return met.size < n;
  }).length;
}

t.test('a new ring is balanced and its neighbours are distinct, round the seam too', (t) => {
  fc.assert(
    fc.property(memberCounts, locationCounts, ringSizes, (count, locationCount, ringSize) => {
      const members = membersOf(count, locationCount);
      fc.pre(ringSize <= 128);
      const problem = flaw(members, claim({ members, ringSize }).ownerByPartition);
      if (problem !== '') throw new Error(problem);
    }),
  );
  t.end();
});

t.test('joins and leaves keep balance and distance', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(8, 16, 32, 64),
      locationCounts,
      fc.array(fc.uniqueArray(fc.nat(19), { minLength: 1, maxLength: 20 }), {
        minLength: 2,
        maxLength: 5,
      }),
      (ringSize, locationCount, memberships) => {
        const all = membersOf(20, locationCount);
        let previous: readonly NodeId[] | undefined;
        for (const indexes of memberships) {
          const members = indexes.map((index) => all[index] as ClaimMember);
          const { ownerByPartition } = claim({ members, ringSize, previous });
          const problem = flaw(members, ownerByPartition);
          if (problem !== '') throw new Error(problem);
          previous = ownerByPartition;
        }
      },
    ),
    { numRuns: 60 },
  );
  t.end();
});

t.test('the order in which members are named does not matter', (t) => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray(membersOf(9, 3), { minLength: 9 }),
      fc.constantFrom(16, 64),
      (members, ringSize) => {
        t.same(claim({ members, ringSize }), claim({ members: membersOf(9, 3), ringSize }));
      },
    ),
    { numRuns: 20 },
  );
  t.end();
});

t.test('a ring that is as it should be stays as it is', (t) => {
  for (const [count, locationCount] of [
    [1, 0],
    [3, 0],
    [3, 3],
    [6, 3],
    [8, 4],
    [13, 5],
  ] as const) {
    const members = membersOf(count, locationCount);
    const first = claim({ members, ringSize: 64 });
    const again = claim({ members, ringSize: 64, previous: first.ownerByPartition });
    t.equal(again.movedCount, 0, `${count} nodes in ${locationCount} locations`);
  }
  t.end();
});

t.test('a node that joins takes its share and nothing else moves, from five nodes on', (t) => {
  let previous = claim({ members: membersOf(4), ringSize: 256 }).ownerByPartition;
  for (let count = 5; count <= 20; count += 1) {
    const joined = claim({ members: membersOf(count), ringSize: 256, previous });
    const share = Math.ceil(256 / count);
    t.ok(joined.movedCount <= share + 4, `${joined.movedCount} moved for a share of ${share}`);
    previous = joined.ownerByPartition;
  }
  t.end();
});

t.test('locations of equal size are as far apart as nodes', (t) => {
  for (const [count, locationCount] of [
    [4, 2],
    [8, 4],
    [12, 4],
    [16, 4],
    [20, 4],
  ] as const) {
    const members = membersOf(count, locationCount);
    const { ownerByPartition, warnings } = claim({ members, ringSize: 64 });
    t.equal(locationRepeats(members, ownerByPartition, locationCount), 0, `${count} nodes`);
    t.same(warnings, []);
  }
  t.end();
});

t.test('three locations are met in any three partitions but at the seam', (t) => {
  for (const count of [3, 6, 9, 12]) {
    const members = membersOf(count, 3);
    const { ownerByPartition } = claim({ members, ringSize: 64 });
    const repeats = locationRepeats(members, ownerByPartition, 3);
    t.ok(repeats <= 4, `${repeats} of 64 for ${count} nodes`);
  }
  t.end();
});

t.test('what cannot be kept apart is said', (t) => {
  const few = claim({ members: membersOf(2), ringSize: 8 });
  t.same(few.warnings, [{ kind: 'fewer-nodes-than-target', nodes: 2, targetN: 4 }]);

  const tight = claim({ members: membersOf(5), ringSize: 8, targetN: 5 });
  t.equal(tight.warnings[0]?.kind, 'nodes-too-close');

  const lopsided = membersOf(4).map((member, index) => ({
    ...member,
    location: index === 0 ? 'a' : 'b',
  }));
  const warning = claim({ members: lopsided, ringSize: 16 }).warnings[0];
  t.match(warning, { kind: 'locations-too-close' });

  const many = claim({ members: membersOf(10), ringSize: 8 });
  t.match(many.warnings, [{ kind: 'nodes-without-partitions' }]);
  t.end();
});

t.test('an owner that is gone keeps nothing', (t) => {
  const previous = claim({ members: membersOf(6), ringSize: 64 }).ownerByPartition;
  const members = membersOf(6).filter(({ id }) => id !== nodeOf(2));
  const { ownerByPartition } = claim({ members, ringSize: 64, previous });
  t.notOk(ownerByPartition.includes(nodeOf(2)));
  t.end();
});
