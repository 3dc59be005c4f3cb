/**
 * Changes of the cluster state: from a state to the next one, or to the reason why not.
 *
 * Pure functions, because a change may be made more than once: when another node's state wins the
 * epoch, the change is made again on that state, and must then see and be judged by what the other
 * one did. The result differs from its state by exactly one epoch.
 */

import type { ByteString } from '../base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import {
  CREATED_TYPE_PROPERTIES,
  type BucketProperties,
  type PartialProperties,
} from '../object/bucket-properties.ts';
import type { PropertyRefusal } from '../object/property-validation.ts';
import type { SecurityChange } from '../security/security-change.ts';
import type { SecurityState } from '../security/security-state.ts';
import { bucketId, type BucketType, type ClusterState } from './cluster-state.ts';
import { effectiveBucketProperties, effectiveTypeProperties } from './effective-properties.ts';
import { successorOf, type StateParts } from './lineage.ts';
import { encodeState, isShallow, STATE_SIZE_MAX_BYTES } from './state-document.ts';

export type CheckedProperties =
  /** In the form in which they are kept. */
  | { readonly kind: 'accepted'; readonly properties: PartialProperties }
  | { readonly kind: 'refused'; readonly refusals: readonly PropertyRefusal[] };

/** Judges `changes` against the properties in effect before. */
export type PropertyCheck = (
  changes: PartialProperties,
  before: BucketProperties,
) => CheckedProperties;

export type ChangeOutcome =
  | { readonly kind: 'changed'; readonly state: ClusterState }
  /** The state is already as asked. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly refusals: readonly PropertyRefusal[] }
  | { readonly kind: 'unknown-bucket-type' }
  /** The `default` type cannot be changed at run time. */
  | { readonly kind: 'no-default-update' }
  | { readonly kind: 'exists' };

export type SecurityOutcome =
  | { readonly kind: 'changed'; readonly state: ClusterState }
  | { readonly kind: 'unchanged' }
  | Extract<SecurityChange, { readonly kind: 'refused' }>
  | { readonly kind: 'no-room' };

export interface BucketName {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

/**
 * Kept free of properties and security, so that members can join and leave and the ring can move, however
 * full a document is: about a kilobyte for each member there can be.
 */
const LAYOUT_ROOM_BYTES = 1024 * 1024;

/** Riak keeps this name for its grants. */
const RESERVED_TYPE = 'any';

/** Sets properties of a bucket; those it had before and are not named stay. */
export function setBucketProperties(
  state: ClusterState,
  request: BucketName & { readonly changes: PartialProperties },
  check: PropertyCheck,
): ChangeOutcome {
  const { type, bucket } = request;
  const before = effectiveBucketProperties(state, type, bucket);
  if (before === undefined) return { kind: 'unknown-bucket-type' };
  const checked = checkShape(check(request.changes, before));
  if (checked.kind === 'refused') return checked;
  const id = bucketId(type, bucket);
  const own = state.bucketProperties.get(id) ?? {};
  const bucketProperties = new Map(state.bucketProperties);
  bucketProperties.set(id, { ...own, ...checked.properties });
  return nextState(state, { bucketProperties });
}

/** Takes away all of a bucket's own properties. */
export function resetBucketProperties(
  state: ClusterState,
  { type, bucket }: BucketName,
): ChangeOutcome {
  if (effectiveTypeProperties(state, type) === undefined) return { kind: 'unknown-bucket-type' };
  const id = bucketId(type, bucket);
  if (!state.bucketProperties.has(id)) return { kind: 'unchanged' };
  const bucketProperties = new Map(state.bucketProperties);
  bucketProperties.delete(id);
  return nextState(state, { bucketProperties });
}

/** Makes a type that is not active yet, or makes such a type anew. */
export function createBucketType(
  state: ClusterState,
  request: { readonly type: ByteString; readonly properties: PartialProperties },
  check: PropertyCheck,
): ChangeOutcome {
  const { type } = request;
  if (type === DEFAULT_BUCKET_TYPE) return { kind: 'no-default-update' };
  if (type === RESERVED_TYPE || type === '') {
    return { kind: 'refused', refusals: [{ property: 'name', reason: 'reserved' }] };
  }
  if (state.bucketTypes.get(type)?.isActive === true) return { kind: 'exists' };
  const checked = checkShape(check(request.properties, CREATED_TYPE_PROPERTIES));
  if (checked.kind === 'refused') return checked;
  return withBucketType(state, type, { properties: checked.properties, isActive: false });
}

/** Lets clients use a created type; for ever. */
export function activateBucketType(state: ClusterState, type: ByteString): ChangeOutcome {
  if (type === DEFAULT_BUCKET_TYPE) return { kind: 'unchanged' };
  const bucketType = state.bucketTypes.get(type);
  if (bucketType === undefined) return { kind: 'unknown-bucket-type' };
  return withBucketType(state, type, { ...bucketType, isActive: true });
}

/** Sets properties of an active type; those not named stay. */
export function setBucketTypeProperties(
  state: ClusterState,
  request: { readonly type: ByteString; readonly changes: PartialProperties },
  check: PropertyCheck,
): ChangeOutcome {
  const { type } = request;
  if (type === DEFAULT_BUCKET_TYPE) return { kind: 'no-default-update' };
  const bucketType = state.bucketTypes.get(type);
  const before = effectiveTypeProperties(state, type);
  if (bucketType === undefined || before === undefined) return { kind: 'unknown-bucket-type' };
  const checked = checkShape(check(request.changes, before));
  if (checked.kind === 'refused') return checked;
  const properties = { ...bucketType.properties, ...checked.properties };
  return withBucketType(state, type, { ...bucketType, properties });
}

/** Changes users, sources or grants. */
export function changeSecurity(
  state: ClusterState,
  make: (security: SecurityState) => SecurityChange,
): SecurityOutcome {
  const made = make(state.security);
  if (made.kind === 'refused') return made;
  const outcome = nextState(state, { security: made.security });
  return outcome.kind === 'changed' || outcome.kind === 'unchanged' ? outcome : { kind: 'no-room' };
}

function withBucketType(
  state: ClusterState,
  type: ByteString,
  bucketType: BucketType,
): ChangeOutcome {
  const bucketTypes = new Map(state.bucketTypes);
  bucketTypes.set(type, bucketType);
  return nextState(state, { bucketTypes });
}

/** What a document could not hold is refused here, whatever the properties' own rules say. */
function checkShape(checked: CheckedProperties): CheckedProperties {
  if (checked.kind === 'refused') return checked;
  const deep = Object.entries(checked.properties).filter(([, value]) => !isShallow(value));
  if (deep.length === 0) return checked;
  return {
    kind: 'refused',
    refusals: deep.map(([property]) => ({ property, reason: 'nested too deeply' })),
  };
}

function nextState(state: ClusterState, parts: StateParts): ChangeOutcome {
  // Compared without the epoch, so that asking for what is so already costs no agreement.
  if (encodeState({ ...state, ...parts }).equals(encodeState(state))) return { kind: 'unchanged' };
  const next = successorOf(state, parts);
  const sizeBytes = encodeState(next).length;
  // What makes an overfull document smaller is always taken.
  const isGrowing = sizeBytes > encodeState(state).length;
  if (isGrowing && sizeBytes > STATE_SIZE_MAX_BYTES - LAYOUT_ROOM_BYTES) {
    return {
      kind: 'refused',
      refusals: [{ property: 'props', reason: 'the cluster state has no room for more' }],
    };
  }
  return { kind: 'changed', state: next };
}
