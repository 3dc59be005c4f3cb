/** Differing keys: what two ordered streams do not share, each key once, in their order. */

import fc from 'fast-check';
import t from 'tap';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import type { KeyHash } from '../../src/peer/messages.ts';
import { compareKeys, differingKeys } from '../../src/repair/differing-keys.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';

const name = fc.uint8Array({ maxLength: 3 }).map((bytes) => bytesToByteString(bytes));
const objectKey: fc.Arbitrary<ObjectKey> = fc.record({ type: name, bucket: name, key: name });

function textOf({ type, bucket, key }: ObjectKey): string {
  return JSON.stringify([type, bucket, key]);
}

interface Held {
  readonly key: ObjectKey;
  readonly version: number;
}

const held: fc.Arbitrary<Held> = fc.record({ key: objectKey, version: fc.nat({ max: 1 }) });
const side = fc.uniqueArray(held, { selector: ({ key }) => textOf(key), maxLength: 20 });

/** In key order, in batches of a few, some of them empty. */
async function* streamOf(all: readonly Held[], batch: number): AsyncGenerator<KeyHash[]> {
  const hashes = all
    .toSorted((left, right) => compareKeys(left.key, right.key))
    .map(({ key, version }) => ({ key, hash: Buffer.of(version) }));
  for (let from = 0; from < hashes.length; from += batch) {
    yield hashes.slice(from, from + batch);
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

t.test('each key that differs comes once, with the hashes of the sides that have it', async (t) => {
  await fc.assert(
    fc.asyncProperty(side, side, fc.integer({ min: 1, max: 4 }), async (local, remote, batch) => {
      const found = [];
      const streams = [streamOf(local, batch), streamOf(remote, batch)] as const;
      for await (const some of differingKeys(...streams, compareKeys)) found.push(...some);
      const versionIn = (all: readonly Held[], key: ObjectKey): number | undefined =>
        all.find((each) => textOf(each.key) === textOf(key))?.version;
      const keys = new Map([...local, ...remote].map(({ key }) => [textOf(key), key]));
      const expected = [...keys.values()]
        .sort(compareKeys)
        .map((key) => ({ key, local: versionIn(local, key), remote: versionIn(remote, key) }))
        .filter((each) => each.local !== each.remote);
      t.same(
        found.map(({ key, local: mine, remote: theirs }) => ({
          key,
          local: mine?.[0],
          remote: theirs?.[0],
        })),
        expected,
      );
    }),
  );
});

t.test('both streams end when the reader stops', async (t) => {
  let ended = 0;
  async function* endless(hash: number): AsyncGenerator<KeyHash[]> {
    try {
      for (let index = 0; ; index += 1) {
        const key = { type: '', bucket: '', key: String(index) } as unknown as ObjectKey;
        yield [{ key, hash: Buffer.of(hash) }];
      }
    } finally {
      ended += 1;
    }
  }
  for await (const found of differingKeys(endless(1), endless(2), compareKeys)) {
    t.equal(found.length, 1);
    break;
  }
  t.equal(ended, 2);
});
