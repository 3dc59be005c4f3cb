/** The nearest name is the one that was meant, and there may be none. */

import fc from 'fast-check';
import t from 'tap';
import { editDistance, findNearestName } from '../../src/config/nearest-name.ts';

t.test('the edit distance is a metric', (t) => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      const ab = editDistance(a, b);
      return (
        (ab === 0) === (a === b) &&
        ab === editDistance(b, a) &&
        ab <= editDistance(a, c) + editDistance(c, b) &&
        ab <= Math.max(a.length, b.length)
      );
    }),
  );
  t.equal(editDistance('kitten', 'sitting'), 3);
  t.end();
});

t.test('the nearest known name is found, unless nothing is near', (t) => {
  const known = ['ring_size', 'durability', 'nodes'];
  t.equal(findNearestName('rign_size', known), 'ring_size');
  t.equal(findNearestName('Durabilty', known), 'durability');
  t.equal(findNearestName('node', known), 'nodes');
  t.equal(findNearestName('xyz', known), undefined);
  t.equal(findNearestName('n'.repeat(100_000), known), undefined);
  t.end();
});
