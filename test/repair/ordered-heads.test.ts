/** Ordered heads: two streams become pairs, in the order in which the store has its keys. */

import fc from 'fast-check';
import t from 'tap';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { compareKeys, pairHeads } from '../../src/repair/ordered-heads.ts';
import type { KeyHead } from '../../src/repair/ordered-heads.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';

const name = fc.uint8Array({ maxLength: 3 }).map((bytes) => bytesToByteString(bytes));
const objectKey: fc.Arbitrary<ObjectKey> = fc.record({ type: name, bucket: name, key: name });
const keys = fc.uniqueArray(objectKey, { selector: textOf, maxLength: 20 });

function textOf({ type, bucket, key }: ObjectKey): string {
  return JSON.stringify([type, bucket, key]);
}

/** In key order, in batches of a few, some of them empty. */
async function* streamOf(all: readonly ObjectKey[], batch: number): AsyncGenerator<KeyHead[]> {
  const heads = all.toSorted(compareKeys).map((key) => ({ key, head: Buffer.from(textOf(key)) }));
  for (let from = 0; from < heads.length; from += batch) {
    yield heads.slice(from, from + batch);
    yield [];
  }
}

t.test('keys compare as their entries in the store do', (t) => {
  fc.assert(
    fc.property(objectKey, objectKey, (left, right) => {
      const entries = [left, right].map((key) => encodeObjectKey(0 as Partition, key));
      const order = Buffer.compare(entries[0] as Buffer, entries[1] as Buffer);
      return Math.sign(compareKeys(left, right)) === order;
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('each key comes once, with the heads of the sides that have it', async (t) => {
  await fc.assert(
    fc.asyncProperty(keys, keys, fc.integer({ min: 1, max: 4 }), async (local, remote, batch) => {
      const pairs = [];
      const streams = [streamOf(local, batch), streamOf(remote, batch)] as const;
      for await (const pair of pairHeads(...streams)) pairs.push(pair);
      const all = new Map([...local, ...remote].map((key) => [textOf(key), key]));
      t.same(
        pairs.map(({ key }) => key),
        [...all.values()].sort(compareKeys),
      );
      for (const pair of pairs) {
        const text = textOf(pair.key);
        const has = (side: readonly ObjectKey[]) => side.some((key) => textOf(key) === text);
        t.equal(pair.local?.toString(), has(local) ? text : undefined);
        t.equal(pair.remote?.toString(), has(remote) ? text : undefined);
      }
    }),
  );
});

t.test('both streams end when the reader stops', async (t) => {
  let ended = 0;
  async function* endless(): AsyncGenerator<KeyHead[]> {
    try {
      for (let index = 0; ; index += 1) {
        const key = { type: '', bucket: '', key: String(index) } as unknown as ObjectKey;
        yield [{ key, head: Buffer.alloc(0) }];
      }
    } finally {
      ended += 1;
    }
  }
  for await (const pair of pairHeads(endless(), endless())) {
    t.ok(pair.local);
    break;
  }
  t.equal(ended, 2);
});
