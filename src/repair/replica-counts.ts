/**
 * Replica counts: the n_val of every bucket type, and of every bucket that has one of its own, as a
 * value of a cluster state that can be kept and compared with that of another.
 *
 * A bucket without an n_val of its own has its type's, so whatever changes at the type changes there.
 */

import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import type { ClusterState } from '../membership/cluster-state.ts';
import {
  createdTypeProperties,
  effectiveTypeProperties,
} from '../membership/effective-properties.ts';

/** Without a bucket: all of the type. */
export interface BucketOrType {
  readonly type: ByteString;
  readonly bucket: ByteString | undefined;
}

/** A type, or a bucket with an n_val of its own, and how many replicas its objects have. */
interface Scope extends BucketOrType {
  readonly nVal: number;
}

/** By name. */
export type ReplicaCounts = ReadonlyMap<string, Scope>;

export function countsOf(state: ClusterState): ReplicaCounts {
  const scopes: Scope[] = [];
  const defaults = effectiveTypeProperties(state, DEFAULT_BUCKET_TYPE);
  if (defaults !== undefined) {
    scopes.push({ type: DEFAULT_BUCKET_TYPE, bucket: undefined, nVal: defaults.n_val });
  }
  for (const [type, bucketType] of state.bucketTypes) {
    scopes.push({ type, bucket: undefined, nVal: createdTypeProperties(bucketType).n_val });
  }
  for (const [id, { n_val: nVal }] of state.bucketProperties) {
    if (nVal !== undefined) scopes.push({ ...bucketOfId(id), nVal });
  }
  return byName(scopes);
}

function byName(scopes: readonly Scope[]): ReplicaCounts {
  return new Map(scopes.map((scope) => [nameOf(scope), scope]));
}

/** Undone by `scopeNamed`; holds one byte a character, as the names in it do. */
export function nameOf({ type, bucket }: BucketOrType): string {
  return JSON.stringify(bucket === undefined ? [type] : [type, bucket]);
}

/** Undefined: no scope has this name, it is damaged. */
export function scopeNamed(name: string): BucketOrType | undefined {
  let names: unknown;
  try {
    names = JSON.parse(name);
  } catch {
    return undefined;
  }
  if (!Array.isArray(names) || names.length < 1 || names.length > 2) return undefined;
  if (!names.every((each) => typeof each === 'string')) return undefined;
  const [type, bucket] = names as [ByteString, ByteString?];
  return { type, bucket };
}

/** The name of a bucket from its id in the state: `LENGTH:TYPEBUCKET`. */
function bucketOfId(id: ByteString): { readonly type: ByteString; readonly bucket: ByteString } {
  const colon = id.indexOf(':');
  const end = colon + 1 + Number(id.slice(0, colon));
  return { type: id.slice(colon + 1, end) as ByteString, bucket: id.slice(end) as ByteString };
}

/** Whose n_val is another one in `after` than in `before`. */
export function changedBetween(before: ReplicaCounts, after: ReplicaCounts): BucketOrType[] {
  const changed: BucketOrType[] = [];
  for (const { type, bucket } of new Map([...before, ...after]).values()) {
    const scope = { type, bucket };
    if (nValIn(before, scope) !== nValIn(after, scope)) changed.push(scope);
  }
  return changed;
}

/** A bucket without an n_val of its own has its type's. Undefined: there is no such type. */
export function nValIn(counts: ReplicaCounts, scope: BucketOrType): number | undefined {
  const { type } = scope;
  return (counts.get(nameOf(scope)) ?? counts.get(nameOf({ type, bucket: undefined })))?.nVal;
}

export function encodeCounts(counts: ReplicaCounts): Buffer {
  return Buffer.from(JSON.stringify([...counts.values()]), 'latin1');
}

/** A note that cannot be read is none: then all is recounted. */
export function decodeCounts(bytes: Buffer | undefined): ReplicaCounts {
  if (bytes === undefined) return new Map();
  try {
    return byName(JSON.parse(bytes.toString('latin1')) as Scope[]);
  } catch {
    return new Map();
  }
}
