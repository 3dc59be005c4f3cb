/**
 * Names that must not be mixed, and the key that everything is about.
 */

import type { ByteString } from './bytes.ts';

/** A node's name in the cluster, `name@host`, as clients see it in preference lists. */
export type NodeId = string & { readonly __nodeId: unique symbol };

/** A slice of the hash space, 0 <= partition < ring size. */
export type Partition = number & { readonly __partition: unique symbol };

/** The number of a cluster state; state e+1 is agreed by the members of state e. From 1. */
export type Epoch = number & { readonly __epoch: unique symbol };

/** The address of an object. The default bucket type is `default`, never the empty string. */
export interface ObjectKey {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly key: ByteString;
}

/** Of a type, a bucket or a key that something may be stored under: what a URL can carry. */
export const NAME_MAX_BYTES = 0xffff;

/** Above every key: all of it is the highest byte, and no key that is accepted is as long. */
export const LAST_KEY = '\xff'.repeat(NAME_MAX_BYTES + 1) as ByteString;

export const DEFAULT_BUCKET_TYPE = 'default' as ByteString;

/**
 * One string for a key, equal exactly for equal keys. The lengths go first, because names may hold
 * any byte and no separator would be safe.
 */
export function keyToString(key: ObjectKey): ByteString {
  return `${key.type.length}:${key.bucket.length}:${key.type}${key.bucket}${key.key}` as ByteString;
}

/** The key that `keyToString` has made the string of. */
export function keyFromString(id: ByteString): ObjectKey {
  const first = id.indexOf(':');
  const second = id.indexOf(':', first + 1);
  const typeStart = second + 1;
  const bucketStart = typeStart + Number(id.slice(0, first));
  const keyStart = bucketStart + Number(id.slice(first + 1, second));
  return {
    type: id.slice(typeStart, bucketStart) as ByteString,
    bucket: id.slice(bucketStart, keyStart) as ByteString,
    key: id.slice(keyStart) as ByteString,
  };
}
