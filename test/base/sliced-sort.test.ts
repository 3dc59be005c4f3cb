/** Long lists are sorted as short ones are, and in slices that are bounded. */

import fc from 'fast-check';
import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import { sortInSlices } from '../../src/base/sliced-sort.ts';

interface Item {
  readonly rank: number;
  readonly place: number;
}

const byRank = (left: Item, right: Item): number => left.rank - right.rank;

function itemsOf(ranks: readonly number[]): Item[] {
  return ranks.map((rank, place) => ({ rank, place }));
}

t.test('what comes out is what a stable sort makes of it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), fc.constantFrom(1, 500, 5_000), (ranks, times) => {
      const items = itemsOf(
        Array.from({ length: times }, () => ranks)
          .flat()
          .slice(0, 60_000),
      );
      const sorted = runAtOnce(sortInSlices(items, byRank));
      const expected = items.toSorted(byRank);
      return sorted.length === items.length && sorted.every((item, at) => item === expected[at]);
    }),
    { numRuns: 40 },
  );
  t.end();
});

t.test('no slice of a long list compares more than a short list needs', (t) => {
  let [now, most, slices] = [0, 0, 0];
  const counted = (left: Item, right: Item): number => {
    now += 1;
    return byRank(left, right);
  };
  const items = itemsOf(Array.from({ length: 200_000 }, (_, at) => (at * 7_919) % 200_003));
  const work = sortInSlices(items, counted);
  for (let step = work.next(); ; step = work.next()) {
    most = Math.max(most, now);
    now = 0;
    slices += 1;
    if (step.done !== true) continue;
    t.ok(step.value.every(({ rank }, at, all) => at === 0 || (all[at - 1]?.rank ?? 0) < rank));
    break;
  }
  t.ok(most <= 8_192 * 13, `${most} comparisons`);
  t.ok(slices > 100, `${slices} slices`);
  t.end();
});
