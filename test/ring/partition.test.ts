/** Partitions: every key has one, near keys differ, and only the bucket counts if it is asked for. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../../src/base/names.ts';
import { isRingSize, partitionOf } from '../../src/ring/partition.ts';

function keyOf(key: string, bucket = 'patients'): ObjectKey {
  return {
    type: DEFAULT_BUCKET_TYPE,
    bucket: utf8ToByteString(bucket),
    key: utf8ToByteString(key),
  };
}

t.test('a partition is below the ring size, for every ring size', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 3, max: 10 }), (key, power) => {
      const partition = partitionOf(keyOf(key), 2 ** power);
      return Number.isInteger(partition) && partition >= 0 && partition < 2 ** power;
    }),
  );
  t.end();
});

t.test('doubling the ring splits each partition in two', (t) => {
  fc.assert(
    fc.property(fc.string(), (key) => {
      return partitionOf(keyOf(key), 64) === partitionOf(keyOf(key), 128) >>> 1;
    }),
  );
  t.end();
});

t.test('a partition is what it has always been, or stored keys would be lost', (t) => {
  t.equal(partitionOf(keyOf('9990000018'), 64), 31);
  t.equal(partitionOf(keyOf('9990000026'), 64), 45);
  t.equal(partitionOf(keyOf('ũ'), 1024), 123);
  t.end();
});

t.test('keys spread evenly', (t) => {
  const counts = Array.from({ length: 64 }, () => 0);
  for (let index = 0; index < 64_000; index += 1) {
    const partition = partitionOf(keyOf(`999${index}`), 64);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  t.ok(Math.min(...counts) > 850, `the emptiest holds ${Math.min(...counts)} of 1000`);
  t.ok(Math.max(...counts) < 1150, `the fullest holds ${Math.max(...counts)} of 1000`);
  t.end();
});

t.test('keys whose characters share low bytes do not fall together', (t) => {
  t.not(partitionOf(keyOf('ũ'), 1024), partitionOf(keyOf('i'), 1024));
  t.end();
});

t.test('where bucket ends and key begins matters', (t) => {
  t.not(partitionOf(keyOf('bc', 'a'), 1024), partitionOf(keyOf('c', 'ab'), 1024));
  t.end();
});

t.test('with the bucket-only hash all keys of a bucket share a partition', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (left, right) => {
      return partitionOf(keyOf(left), 64, true) === partitionOf(keyOf(right), 64, true);
    }),
  );
  const partitions = new Set(
    Array.from({ length: 100 }, (_, index) => partitionOf(keyOf('k', `bucket${index}`), 64, true)),
  );
  t.ok(partitions.size > 30, 'buckets still spread');
  t.end();
});

t.test('a ring size is a power of two from 8 to 1024', (t) => {
  t.ok([8, 16, 32, 64, 128, 256, 512, 1024].every(isRingSize));
  t.notOk([0, 1, 4, 12, 65, 2048, 64.5, Number.NaN].some(isRingSize));
  t.end();
});
