/** Long lists are gone over as short ones are, and in slices that are bounded. */

import fc from 'fast-check';
import t from 'tap';
import { runAtOnce, type Sliced } from '../../src/base/sliced.ts';
import { distinctInSlices, mapInSlices, sortInSlices } from '../../src/base/sliced-lists.ts';

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

t.test('of neighbours that are the same the first stays', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(5)), fc.constantFrom(1, 3_000), (ranks, times) => {
      const items = itemsOf(ranks.flatMap((rank) => Array.from({ length: times }, () => rank)));
      const work = distinctInSlices(items, (left, right) => left.rank === right.rank);
      const expected = items.filter(({ rank }, at) => rank !== items[at - 1]?.rank);
      t.same(runAtOnce(work), expected);
    }),
    { numRuns: 40 },
  );
  t.end();
});

t.test('each item is changed once and in order, until one cannot be', (t) => {
  fc.assert(
    fc.property(fc.nat(20_000), fc.nat(20_000), (count, bad) => {
      const seen: number[] = [];
      const change = (item: number): string | undefined => {
        seen.push(item);
        return item === bad ? undefined : `${item}`;
      };
      const items = Array.from({ length: count }, (_, at) => at);
      const changed = runAtOnce(mapInSlices(items, change));
      t.same(changed, bad < count ? undefined : items.map(String));
      t.same(seen, items.slice(0, bad + 1));
    }),
    { numRuns: 20 },
  );
  t.end();
});

t.test('no slice goes over more than some thousand items', (t) => {
  const items = Array.from({ length: 100_000 }, (_, at) => at);
  let now = 0;
  const looked = <T>(result: T): T => {
    now += 1;
    return result;
  };
  const works: (() => Sliced<unknown>)[] = [
    () => distinctInSlices(items, (left, right) => looked(left === right)),
    () => mapInSlices(items, (item) => looked(item)),
  ];
  for (const begin of works) {
    let most = 0;
    const work = begin();
    for (let isDone = false; !isDone;) {
      now = 0;
      isDone = work.next().done === true;
      most = Math.max(most, now);
    }
    t.ok(most > 0 && most <= 8_192, `${most} items`);
  }
  t.end();
});
