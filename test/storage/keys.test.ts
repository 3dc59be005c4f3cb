/**
 * The key layout: decoding undoes encoding for names of any bytes, the order of keys is the order of
 * the tuples of names, and each range holds just what it says.
 */

import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import {
  afterBucket,
  partitionsWithin,
  allHintsRange,
  bucketRange,
  decodeHintKey,
  decodeIndexKey,
  decodeIndexKeyTail,
  decodeMetaKey,
  decodeObjectKey,
  decodeTombKey,
  decodeTreeKey,
  encodeHintKey,
  encodeIndexKey,
  encodeMetaKey,
  encodeObjectKey,
  encodeTombKey,
  encodeTreeKey,
  hintRange,
  indexRange,
  keyAfter,
  metaRange,
  objectKeyRange,
  partitionRange,
  tombRange,
  treeRange,
  typeRange,
} from '../../src/storage/keys.ts';
import type { IndexTerm, KeyRange } from '../../src/storage/keys.ts';

/** Few and difficult bytes, so that prefixes, escapes and ends meet often. */
const difficultName = fc
  .array(fc.constantFrom('\x00', '\x01', '\x02', 'a', 'b', '\xfe', '\xff'), { maxLength: 4 })
  .map((bytes) => bytes.join('') as ByteString);
const anyName = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1') as ByteString);
const name = fc.oneof(difficultName, anyName);
const partition = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0, 1, 0xff, 0x100, 0xff00, 0xffff),
) as fc.Arbitrary<Partition>;
const plain = { noNullPrototype: true };
const objectKey: fc.Arbitrary<ObjectKey> = fc.record(
  { type: name, bucket: name, key: name },
  plain,
);
const indexTerm: fc.Arbitrary<IndexTerm> = fc.record({ field: name, term: name }, plain);
const nodeId = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constant('node1@host'),
) as fc.Arbitrary<NodeId>;

function holds(range: KeyRange, key: Buffer): boolean {
  return Buffer.compare(range.from, key) <= 0 && Buffer.compare(key, range.to) < 0;
}

/** Compares tuples part by part; two strings are compared bytewise, as they hold one byte each. */
function compareTuples(left: readonly (string | number)[], right: readonly (string | number)[]) {
  for (const [index, part] of left.entries()) {
    const other = right[index] ?? '';
    if (part < other) return -1;
    if (part > other) return 1;
  }
  return 0;
}

t.test('each kind of key decodes to what was encoded', (t) => {
  fc.assert(
    fc.property(
      partition,
      objectKey,
      indexTerm,
      nodeId,
      (partition, key, { field, term }, target) => {
        assert.deepStrictEqual(decodeObjectKey(encodeObjectKey(partition, key)), {
          partition,
          key,
        });
        assert.deepStrictEqual(decodeHintKey(encodeHintKey(target, partition, key)), {
          target,
          partition,
          key,
        });
        const indexKey = encodeIndexKey(partition, key, { field, term });
        assert.deepStrictEqual(decodeIndexKey(indexKey), {
          partition,
          key,
          entry: { field, term },
        });
        const { prefixSize } = indexRange({ ...key, field });
        assert.deepStrictEqual(decodeIndexKeyTail(indexKey, prefixSize), {
          term,
          key: key.key,
          partition,
        });
        assert.strictEqual(decodeMetaKey(encodeMetaKey(key.key)), key.key);
        const row = { partition, nVal: partition ^ 0xffff, segment: 7 };
        assert.deepStrictEqual(decodeTreeKey(encodeTreeKey(row)), row);
      },
    ),
    { numRuns: 300 },
  );
  t.end();
});

t.test('the order of object keys is the order of partition, type, bucket, key', (t) => {
  fc.assert(
    fc.property(partition, objectKey, partition, objectKey, (p1, k1, p2, k2) => {
      assert.strictEqual(
        Buffer.compare(encodeObjectKey(p1, k1), encodeObjectKey(p2, k2)),
        compareTuples([p1, k1.type, k1.bucket, k1.key], [p2, k2.type, k2.bucket, k2.key]),
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('the order of index keys is the order of bucket, field, term, key, partition', (t) => {
  const entry = fc.tuple(objectKey, indexTerm, partition);
  const tuple = ([key, { field, term }, partition]: [ObjectKey, IndexTerm, Partition]) =>
    [key.type, key.bucket, field, term, key.key, partition] as const;
  fc.assert(
    fc.property(entry, entry, (left, right) => {
      assert.strictEqual(
        Buffer.compare(
          encodeIndexKey(left[2], left[0], left[1]),
          encodeIndexKey(right[2], right[0], right[1]),
        ),
        compareTuples(tuple(left), tuple(right)),
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('the ranges of objects hold the objects they name and no others', (t) => {
  fc.assert(
    fc.property(partition, objectKey, partition, objectKey, (p1, k1, p2, k2) => {
      const other = encodeObjectKey(p2, k2);
      const samePartition = p1 === p2;
      const sameType = samePartition && k1.type === k2.type;
      const sameBucket = sameType && k1.bucket === k2.bucket;
      assert.strictEqual(holds(partitionRange(p1), other), samePartition);
      assert.strictEqual(holds(typeRange(p1, k1.type), other), sameType);
      assert.strictEqual(holds(bucketRange(p1, k1), other), sameBucket);
      const isAfter = sameType && k2.bucket > k1.bucket;
      const after = { from: afterBucket(p1, k1), to: typeRange(p1, k1.type).to };
      assert.strictEqual(holds(after, other), isAfter);
      const [first, last] = [k1.key, `${k1.key}b` as ByteString];
      assert.strictEqual(
        holds(objectKeyRange(p1, k1, { first, last }), other),
        sameBucket && k2.key >= first && k2.key <= last,
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('a term range holds its inclusive ends and starts behind the page before', (t) => {
  fc.assert(
    fc.property(
      fc.tuple(name, name, name),
      fc.tuple(name, name),
      objectKey,
      partition,
      ([first, last, term], [afterTerm, afterKey], key, partition) => {
        const field = 'age_int' as ByteString;
        const entry = encodeIndexKey(partition, key, { field, term });
        const index = { ...key, field };
        const isWithin = term >= first && term <= last;
        assert.strictEqual(holds(indexRange(index, { first, last }), entry), isWithin);
        const after = { term: afterTerm, key: afterKey };
        const isBehind = compareTuples([term, key.key], [afterTerm, afterKey]) > 0;
        assert.strictEqual(
          holds(indexRange(index, { first, last, after }), entry),
          isWithin && isBehind,
        );
        assert.strictEqual(holds(indexRange(index), entry), true);
        const otherField = { ...index, field: 'age' as ByteString };
        assert.strictEqual(holds(indexRange(otherField), entry), false);
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});

t.test(
  'the ranges of hints, tombstones and trees hold one target, one partition, one n_val',
  (t) => {
    fc.assert(
      fc.property(nodeId, nodeId, partition, partition, objectKey, (n1, n2, p1, p2, key) => {
        const hint = encodeHintKey(n2, p2, key);
        assert.strictEqual(holds(hintRange(n1), hint), Buffer.from(n1).equals(Buffer.from(n2)));
        assert.strictEqual(holds(allHintsRange(), hint), true);
        assert.strictEqual(holds(allHintsRange(), encodeObjectKey(p1, key)), false);
        const tomb = encodeTombKey(p2, key);
        assert.deepStrictEqual(decodeTombKey(tomb), { partition: p2, key });
        assert.strictEqual(holds(tombRange(p1), tomb), p1 === p2);
        const row = encodeTreeKey({ partition: p2, nVal: 3, segment: 0xffff });
        assert.strictEqual(holds(treeRange(p1), row), p1 === p2);
        assert.strictEqual(holds(treeRange(p1, 3), row), p1 === p2);
        assert.strictEqual(holds(treeRange(p1, 4), row), false);
      }),
      { numRuns: 300 },
    );
    t.end();
  },
);

t.test('a range of the node’s own entries holds those whose names begin so', (t) => {
  fc.assert(
    fc.property(name, name, (prefix, other) => {
      const range = metaRange(prefix);
      assert.strictEqual(holds(range, encodeMetaKey((prefix + other) as ByteString)), true);
      assert.strictEqual(holds(range, encodeMetaKey(other)), other.startsWith(prefix));
    }),
  );
  t.end();
});

t.test('nothing lies between a key and the key after it', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (left, right) => {
      const [key, other] = [Buffer.from(left), Buffer.from(right)];
      const after = keyAfter(key);
      assert.strictEqual(Buffer.compare(other, key) > 0, Buffer.compare(other, after) >= 0);
    }),
  );
  t.end();
});

t.test('a key of another space, or cut short, is a bug that stops', (t) => {
  const key = { type: 't', bucket: 'b', key: 'k' } as ObjectKey;
  const bytes = encodeObjectKey(5 as Partition, key);
  t.throws(() => decodeHintKey(bytes), /decoded as what it is/);
  t.throws(() => decodeObjectKey(bytes.subarray(0, 2)), /holds its numbers/);
  t.throws(() => decodeObjectKey(bytes.subarray(0, 4)), /a name in a key ends/);
  t.throws(() => encodeObjectKey(0x10000 as Partition, key), /fits/);
  t.end();
});

t.test('the partitions between two keys are those whose copies may lie there', (t) => {
  const key = (partition: number): Buffer => {
    return encodeObjectKey(partition as Partition, {
      type: utf8ToByteString('t'),
      bucket: utf8ToByteString('b'),
      key: utf8ToByteString('k'),
    });
  };
  const within = (from?: Buffer, to?: Buffer): number[] => partitionsWithin({ from, to }, 8);
  t.same(within(key(2), key(2)), [2]);
  t.same(within(key(2), key(4)), [2, 3, 4]);
  t.same(within(key(6), Buffer.from('p')), [6, 7]);
  t.same(within(Buffer.from('a'), key(1)), [0, 1]);
  t.same(within(Buffer.from('p'), undefined), []);
  t.same(within(undefined, Buffer.from('i')), []);
  t.same(within(key(3).subarray(0, 2), key(3).subarray(0, 3)), [0, 1, 2, 3]);
  t.equal(within().length, 8);
  t.end();
});
