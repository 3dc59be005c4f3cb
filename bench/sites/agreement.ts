/**
 * Whether two sites hold the same: every key of some buckets is read at both.
 *
 * A judge of its own, which compares neither trees nor queues: the keys that either site lists, and of each the
 * context, the values and the metadata that a client is shown.
 */

import { isDeepStrictEqual } from 'node:util';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import type { VertebraClient } from '../../src/client/client.ts';

export interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

export interface Agreement {
  readonly keys: number;
  /** Of these, what one site has and the other has not, and what differs. */
  readonly onlyA: number;
  readonly onlyB: number;
  readonly differing: number;
}

const READS_AT_ONCE = 16;

export async function compareSites(
  a: VertebraClient,
  b: VertebraClient,
  buckets: readonly BucketName[],
): Promise<Agreement> {
  const sum = { keys: 0, onlyA: 0, onlyB: 0, differing: 0 };
  for (const { type, bucket } of buckets) {
    const names = new Set<ByteString>();
    for (const client of [a, b]) {
      for await (const keys of client.listKeys(type, bucket))
        for (const key of keys) names.add(key);
    }
    const all = [...names];
    let next = 0;
    const reader = async (): Promise<void> => {
      for (let index = next++; index < all.length; index = next++) {
        const verdict = await judge(a, b, { type, bucket, key: all[index] as ByteString });
        if (verdict !== undefined) sum[verdict] += 1;
      }
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, reader));
    sum.keys += all.length;
  }
  return sum;
}

/** Undefined: both hold the same. */
async function judge(
  a: VertebraClient,
  b: VertebraClient,
  key: ObjectKey,
): Promise<'onlyA' | 'onlyB' | 'differing' | undefined> {
  const [left, right] = await Promise.all([a.get(key), b.get(key)]);
  // Listed by a replica that had not heard of its deletion, or deleted meanwhile.
  if (left.kind !== 'found' && right.kind !== 'found') return undefined;
  if (left.kind !== 'found') return 'onlyB';
  if (right.kind !== 'found') return 'onlyA';
  return isDeepStrictEqual(left, right) ? undefined : 'differing';
}
