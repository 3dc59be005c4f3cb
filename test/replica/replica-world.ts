/** A replica on a shaky store, with keys, contents and properties to play with. */

import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { CREATED_TYPE_PROPERTIES } from '../../src/object/bucket-properties.ts';
import type { BucketProperties } from '../../src/object/bucket-properties.ts';
import { encodeRecord, joinRecord } from '../../src/object/record.ts';
import type { NewContent } from '../../src/object/requests.ts';
import type { IndexEntry, StoredObject } from '../../src/object/stored-object.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import type { Identity } from '../../src/replica/identity.ts';
import type { Placement } from '../../src/replica/replica.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../../src/replica/store-replica.ts';
import type { StoreReplicaOptions } from '../../src/replica/store-replica.ts';
import { partitionOf } from '../../src/ring/partition.ts';
import type { Store } from '../../src/storage/store.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

export const RING_SIZE = 8;

/** Keeps siblings. */
export const DOTTED: BucketProperties = CREATED_TYPE_PROPERTIES;
/** Shows one value. */
export const SINGLE: BucketProperties = { ...CREATED_TYPE_PROPERTIES, allow_mult: false };

export function text(value: string): ByteString {
  return utf8ToByteString(value);
}

export function objectKey(key: string, bucket = 'patients'): ObjectKey {
  return { type: text('default'), bucket: text(bucket), key: text(key) };
}

export function partitionFor(key: ObjectKey): Partition {
  return partitionOf(key, RING_SIZE, false);
}

/** Buckets whose name begins with `single` show one value; all others keep siblings. */
export function propertiesOf({ bucket }: Pick<ObjectKey, 'bucket'>): BucketProperties {
  return bucket.startsWith('single') ? SINGLE : DOTTED;
}

export function placementOf(key: ObjectKey): Placement {
  return { partition: partitionFor(key), properties: propertiesOf(key) };
}

export function content(value: string, indexes?: readonly IndexEntry[]): NewContent {
  return {
    metadata: { contentType: text('text/plain'), ...(indexes && { indexes }) },
    value: Buffer.from(value),
    isTombstone: false,
  };
}

export const TOMBSTONE: NewContent = { metadata: {}, value: Buffer.alloc(0), isTombstone: true };

export function record(object: StoredObject): Buffer {
  return joinRecord(encodeRecord(object));
}

/** The values of the siblings that live, sorted. */
export function valuesOf(object: StoredObject | undefined): string[] {
  return (object?.siblings ?? [])
    .filter((sibling) => !sibling.isTombstone)
    .map((sibling) => sibling.value.toString())
    .sort();
}

export interface Opened {
  readonly identity: Identity;
  readonly replica: StoreReplica;
}

export async function openReplica(
  host: VirtualHost,
  store: Store,
  options: Partial<StoreReplicaOptions> = {},
): Promise<Opened> {
  const identity = await openIdentity(store, host);
  const ports = {
    store,
    identity,
    properties: (_type: ByteString, bucket: ByteString) => propertiesOf({ bucket }),
  };
  const replica = await StoreReplica.open(host, ports, { ...STORE_REPLICA_DEFAULTS, ...options });
  return { identity, replica };
}

export const KEY = objectKey('999 123 4567');
export const NODE_B = 'b@host' as NodeId;
export const NODE_C = 'c@host' as NodeId;

export async function openWorld(options: Partial<StoreReplicaOptions> = {}) {
  const host = new VirtualHost();
  const store = new ShakyStore(host.random);
  return { host, store, ...(await openReplica(host, store, options)) };
}

/** Writes and waits until it is durable. */
export async function write(
  replica: StoreReplica,
  key: ObjectKey,
  what: { readonly content: NewContent; readonly context?: VersionVector },
): Promise<StoredObject> {
  const { content, context = EMPTY_VERSION_VECTOR } = what;
  const outcome = await replica.coordinate(key, placementOf(key), { context, content });
  if (outcome.kind !== 'issued') throw new Error(`not issued: ${outcome.kind}`);
  await outcome.durable;
  return outcome.object;
}

/** What another node would have made of the same key. */
export async function foreignObject(
  value: string,
  indexes?: readonly IndexEntry[],
): Promise<StoredObject> {
  const host = new VirtualHost(value.length * 7919 + value.charCodeAt(0));
  const { replica } = await openReplica(host, new ShakyStore(host.random));
  return write(replica, KEY, { content: content(value, indexes) });
}
