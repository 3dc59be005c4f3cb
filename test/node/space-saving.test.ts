/** The sketch's guarantees, against exact sums, for any stream. */

import fc from 'fast-check';
import t from 'tap';
import { SpaceSaving } from '../../src/node/space-saving.ts';

/** An occurrence of one of a dozen items, the first of them likelier; or all that was halved. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(fc.nat(11), fc.nat(11)).map(([a, b]) => `${Math.min(a, b)}`) },
  { weight: 1, arbitrary: fc.constant('halve' as const) },
);

function exactSums(steps: readonly string[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const each of steps) {
    if (each === 'halve') for (const [item, sum] of sums) sums.set(item, sum / 2);
    else sums.set(each, (sums.get(each) ?? 0) + 1);
  }
  return sums;
}

t.test(
  'no count is too low, nor too high by more than its error; no error above the bound',
  (t) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 14 }),
        (steps, capacity) => {
          const sketch = new SpaceSaving(capacity);
          for (const each of steps) {
            if (each === 'halve') sketch.halve();
            else sketch.add(each);
          }
          const sums = exactSums(steps);
          const total = [...sums.values()].reduce((left, right) => left + right, 0);
          const bound = total / capacity + 1e-9;
          const items = sketch.items();
          // Halved numbers are rounded when they are added up in another order.
          const isClose = Math.abs(sketch.total - total) <= 1e-9 * (1 + total);
          const counted = new Map(items.map((each) => [each.item, each]));
          return (
            isClose &&
            items.length === Math.min(capacity, counted.size) &&
            items.every(({ item, count, error }, index) => {
              const exact = sums.get(item) ?? 0;
              const isInOrder = index === 0 || count <= (items[index - 1]?.count ?? 0);
              const isWithin = count - error <= exact + 1e-9 && exact <= count + 1e-9;
              return isInOrder && isWithin && error <= bound;
            }) &&
            [...sums].every(([item, exact]) => counted.has(item) || exact <= bound)
          );
        },
      ),
    );
    t.end();
  },
);

t.test('with room for all items counts are exact', (t) => {
  const sketch = new SpaceSaving(3);
  for (const item of ['b', 'a', 'c', 'a', 'b', 'a']) sketch.add(item);
  t.same(sketch.items(), [
    { item: 'a', count: 3, error: 0 },
    { item: 'b', count: 2, error: 0 },
    { item: 'c', count: 1, error: 0 },
  ]);
  t.end();
});
