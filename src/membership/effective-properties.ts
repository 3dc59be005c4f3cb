/**
 * Effective bucket properties: a bucket's own over its type's over the defaults.
 *
 * Looked up by every request, so what was computed for a state is kept as long as the state is, up
 * to a bound; a new state starts with nothing kept.
 */

import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import {
  CREATED_TYPE_PROPERTIES,
  DEFAULT_TYPE_PROPERTIES,
  effectiveProperties,
  type BucketProperties,
} from '../object/bucket-properties.ts';
import { bucketId, type BucketType, type ClusterState } from './cluster-state.ts';

/** Buckets with properties of their own that are kept computed, for one state. */
const KEPT_BUCKETS_MAX = 10_000;

interface Kept {
  readonly propertiesByType: Map<ByteString, BucketProperties>;
  readonly propertiesByBucket: Map<ByteString, BucketProperties>;
}

const keptByState = new WeakMap<ClusterState, Kept>();

/** Undefined where the type is unknown or not active. */
export function effectiveBucketProperties(
  state: ClusterState,
  type: ByteString,
  bucket: ByteString,
): BucketProperties | undefined {
  const typeProperties = effectiveTypeProperties(state, type);
  if (typeProperties === undefined || state.bucketProperties.size === 0) return typeProperties;
  const id = bucketId(type, bucket);
  const own = state.bucketProperties.get(id);
  if (own === undefined) return typeProperties;
  const { propertiesByBucket } = keptOf(state);
  let properties = propertiesByBucket.get(id);
  if (properties === undefined) {
    properties = effectiveProperties(typeProperties, own);
    if (propertiesByBucket.size >= KEPT_BUCKETS_MAX) propertiesByBucket.clear();
    propertiesByBucket.set(id, properties);
  }
  return properties;
}

/** What a bucket of an active type (`default` too) has that sets nothing itself; or undefined. */
export function effectiveTypeProperties(
  state: ClusterState,
  type: ByteString,
): BucketProperties | undefined {
  const { propertiesByType } = keptOf(state);
  const kept = propertiesByType.get(type);
  if (kept !== undefined) return kept;
  const properties = computeTypeProperties(state, type);
  if (properties !== undefined) propertiesByType.set(type, properties);
  return properties;
}

/** The properties that a created type has or will have once it is active. */
export function createdTypeProperties(bucketType: BucketType): BucketProperties {
  return effectiveProperties(CREATED_TYPE_PROPERTIES, bucketType.properties);
}

/**
 * The n_val of an active type, and the least that one of its buckets has; undefined where the type is
 * unknown or not active.
 */
export function replicaCountsOfType(
  state: ClusterState,
  type: ByteString,
): { readonly least: number; readonly usual: number } | undefined {
  const usual = effectiveTypeProperties(state, type)?.n_val;
  if (usual === undefined) return undefined;
  let least = usual;
  const prefix = `${type.length}:${type}`;
  for (const [id, { n_val: own }] of state.bucketProperties) {
    if (own !== undefined && own < least && id.startsWith(prefix)) least = own;
  }
  return { least, usual };
}

/** Each n_val that some bucket has or may get from its type, the least first. */
export function replicaCountsInUse(state: ClusterState): number[] {
  const counts = new Set([
    effectiveProperties(DEFAULT_TYPE_PROPERTIES, state.defaultProperties).n_val,
  ]);
  for (const bucketType of state.bucketTypes.values()) {
    counts.add(createdTypeProperties(bucketType).n_val);
  }
  for (const { n_val: own } of state.bucketProperties.values()) {
    if (own !== undefined) counts.add(own);
  }
  return [...counts].sort((left, right) => left - right);
}

function computeTypeProperties(
  state: ClusterState,
  type: ByteString,
): BucketProperties | undefined {
  if (type === DEFAULT_BUCKET_TYPE)
    return effectiveProperties(DEFAULT_TYPE_PROPERTIES, state.defaultProperties);
  const bucketType = state.bucketTypes.get(type);
  return bucketType?.isActive === true ? createdTypeProperties(bucketType) : undefined;
}

function keptOf(state: ClusterState): Kept {
  let kept = keptByState.get(state);
  if (kept === undefined) {
    kept = { propertiesByType: new Map(), propertiesByBucket: new Map() };
    keptByState.set(state, kept);
  }
  return kept;
}
