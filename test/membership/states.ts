/** Cluster states for the membership tests: small ones by hand, odd ones by fast-check. */

import fc from 'fast-check';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import {
  bucketId,
  type BucketType,
  type ClusterState,
} from '../../src/membership/cluster-state.ts';
import { initialState, type InitialCluster } from '../../src/membership/initial-state.ts';
import type { PartialProperties } from '../../src/object/bucket-properties.ts';
import { anySecurity } from '../security/arbitrary-security.ts';

export function nodeOf(index: number): NodeId {
  return `node${String(index).padStart(2, '0')}@127.0.0.1` as NodeId;
}

export function clusterOf(memberCount: number, ringSize = 16): InitialCluster {
  return {
    clusterName: 'test',
    ringSize,
    members: Array.from({ length: memberCount }, (_, index) => ({
      id: nodeOf(index),
      host: '127.0.0.1',
      peerPort: 8099 + 10 * index,
      httpPort: 8098 + 10 * index,
      pbcPort: 8087 + 10 * index,
      location: '',
    })),
    defaultProperties: {},
  };
}

export function stateOf(memberCount: number, ringSize = 16): ClusterState {
  return initialState(clusterOf(memberCount, ringSize)).state;
}

export const anyName: fc.Arbitrary<ByteString> = fc.string({ maxLength: 12 }).map(utf8ToByteString);

export const anyProperties: fc.Arbitrary<PartialProperties> = fc
  .dictionary(
    fc.oneof(fc.constantFrom('n_val', 'allow_mult', 'r', '__proto__', '10', '2'), fc.string()),
    fc.jsonValue({ maxDepth: 4 }).map(
      // JSON has no negative zero; nor has a property.
      (value) => JSON.parse(JSON.stringify(value)) as number,
    ),
    { maxKeys: 6 },
  )
  .map((properties) => ({ ...properties }));

const anyBucketType: fc.Arbitrary<BucketType> = fc.record({
  properties: anyProperties,
  isActive: fc.boolean(),
});

export const anyState: fc.Arbitrary<ClusterState> = fc
  .record({
    members: fc.integer({ min: 1, max: 9 }),
    epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    defaultProperties: anyProperties,
    security: anySecurity,
    types: fc.array(fc.tuple(anyName, anyBucketType), { maxLength: 5 }),
    buckets: fc.array(fc.tuple(anyName, anyName, anyProperties), { maxLength: 5 }),
  })
  .map(({ members, epoch, defaultProperties, security, types, buckets }) => ({
    ...stateOf(members),
    epoch: epoch as Epoch,
    ancestors: Array.from({ length: Math.min(epoch - 1, 32) }, (_, index) =>
      index.toString(16).padStart(64, 'a'),
    ),
    defaultProperties,
    security,
    bucketTypes: new Map(types),
    bucketProperties: new Map(
      buckets.map(([type, bucket, properties]) => [bucketId(type, bucket), properties]),
    ),
  }));
