/** Random actors, dots and version vectors. */

import fc from 'fast-check';
import { bytesToByteString } from '../../src/base/bytes.ts';
import { encodeActor } from '../../src/clock/actor.ts';
import type { ActorParts, NodeIdentity } from '../../src/clock/actor.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';

export const identities: fc.Arbitrary<NodeIdentity> = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => bytesToByteString(bytes) as string as NodeIdentity);

/** Few identities and epochs, so that they meet. */
const fewIdentities = fc
  .constantFrom('node one', 'node two', '\x00\xff\x80node3')
  .map((text) => text.slice(0, 8) as NodeIdentity);

export const actorParts: fc.Arbitrary<ActorParts> = fc.record({
  identity: fc.oneof(fewIdentities, identities),
  actorEpoch: fc.oneof(fc.nat(3), fc.nat(2 ** 32 - 1)),
  keyEpoch: fc.oneof(fc.nat(3), fc.nat(2 ** 48 - 1)),
});

export const vectors: fc.Arbitrary<VersionVector> = fc
  .array(
    fc.tuple(actorParts.map(encodeActor), fc.oneof(fc.integer({ min: 1, max: 4 }), counters())),
    {
      maxLength: 8,
    },
  )
  .map((entries) => new Map(entries));

function counters(): fc.Arbitrary<number> {
  return fc.maxSafeNat().map((counter) => Math.max(counter, 1));
}
