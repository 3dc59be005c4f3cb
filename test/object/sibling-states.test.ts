/** Data types among siblings: several states are shown as one, the same on every node. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import type { Actor } from '../../src/clock/version-vector.ts';
import { applyUpdate } from '../../src/object/datatype-update.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import {
  datatypeOf,
  hasStatesToJoin,
  joinShownStates,
  joinSiblings,
} from '../../src/object/sibling-states.ts';
import { valueOf } from '../../src/datatype/value.ts';
import type { Sibling, StoredObject } from '../../src/object/stored-object.ts';

const actorOf = (index: number): Actor =>
  `identity-epoch-${String(index).padStart(3, '0')}` as Actor;

/** An object after one coordinator's additions to a set. */
function updated(local: StoredObject | undefined, actor: number, element: string): StoredObject {
  const counter = (local?.context.get(actorOf(actor)) ?? 0) + 1;
  const outcome = runAtOnce(
    applyUpdate(
      local,
      {
        datatype: 'set',
        hllPrecision: 14,
        operation: { kind: 'set', adds: [element as ByteString], removes: [] },
        context: undefined,
      },
      {
        dot: { actor: actorOf(actor), counter },
        past: new Map(),
        nowMicros: 1_000 * actor + counter,
        vtag: `v${actor}-${counter}`,
      },
    ),
  );
  if (outcome.kind !== 'applied') throw new Error(outcome.kind);
  return outcome.object;
}

function withSibling(object: StoredObject, change: Partial<Sibling>, index: number): StoredObject {
  const dot = { actor: actorOf(index), counter: 1 };
  const sibling = {
    dot,
    lastModifiedMicros: 1,
    vtag: `x${index}`,
    metadata: {},
    isTombstone: false,
    valueSizeBytes: 0,
    value: Buffer.alloc(0),
    ...change,
  };
  return mergeObjects(object, { context: new Map([[dot.actor, 1]]), siblings: [sibling] });
}

function elementsOf(object: StoredObject): unknown {
  const value = runAtOnce(valueOf(runAtOnce(joinSiblings(object.siblings, 'set', 14)).state));
  return value.kind === 'set' && value.elements;
}

const shown = (object: StoredObject): StoredObject => runAtOnce(joinShownStates(object));

t.test('states made side by side are shown as one sibling, without tombstones', (t) => {
  const both = mergeObjects(updated(undefined, 1, 'a'), updated(undefined, 2, 'b'));
  t.equal(both.siblings.length, 2);
  const deleted = withSibling(both, { isTombstone: true }, 3);
  const object = shown(withSibling(deleted, { metadata: {}, value: Buffer.from('text') }, 4));
  t.equal(object.siblings.length, 2, 'the state and the text');
  t.same(elementsOf(object), ['a', 'b']);
  const state = object.siblings.find((sibling) => datatypeOf(sibling) === 'set');
  t.equal(state?.lastModifiedMicros, 2_001);
  t.equal(state?.valueSizeBytes, state?.value.length);
  t.not(state?.vtag, 'v2-1', 'another value has another tag');
  t.same(object.context, withSibling(deleted, {}, 4).context);
  t.end();
});

t.test('a lone state is shown as it is, a tombstone beside it or not', (t) => {
  const lone = updated(undefined, 1, 'a');
  t.notOk(hasStatesToJoin(lone));
  const deleted = withSibling(lone, { isTombstone: true }, 2);
  t.ok(hasStatesToJoin(deleted));
  t.same(shown(deleted).siblings, lone.siblings);
  t.end();
});

t.test('whatever the order in which copies met, every node shows the same', (t) => {
  const anyUpdate = fc.tuple(fc.nat({ max: 3 }), fc.constantFrom('a', 'b', 'c', 'd'));
  fc.assert(
    fc.property(fc.array(anyUpdate, { minLength: 1, maxLength: 12 }), (updates) => {
      const copies: (StoredObject | undefined)[] = [];
      for (const [node, element] of updates) copies[node] = updated(copies[node], node, element);
      const present = copies.flatMap((copy) => copy ?? []);
      const forth = shown(present.reduce(mergeObjects));
      const back = shown(present.toReversed().reduce(mergeObjects));
      t.equal(forth.siblings.length, 1);
      t.equal(forth.siblings[0]?.vtag, back.siblings[0]?.vtag);
      t.same(elementsOf(forth), [...new Set(updates.map(([, element]) => element))].sort());
      t.same(forth, back);
    }),
  );
  t.end();
});

t.test('bytes that are no state, or another type’s, are an ordinary value', (t) => {
  const metadata = { contentType: 'application/riak_set' as ByteString };
  const object = withSibling(updated(undefined, 1, 'a'), { metadata, value: Buffer.from('x') }, 2);
  t.equal(shown(object).siblings.length, 2);
  t.same(elementsOf(object), ['a']);
  const after = updated(object, 1, 'b');
  t.equal(after.siblings.length, 2, 'no update takes it away');
  t.end();
});
