/**
 * Addresses: what a map or link phase takes as input, and what listings and indexes give.
 *
 *   {Bucket, Key}   {{Bucket, Key}, KeyData}   {{{Type, Bucket}, Key}, KeyData}
 *
 * and, as results of phases and in JSON, lists of bucket, key, key data and type.
 */

import { bytesToByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { UNDEFINED, binary, isList, isTuple, tuple } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { BucketName } from './job-inputs.ts';
import type { Term } from './term.ts';

export interface Address {
  readonly key: ObjectKey;
  readonly keyData: Term;
}

/** Undefined where the term is no address. */
export function parseAddress(term: Term): Address | undefined {
  if (isList(term)) {
    const [bucket, key, keyData = UNDEFINED, type, ...rest] = term;
    return rest.length > 0 ? undefined : address([type, bucket, key], keyData);
  }
  if (!isTuple(term, 2)) return undefined;
  const [first, second] = term.items as readonly [Term, Term];
  if (!isTuple(first, 2)) return address([undefined, first, second], UNDEFINED);
  const [bucket, key] = first.items as readonly [Term, Term];
  if (!isTuple(bucket, 2)) return address([undefined, bucket, key], second);
  const [type, name] = bucket.items;
  return address([type, name, key], second);
}

function address(
  [type, bucket, key]: readonly [Term | undefined, Term | undefined, Term | undefined],
  keyData: Term,
): Address | undefined {
  if (!Buffer.isBuffer(bucket) || !Buffer.isBuffer(key)) return undefined;
  if (type !== undefined && !Buffer.isBuffer(type)) return undefined;
  return {
    key: {
      type: type === undefined ? DEFAULT_BUCKET_TYPE : bytesToByteString(type),
      bucket: bytesToByteString(bucket),
      key: bytesToByteString(key),
    },
    keyData,
  };
}

/** The addresses of keys of one bucket. */
export function addressesOf({ type, bucket }: BucketName, keys: readonly ByteString[]): Term[] {
  const name = binary(bucket);
  if (type === DEFAULT_BUCKET_TYPE) return keys.map((key) => tuple(name, binary(key)));
  const typed = tuple(binary(type), name);
  return keys.map((key) => tuple(tuple(typed, binary(key)), UNDEFINED));
}
