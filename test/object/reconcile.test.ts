/** Reconciling: merging obeys its laws, and loses just what was superseded. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { EMPTY_VERSION_VECTOR, covers, descends } from '../../src/clock/version-vector.ts';
import type { Actor } from '../../src/clock/version-vector.ts';
import { causalHash } from '../../src/object/causality.ts';
import { decodeRecord, encodeRecord, joinRecord } from '../../src/object/record.ts';
import { applyWrite, mergeHeads, mergeObjects } from '../../src/object/reconcile.ts';
import type { Write } from '../../src/object/reconcile.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { PROPERTIES, anyHistory, histories, play, siblingIds } from './history.ts';
import type { State } from './history.ts';

const pick = fc.nat({ max: 1000 });

function objectsOf(states: readonly State[], picks: readonly number[]): StoredObject[] {
  const present = states.flatMap(({ object }) => object ?? []);
  return present.length === 0 ? [] : picks.map((index) => present[index % present.length]!);
}

const ACTOR = 'an actor: 18 bytes' as Actor;

function writeOf(changes: Partial<Write>): Write {
  return {
    context: EMPTY_VERSION_VECTOR,
    content: {
      metadata: { contentType: utf8ToByteString('text/plain') },
      value: Buffer.from('v'),
      isTombstone: false,
    },
    dot: { actor: ACTOR, counter: 1 },
    properties: PROPERTIES.dotted,
    nowMicros: 100,
    vtag: 'v1',
    ...changes,
  };
}

t.test('siblings are just the writes that no known write has superseded', (t) => {
  fc.assert(
    fc.property(histories({ modes: ['dotted', 'single'], forgets: true }), (steps) => {
      const { states, expected } = play(steps);
      for (const state of states) {
        if (siblingIds(state.object).join() !== expected(state).join()) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('the model sees a node that counts on from a copy it had lost', (t) => {
  const writeAt = (seen: number) => ({ kind: 'write', replica: 0, seen, mode: 'dotted' }) as const;
  // Two writes; the copy is lost; a peer that knows the first brings it back; a third write.
  const steps = [
    writeAt(0),
    writeAt(1),
    { kind: 'forget', replica: 0 },
    { kind: 'merge', replica: 0, from: 1 },
    writeAt(1),
    { kind: 'merge', replica: 1, from: 2 },
    { kind: 'merge', replica: 1, from: 5 },
  ] as const;
  const careful = play(steps).replicas[1]!;
  t.equal(siblingIds(careful.object).length, 2, 'both concurrent writes are kept');
  const careless = play(steps, { continuity: 'assumed' }).replicas[1]!;
  t.equal(siblingIds(careless.object).length, 1, 'one dot for two writes loses one of them');
  t.end();
});

t.test('merging is commutative, associative and idempotent', (t) => {
  fc.assert(
    fc.property(anyHistory, fc.tuple(pick, pick, pick), (steps, picks) => {
      const [a, b, c] = objectsOf(play(steps).states, picks);
      if (a === undefined || b === undefined || c === undefined) return;
      t.same(mergeObjects(a, b), mergeObjects(b, a));
      t.same(mergeObjects(mergeObjects(a, b), c), mergeObjects(a, mergeObjects(b, c)));
      t.equal(mergeObjects(a, a), a);
    }),
  );
  t.end();
});

t.test('a merge that adds nothing is the same object', (t) => {
  fc.assert(
    fc.property(
      histories({ modes: ['dotted', 'plain', 'single'], forgets: false }),
      fc.tuple(pick, pick),
      (steps, picks) => {
        const [a, b] = objectsOf(play(steps).states, picks);
        if (a === undefined || b === undefined) return true;
        const merged = mergeObjects(a, b);
        return mergeObjects(merged, a) === merged && mergeObjects(merged, b) === merged;
      },
    ),
  );
  t.end();
});

t.test('heads merge as their objects do', (t) => {
  fc.assert(
    fc.property(anyHistory, fc.tuple(pick, pick), (steps, picks) => {
      const [a, b] = objectsOf(play(steps).states, picks);
      if (a === undefined || b === undefined) return true;
      return causalHash(mergeHeads(a, b)).equals(causalHash(mergeObjects(a, b)));
    }),
  );
  t.end();
});

t.test('the context covers the dots of all siblings, which are sorted', (t) => {
  fc.assert(
    fc.property(anyHistory, (steps) => {
      for (const { object } of play(steps).states) {
        if (object === undefined) continue;
        if (object.siblings.length === 0) return false;
        if (!object.siblings.every(({ dot }) => covers(object.context, dot))) return false;
        const order = object.siblings.map(({ dot }) => `${dot.actor}${dot.counter + 1_000_000}`);
        if (order.some((dot, index) => index > 0 && dot <= order[index - 1]!)) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('causal hashes are equal exactly for equal contexts and siblings', (t) => {
  fc.assert(
    fc.property(anyHistory, fc.tuple(pick, pick), (steps, picks) => {
      const [a, b] = objectsOf(play(steps).states, picks);
      if (a === undefined || b === undefined) return true;
      const areEqual =
        siblingIds(a).join() === siblingIds(b).join() &&
        a.context.size === b.context.size &&
        [...a.context].every(([actor, counter]) => b.context.get(actor) === counter);
      return causalHash(a).equals(causalHash(b)) === areEqual;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('plain version vectors keep all siblings unless the client has seen all', (t) => {
  fc.assert(
    fc.property(anyHistory, fc.tuple(pick, pick), (steps, picks) => {
      const [local, seen] = objectsOf(play(steps).states, picks);
      if (local === undefined || seen === undefined) return true;
      const written = applyWrite(
        local,
        writeOf({ context: seen.context, properties: PROPERTIES.plain }),
      );
      const kept = descends(seen.context, local.context) ? [] : siblingIds(local);
      return siblingIds(written).join() === [...kept, `1:${ACTOR}`].sort().join();
    }),
  );
  t.end();
});

t.test('a write is stamped above what it meets, even if the clock went back', (t) => {
  const first = applyWrite(undefined, writeOf({ nowMicros: 500 }));
  const dot = { actor: ACTOR, counter: 2 };
  const second = applyWrite(first, writeOf({ nowMicros: 100, dot, properties: PROPERTIES.single }));
  t.equal(first.siblings[0]?.lastModifiedMicros, 500);
  t.equal(second.siblings[0]?.lastModifiedMicros, 501);
  t.end();
});

t.test('under a clock that is centuries off a write is a record that can be read', (t) => {
  let object: StoredObject | undefined;
  for (const [index, nowMicros] of [-1e15, 3e17, 100, Infinity].entries()) {
    const dot = { actor: ACTOR, counter: index + 1 };
    object = applyWrite(object, writeOf({ nowMicros, dot }));
    t.same(decodeRecord(joinRecord(encodeRecord(object))), object);
  }
  t.equal(object?.siblings.length, 4);
  t.end();
});

t.test('one-value buckets, last write wins and write once keep no siblings', (t) => {
  const first = applyWrite(undefined, writeOf({}));
  const overwrite = writeOf({ dot: { actor: ACTOR, counter: 2 } });
  for (const properties of [
    PROPERTIES.single,
    { ...PROPERTIES.plain, last_write_wins: true },
    { ...PROPERTIES.dotted, write_once: true },
  ]) {
    t.equal(applyWrite(first, { ...overwrite, properties }).siblings.length, 1);
  }
  t.equal(
    applyWrite(first, overwrite).siblings.length,
    2,
    'where siblings are kept, there are two',
  );
  t.end();
});

t.test('forged contexts that leave nothing over cost no value', (t) => {
  const other = 'an actor, another!' as Actor;
  const left = applyWrite(undefined, writeOf({ context: new Map([[other, 1]]) }));
  const right = applyWrite(
    undefined,
    writeOf({ context: new Map([[ACTOR, 1]]), dot: { actor: other, counter: 1 } }),
  );
  t.equal(mergeObjects(left, right).siblings.length, 2);
  t.same(mergeObjects(left, right), mergeObjects(right, left));
  t.end();
});
