/** Contexts: every vector survives, and everything else is recognised as foreign. */

import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { CONTEXT_SIZE_MAX_BYTES, decodeContext, encodeContext } from '../../src/clock/context.ts';
import { encodeActor } from '../../src/clock/actor.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { vectors } from './clocks.ts';

t.test('a vector comes back as it was', (t) => {
  fc.assert(
    fc.property(vectors, (vector) => {
      t.same(decodeContext(encodeContext(vector)), vector);
    }),
  );
  t.end();
});

t.test('equal vectors encode alike, whatever the order they were built in', (t) => {
  fc.assert(
    fc.property(vectors, (vector) => {
      const reversed: VersionVector = new Map([...vector].reverse());
      return encodeContext(vector).equals(encodeContext(reversed));
    }),
  );
  t.end();
});

t.test('no bytes are the empty context', (t) => {
  t.equal(decodeContext(new Uint8Array()), EMPTY_VERSION_VECTOR);
  t.equal(decodeContext(encodeContext(EMPTY_VERSION_VECTOR))?.size, 0);
  t.end();
});

t.test('flipped bits, missing bytes and bytes too many are noticed', (t) => {
  fc.assert(
    fc.property(vectors, fc.nat(), (vector, at) => {
      const bytes = encodeContext(vector);
      const flipped = Buffer.from(bytes);
      const bit = at % (flipped.length * 8);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const size = Math.max(at % bytes.length, 1);
      return (
        decodeContext(flipped) === undefined &&
        decodeContext(bytes.subarray(0, size)) === undefined &&
        decodeContext(Buffer.concat([bytes, Buffer.of(at & 0xff)])) === undefined
      );
    }),
    { numRuns: 1000 },
  );
  t.end();
});

t.test('garbage and the contexts of a real Riak are foreign', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      (bytes) => decodeContext(bytes) === undefined,
    ),
  );
  for (const base64 of [
    // The kind that Riak gives out: a compressed external term, and a plain one.
    'a85hYGBgzGDKBVIcypz/fgZN7HvJwJTImMfKcLQv9SRfFgA=',
    'g2wAAAABaAJtAAAACCMJ/vlWd/y3aAJhAW4FAOzlN9EOag==',
  ]) {
    t.equal(decodeContext(Buffer.from(base64, 'base64')), undefined);
  }
  t.end();
});

/** Bytes with the right CRC, as a client with our source at hand could make them. */
function forge(bytes: readonly number[]): Buffer {
  const forged = Buffer.alloc(bytes.length + 4);
  forged.set(bytes);
  forged.writeUInt32BE(crc32(forged.subarray(0, bytes.length)), bytes.length);
  return forged;
}

t.test('a right CRC does not make a context', (t) => {
  const node = [...Buffer.from('node one')];
  const forged = {
    'another version': [2, 0],
    'a group that is not there': [1, 1],
    'a group without entries': [1, 1, ...node, 0],
    'more entries than bytes': [1, 1, ...node, 0xff, 0xff, 0xff, 0x7f, 1, 1, 1],
    'a counter of 0': [1, 1, ...node, 1, 1, 1, 0],
    'an actor twice': [1, 1, ...node, 2, 1, 1, 1, 1, 1, 2],
    'a node twice': [1, 2, ...node, 1, 1, 1, 1, ...node, 1, 1, 1, 1],
    'an actor epoch of 2^32': [1, 1, ...node, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1],
    'bytes behind it': [1, 1, ...node, 1, 1, 1, 1, 0],
  };
  for (const [what, bytes] of Object.entries(forged)) {
    t.equal(decodeContext(forge(bytes)), undefined, what);
  }
  t.equal(decodeContext(forge([1, 1, ...node, 1, 1, 1, 1]))?.size, 1, 'the forger knows the form');
  fc.assert(
    fc.property(fc.array(fc.nat(255), { maxLength: 60 }), (bytes) => {
      const decoded = decodeContext(forge([1, ...bytes]));
      return decoded === undefined || decodeContext(encodeContext(decoded))?.size === decoded.size;
    }),
  );
  t.end();
});

t.test('a context has room for thousands of actors, and a bound', (t) => {
  const vectorOf = (size: number): VersionVector =>
    new Map(
      Array.from({ length: size }, (_, keyEpoch) => [
        encodeActor({ identity: 'node one' as NodeIdentity, actorEpoch: 1, keyEpoch }),
        1,
      ]),
    );
  t.equal(decodeContext(encodeContext(vectorOf(10_000)))?.size, 10_000);
  const tooLarge = encodeContext(vectorOf(20_000));
  t.ok(tooLarge.length > CONTEXT_SIZE_MAX_BYTES);
  t.equal(decodeContext(tooLarge), undefined);
  t.end();
});
