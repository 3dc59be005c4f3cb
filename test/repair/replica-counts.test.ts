/** Replica counts as values: what is kept of them reads as it was, and what changed is told. */

import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import {
  changedBetween,
  decodeCounts,
  encodeCounts,
  nValIn,
  nameOf,
  scopeNamed,
  type ReplicaCounts,
} from '../../src/repair/replica-counts.ts';

const bytes = fc
  .uint8Array({ maxLength: 6 })
  .map((codes) => Buffer.from(codes).toString('latin1') as ByteString);
const bucketOrType = fc.record(
  { type: bytes, bucket: fc.option(bytes, { nil: undefined }) },
  { noNullPrototype: true },
);
const PATIENTS = { type: 'default' as ByteString, bucket: 'patients' as ByteString };
const TYPE = { type: PATIENTS.type, bucket: undefined };

/** The type's n_val, and the bucket's own if it has one. */
function counts(ofType: number, ofBucket?: number): ReplicaCounts {
  const own = ofBucket === undefined ? [] : [{ ...PATIENTS, nVal: ofBucket }];
  return new Map([{ ...TYPE, nVal: ofType }, ...own].map((scope) => [nameOf(scope), scope]));
}

t.test('a name of any bytes is undone, and what is kept reads as it was', (t) => {
  fc.assert(
    fc.property(bucketOrType, fc.integer({ min: 1, max: 9 }), (scope, nVal) => {
      assert.deepStrictEqual(scopeNamed(nameOf(scope)), scope);
      assert.ok(/^[\0-\xff]*$/.test(nameOf(scope)));
      const kept = new Map([[nameOf(scope), { ...scope, nVal }]]);
      const read = decodeCounts(encodeCounts(kept));
      assert.deepStrictEqual(changedBetween(kept, read), []);
      assert.deepStrictEqual([...read.keys()], [...kept.keys()]);
    }),
  );
  t.end();
});

t.test('a note that cannot be read is none', (t) => {
  t.same(decodeCounts(Buffer.from('[{"type":')), new Map());
  t.same(decodeCounts(undefined), new Map());
  t.end();
});

t.test('a bucket without an n_val of its own goes by that of its type', (t) => {
  t.equal(nValIn(counts(3), PATIENTS), 3);
  t.equal(nValIn(counts(3, 2), PATIENTS), 2);
  t.equal(nValIn(new Map(), PATIENTS), undefined);
  t.same(changedBetween(counts(3), counts(3, 3)), []);
  t.same(changedBetween(counts(3), counts(3, 2)), [PATIENTS]);
  t.same(changedBetween(counts(3, 2), counts(3)), [PATIENTS]);
  t.same(changedBetween(counts(3, 2), counts(4, 2)), [TYPE]);
  t.same(changedBetween(counts(3), counts(4)), [TYPE]);
  t.end();
});
