/**
 * Permissions: what a client may be allowed to do, and on what.
 *
 * The words are Riak's, so that grants can be copied from one cluster to the other. A target names a
 * bucket or a whole bucket type; where there is none the question is about everything, which Riak
 * writes as `any`.
 */

import type { ByteString } from '../base/bytes.ts';

export const PERMISSIONS = [
  'riak_kv.get',
  'riak_kv.put',
  'riak_kv.delete',
  'riak_kv.list_keys',
  'riak_kv.list_buckets',
  'riak_kv.mapreduce',
  'riak_kv.index',
  'riak_kv.get_preflist',
  'riak_core.get_bucket',
  'riak_core.set_bucket',
  'riak_core.get_bucket_type',
  'riak_core.set_bucket_type',
  'search.admin',
  'search.query',
] as const;

export type Permission = (typeof PERMISSIONS)[number];

/** A bucket, or with the type alone all of its buckets. */
export interface Target {
  readonly type: ByteString;
  readonly bucket?: ByteString;
}

const known: ReadonlySet<string> = new Set(PERMISSIONS);

export function isPermission(name: string): name is Permission {
  return known.has(name);
}

/** One string for a target, equal exactly for equal ones; '' for `any`. */
export function targetToString(target: Target | undefined): string {
  if (target === undefined) return '';
  const { type, bucket } = target;
  return `${type.length}:${type}${bucket === undefined ? '' : `/${bucket}`}`;
}

/** As messages name it: `TYPE/BUCKET`, `TYPE` or `any`; a byte string. */
export function targetText(target: Target | undefined): string {
  if (target === undefined) return 'any';
  return target.bucket === undefined ? target.type : `${target.type}/${target.bucket}`;
}
