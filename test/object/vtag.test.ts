/** Vtags and generated keys: base 62, as short as the number is. */

import fc from 'fast-check';
import t from 'tap';
import { encodeActor } from '../../src/clock/actor.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import { base62, randomKey, randomVtag, siblingsEtag } from '../../src/object/vtag.ts';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function numberOf(text: string): bigint {
  return text.split('').reduce((sum, digit) => sum * 62n + BigInt(DIGITS.indexOf(digit)), 0n);
}

t.test('base 62 is the number that the bytes are', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const text = base62(Buffer.from(bytes));
      const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
      return numberOf(text) === value && (text === '0' || !text.startsWith('0'));
    }),
  );
  t.equal(base62(Buffer.alloc(16)), '0');
  t.equal(base62(Buffer.from('003d', 'hex')), 'z');
  t.equal(base62(Buffer.from('003e', 'hex')), '10');
  t.equal(base62(Buffer.alloc(16, 0xff)).length, 22);
  t.end();
});

t.test('vtags are of 16 random bytes, generated keys of 20', (t) => {
  const asked: number[] = [];
  const random = {
    bytes: (size: number) => {
      asked.push(size);
      return Buffer.alloc(size, 0xff);
    },
    integer: () => 0,
  };
  t.match(randomVtag(random), /^[0-9A-Za-z]{22}$/);
  t.match(randomKey(random), /^[0-9A-Za-z]{27}$/);
  t.same(asked, [16, 20]);
  t.end();
});

t.test('the ETag of siblings follows the context', (t) => {
  const actor = encodeActor({ identity: 'node one' as NodeIdentity, actorEpoch: 1, keyEpoch: 1 });
  const etag = siblingsEtag(new Map([[actor, 1]]));
  t.equal(siblingsEtag(new Map([[actor, 1]])), etag);
  t.not(siblingsEtag(new Map([[actor, 2]])), etag);
  t.match(etag, /^[0-9A-Za-z]{15,22}$/);
  t.end();
});
