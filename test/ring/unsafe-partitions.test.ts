/** Which partitions have too few places, by each of the three measures. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { Ring } from '../../src/ring/ring.ts';
import { unsafePartitions } from '../../src/ring/unsafe-partitions.ts';

/** Owners in turn, each node at the location of its place in `locations`. */
function ringOf(locations: readonly string[], ringSize = 8): Ring {
  return new Ring({
    ringSize,
    members: locations.map((location, index) => ({ id: `n${index}` as NodeId, location })),
    ownerByPartition: Array.from({ length: ringSize }, (_, index) => index % locations.length),
  });
}

const all = (): boolean => true;

t.test('four nodes without locations are safe for n of three while all are up', (t) => {
  const ring = ringOf(['', '', '', '']);
  t.same(unsafePartitions(ring, 3, all), { nodes: 0, down: 0, locations: 0 });
  // Each list of three leaves out one of the four.
  const withoutOne = unsafePartitions(ring, 3, (node) => node !== 'n0');
  t.same(withoutOne, { nodes: 0, down: 6, locations: 0 });
  t.end();
});

t.test('too few nodes are unsafe everywhere, and nodes that are down come on top', (t) => {
  t.same(unsafePartitions(ringOf(['', '']), 3, all), { nodes: 8, down: 8, locations: 0 });
  t.same(unsafePartitions(ringOf(['']), 1, all), { nodes: 0, down: 0, locations: 0 });
  t.same(unsafePartitions(ringOf(['', '']), 1, (node) => node === 'n1').down, 4);
  t.end();
});

t.test('replicas should be at as many locations as there are, up to n', (t) => {
  const two = ringOf(['a', 'a', 'b', 'b']);
  t.equal(unsafePartitions(two, 3, all).locations, 0, 'any three of a a b b are at two');
  t.equal(unsafePartitions(two, 2, all).locations, 4, 'a a and b b are at one');
  const lone = ringOf(['a', 'a', 'a', 'b']);
  t.equal(unsafePartitions(lone, 3, all).locations, 2, 'a a a is at one');
  t.equal(unsafePartitions(ringOf(['a', 'a', 'a']), 3, all).locations, 0, 'there is one only');
  t.equal(unsafePartitions(ringOf(['a', 'b', '']), 3, all).locations, 0, 'none is a location');
  t.end();
});
