/**
 * From a key to its partition.
 *
 * The hash space is 32 bits of murmur3 (x86), cut into `ringSize` equal slices; a key's partition is
 * the slice its hash falls into. The hash reads the bytes of `keyToString`, which is different for
 * different keys whatever bytes the names hold; murmurhash3js reads the low byte of each character,
 * and a `ByteString` has nothing but low bytes.
 *
 * Source: Karger et al. 1997, "Consistent Hashing and Random Trees"; DeCandia et al. 2007, "Dynamo",
 * section 6.2 (equal partitions).
 */

import murmurhash from 'murmurhash3js';
import type { ByteString } from '../base/bytes.ts';
import { keyToString, type ObjectKey, type Partition } from '../base/names.ts';

export const RING_SIZE_MIN = 8;
export const RING_SIZE_MAX = 1024;

/** Whether `ringSize` is a power of two from 8 to 1024. */
export function isRingSize(ringSize: number): boolean {
  return (
    Number.isInteger(ringSize) &&
    ringSize >= RING_SIZE_MIN &&
    ringSize <= RING_SIZE_MAX &&
    (ringSize & (ringSize - 1)) === 0
  );
}

/**
 * The partition that `key` belongs to, 0 <= partition < `ringSize`. With `hashesBucketOnly` (the
 * bucket property `chash_keyfun` is `chash_bucketonly_keyfun`) all keys of a bucket share one.
 */
export function partitionOf(key: ObjectKey, ringSize: number, hashesBucketOnly = false): Partition {
  const name = hashesBucketOnly ? keyToString({ ...key, key: '' as ByteString }) : keyToString(key);
  return (murmurhash.x86.hash32(name) >>> (Math.clz32(ringSize) + 1)) as Partition;
}
