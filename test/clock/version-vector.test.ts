/** Version vectors: a partial order with least upper bounds. */

import fc from 'fast-check';
import t from 'tap';
import {
  EMPTY_VERSION_VECTOR,
  concurrent,
  covers,
  descends,
  equals,
  merge,
  withDot,
} from '../../src/clock/version-vector.ts';
import type { Actor, VersionVector } from '../../src/clock/version-vector.ts';

const [a, b, c] = ['a', 'b', 'c'] as Actor[] as [Actor, Actor, Actor];

const vectors: fc.Arbitrary<VersionVector> = fc
  .array(fc.tuple(fc.constantFrom(a, b, c), fc.integer({ min: 1, max: 3 })), { maxLength: 4 })
  .map((entries) => new Map(entries));

t.test('descends is a partial order, and concurrent is what it leaves out', (t) => {
  fc.assert(
    fc.property(vectors, vectors, vectors, (x, y, z) => {
      const isTransitive = !(descends(x, y) && descends(y, z)) || descends(x, z);
      const isAntisymmetric = (descends(x, y) && descends(y, x)) === equals(x, y);
      return (
        descends(x, x) &&
        descends(x, EMPTY_VERSION_VECTOR) &&
        isTransitive &&
        isAntisymmetric &&
        concurrent(x, y) === (!descends(x, y) && !descends(y, x))
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('merge is the least vector that descends both', (t) => {
  fc.assert(
    fc.property(vectors, vectors, vectors, (x, y, z) => {
      const merged = merge(x, y);
      return (
        descends(merged, x) &&
        descends(merged, y) &&
        equals(merged, merge(y, x)) &&
        (!(descends(z, x) && descends(z, y)) || descends(z, merged))
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a vector covers the dots it was given and all before them', (t) => {
  fc.assert(
    fc.property(
      vectors,
      fc.constantFrom(a, b, c),
      fc.integer({ min: 1, max: 4 }),
      (x, actor, counter) => {
        const next = withDot(x, { actor, counter });
        return (
          covers(next, { actor, counter }) &&
          descends(next, x) &&
          equals(next, x) === covers(x, { actor, counter })
        );
      },
    ),
  );
  t.end();
});
