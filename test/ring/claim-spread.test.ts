/** Spreading: each item as often as asked, and never closer than the circle allows. */

import fc from 'fast-check';
import t from 'tap';
import { spread } from '../../src/ring/claim-spread.ts';

const anyItems = fc
  .array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 20 })
  .map((counts) => counts.map((count, item) => ({ item, count })));

t.test('each item appears as often as it is wanted', (t) => {
  fc.assert(
    fc.property(anyItems, (items) => {
      const circle = spread(items);
      return items.every(
        ({ item, count }) => circle.filter((each) => each === item).length === count,
      );
    }),
  );
  t.end();
});

t.test('equal items are never closer than length over the greatest count', (t) => {
  fc.assert(
    fc.property(anyItems, (items) => {
      const circle = spread(items);
      const spacing = Math.floor(circle.length / Math.max(...items.map(({ count }) => count)));
      return circle.every((item, place) => {
        for (let distance = 1; distance < spacing; distance += 1) {
          if (circle[(place + distance) % circle.length] === item) return false;
        }
        return true;
      });
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('nothing wanted is an empty circle', (t) => {
  t.same(spread([{ item: 0, count: 0 }]), []);
  t.end();
});
