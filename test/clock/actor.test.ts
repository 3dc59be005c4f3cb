/** Actors: their bytes sort by age, and no dot is ever issued for two writes. */

import fc from 'fast-check';
import t from 'tap';
import {
  ACTOR_SIZE_BYTES,
  actorPrefix,
  compareActors,
  compareDots,
  decodeActor,
  encodeActor,
  nextDot,
} from '../../src/clock/actor.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { actorParts } from './clocks.ts';

const ME = 'node one' as NodeIdentity;
const OTHER = 'node two' as NodeIdentity;
const PREFIX = actorPrefix(ME, 7);
const FRESH = encodeActor({ identity: ME, actorEpoch: 7, keyEpoch: 99 });

const actor = (keyEpoch: number, actorEpoch = 7, identity = ME) =>
  encodeActor({ identity, actorEpoch, keyEpoch });

function dotOf(
  local: VersionVector | undefined,
  changes: { readonly client?: VersionVector; readonly isContinuous?: boolean } = {},
) {
  return nextDot({
    prefix: PREFIX,
    local,
    isContinuous: true,
    client: EMPTY_VERSION_VECTOR,
    freshKeyEpoch: () => 99,
    ...changes,
  });
}

t.test('an actor is 18 bytes and comes back as it was', (t) => {
  fc.assert(
    fc.property(actorParts, (parts) => {
      const encoded = encodeActor(parts);
      t.equal(encoded.length, ACTOR_SIZE_BYTES);
      t.same(decodeActor(encoded), parts);
    }),
  );
  t.throws(() => actor(2 ** 48));
  t.throws(() => actor(0, 2 ** 32));
  t.throws(() => actor(0, 0, 'short' as NodeIdentity));
  t.end();
});

t.test('actors sort by identity, actor epoch and key epoch', (t) => {
  fc.assert(
    fc.property(actorParts, actorParts, (left, right) => {
      const expected =
        Buffer.compare(
          Buffer.from(left.identity, 'latin1'),
          Buffer.from(right.identity, 'latin1'),
        ) ||
        left.actorEpoch - right.actorEpoch ||
        left.keyEpoch - right.keyEpoch;
      return (
        Math.sign(compareActors(encodeActor(left), encodeActor(right))) === Math.sign(expected)
      );
    }),
  );
  t.end();
});

t.test('dots sort by actor, then by counter', (t) => {
  const dots = [
    { actor: actor(1), counter: 2 },
    { actor: actor(1), counter: 10 },
    { actor: actor(2), counter: 1 },
  ];
  t.same(dots.toReversed().sort(compareDots), dots);
  t.equal(compareDots({ actor: actor(1), counter: 2 }, { actor: actor(1), counter: 2 }), 0);
  t.end();
});

t.test('a node counts on with its newest actor of its epoch', (t) => {
  const local = new Map([
    [actor(3), 8],
    [actor(12), 5],
    [actor(40, 6), 2],
    [actor(50, 7, OTHER), 9],
  ]);
  t.same(dotOf(local), { actor: actor(12), counter: 6 });
  t.same(dotOf(local, { client: new Map([[actor(12), 5]]) }), { actor: actor(12), counter: 6 });
  t.same(dotOf(local, { client: new Map([[actor(50, 7, OTHER), 77]]) }), {
    actor: actor(12),
    counter: 6,
  });
  t.end();
});

t.test('a fresh actor begins where the chain may have been forgotten', (t) => {
  const local = new Map([[actor(12), 5]]);
  const fresh = { actor: FRESH, counter: 1 };
  t.same(dotOf(undefined), fresh, 'no readable copy');
  t.same(dotOf(EMPTY_VERSION_VECTOR), fresh, 'a copy that this node never wrote');
  t.same(dotOf(new Map([[actor(12, 6), 5]])), fresh, 'written in an older actor epoch');
  t.same(dotOf(local, { isContinuous: false }), fresh, 'a copy that peers brought back');
  t.same(dotOf(local, { client: new Map([[actor(12), 6]]) }), fresh, 'the client has seen more');
  t.same(dotOf(local, { client: new Map([[actor(13), 1]]) }), fresh, 'of a newer actor, too');
  const ended = new Map([[actor(12), Number.MAX_SAFE_INTEGER]]);
  t.same(dotOf(ended), fresh, 'a client made up that the chain is at its end');
  t.end();
});
