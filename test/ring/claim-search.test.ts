/** The search for a ring: what is kept of it is what counting anew would find, and it gives way. */

import fc from 'fast-check';
import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import { NearCounts } from '../../src/ring/claim-near.ts';
import { ClaimSearch, LOOKS_PER_SLICE, type ClaimRules } from '../../src/ring/claim-search.ts';

interface Start {
  readonly rules: ClaimRules;
  readonly owners: readonly number[];
}

/** The search as its module comment has it: each trial judges all places of the ring. */
function improvedByCounting({ rules, owners: start }: Start): number[] {
  const { ringSize, locationByNode } = rules;
  const owners = [...start];
  const fewest = Math.floor(ringSize / locationByNode.length);
  const countOf = (node: number): number => owners.filter((owner) => owner === node).length;
  const owned = (change: readonly (readonly [number, number])[]): number[] => {
    const changed = [...owners];
    for (const [place, node] of change) changed[place] = node;
    return changed;
  };
  const better = (place: number): number[] | undefined => {
    let best: number[] | undefined;
    let bestGain = 0;
    const current = owners[place] as number;
    const consider = (change: readonly (readonly [number, number])[]): void => {
      const changed = owned(change);
      let gain = 0;
      for (const [each] of change)
        gain += costOf(rules, owners, each) - costOf(rules, changed, each);
      if (gain > bestGain) [best, bestGain] = [changed, gain];
    };
    for (const [partner, node] of owners.entries()) {
      if (node !== current)
        consider([
          [place, node],
          [partner, current],
        ]);
    }
    if (countOf(current) <= fewest) return best;
    for (const node of locationByNode.keys()) {
      if (node !== current && countOf(node) <= fewest) consider([[place, node]]);
    }
    return best;
  };
  for (let improved = true; improved;) {
    improved = false;
    for (let place = 0; place < ringSize; place += 1) {
      while (costOf(rules, owners, place) > 0) {
        const changed = better(place);
        if (changed === undefined) break;
        owners.splice(0, ringSize, ...changed);
        improved = true;
      }
    }
  }
  return owners;
}

function costOf(rules: ClaimRules, owners: readonly number[], place: number): number {
  const { ringSize, nodeSpacing, locationSpacing, locationByNode, previous } = rules;
  const node = owners[place] as number;
  const before = previous[place];
  const nodes = nearIn(owners, place, { spacing: nodeSpacing, value: node });
  const locations = nearIn(
    owners.map((owner) => locationByNode[owner] as number),
    place,
    { spacing: locationSpacing, value: locationByNode[node] as number },
  );
  const locationWeight = ringSize + 1;
  return (
    nodes * locationWeight * ringSize * locationSpacing +
    locations * locationWeight +
    (before !== -1 && before !== node ? 1 : 0)
  );
}

function nearIn(
  circle: readonly number[],
  place: number,
  { spacing, value }: { readonly spacing: number; readonly value: number },
): number {
  let count = 0;
  for (let distance = 1; distance < spacing; distance += 1) {
    if (circle[(place + distance) % circle.length] === value) count += 1;
    if (circle[(place - distance + circle.length) % circle.length] === value) count += 1;
  }
  return count;
}

function startsOf(ringSizes: readonly number[]): fc.Arbitrary<Start> {
  return fc
    .record({
      ringSize: fc.constantFrom(...ringSizes),
      nodeCount: fc.integer({ min: 1, max: 8 }),
      locationCount: fc.integer({ min: 1, max: 4 }),
      nodeSpacing: fc.integer({ min: 1, max: 8 }),
      locationSpacing: fc.integer({ min: 1, max: 8 }),
      order: fc.infiniteStream(fc.nat(1_000_000)),
      isNew: fc.boolean(),
    })
    .map(({ ringSize, nodeCount, locationCount, nodeSpacing, locationSpacing, order, isNew }) => {
      const shuffled = (): number[] =>
        Array.from({ length: ringSize }, (_, place) => ({
          node: place % nodeCount,
          key: order.next().value as number,
        }))
          .sort((left, right) => left.key - right.key)
          .map(({ node }) => node);
      const owners = shuffled();
      const previous = shuffled().map((node) => (isNew || node === 0 ? -1 : node));
      const locationByNode = Array.from({ length: nodeCount }, (_, node) => node % locationCount);
      return {
        rules: { ringSize, nodeSpacing, locationSpacing, locationByNode, previous },
        owners,
      };
    });
}

t.test('it takes the steps that counting anew takes', (t) => {
  fc.assert(
    fc.property(startsOf([8, 16]), (start) => {
      const search = new ClaimSearch(start.rules, start.owners);
      runAtOnce(search.improve());
      t.strictSame(search.owners(), improvedByCounting(start));
    }),
    { numRuns: 60 },
  );
  t.end();
});

t.test('what stands near a place is known after any replacements, round the seam too', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 2, maxLength: 9 }),
      fc.nat(8),
      fc.array(fc.tuple(fc.nat(8), fc.nat(3)), { maxLength: 6 }),
      (circle, drawn, replacements) => {
        const spacing = 1 + (drawn % circle.length);
        const near = new NearCounts(circle, { valueCount: 4, spacing });
        for (const [at, value] of replacements) {
          const place = at % circle.length;
          near.replace(place, circle[place] as number, value);
          circle[place] = value;
        }
        for (const place of circle.keys()) {
          for (const value of [0, 1, 2, 3]) {
            if (near.count(value, place) !== nearIn(circle, place, { spacing, value })) {
              throw new Error(`${value} at ${place}`);
            }
          }
          for (const other of circle.keys()) {
            if (other === place) continue;
            const alone = circle.map((_, each) => (each === other ? 1 : 0));
            if (near.between(place, other) !== nearIn(alone, place, { spacing, value: 1 })) {
              throw new Error(`between ${place} and ${other}`);
            }
          }
        }
      },
    ),
  );
  t.end();
});

t.test('no slice looks at more than it may and one step', (t) => {
  const ringSize = 1_024;
  for (const [nodeCount, spacing] of [
    [64, 4],
    [64, 16],
    [512, 512],
  ] as const) {
    const locationByNode = Array.from({ length: nodeCount }, (_, node) => node % 7);
    const owners = Array.from({ length: ringSize }, (_, place) => (place * 5) % nodeCount);
    const previous = owners.map((node) => (node * 3) % nodeCount);
    const rules = { ringSize, locationByNode, nodeSpacing: spacing, locationSpacing: 7, previous };
    const search = new ClaimSearch(rules, owners);
    const work = search.improve();
    const slices: number[] = [];
    for (let done: boolean | undefined = false; done !== true;) {
      const before = search.looks;
      done = work.next().done;
      slices.push(search.looks - before);
    }
    // A trial with each partition and node, and both places and all near them renewed.
    const stepMax = ringSize + nodeCount + 12 * Math.max(spacing, 7);
    t.ok(slices.length > 5, `${slices.length} slices`);
    t.same(
      slices.filter((looks) => looks > LOOKS_PER_SLICE + stepMax),
      [],
    );
  }
  t.end();
});
