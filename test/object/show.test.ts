/** Showing: one value or all, and the same one on every node. */

import fc from 'fast-check';
import t from 'tap';
import { compareDots } from '../../src/clock/actor.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { isTombstone, showHead, showObject } from '../../src/object/show.ts';
import type { Sibling, StoredObject } from '../../src/object/stored-object.ts';
import { PROPERTIES, anyHistory, play } from './history.ts';

/** The siblings of one object, with these changes. */
function withSiblings(changes: readonly Partial<Sibling>[]): StoredObject {
  const actor = 'an actor: 18 bytes' as Sibling['dot']['actor'];
  const siblings = changes.map((change, index) => ({
    dot: { actor, counter: index + 1 },
    lastModifiedMicros: 5,
    vtag: `v${index}`,
    metadata: {},
    isTombstone: false,
    valueSizeBytes: 0,
    value: Buffer.alloc(0),
    ...change,
  }));
  return { context: new Map([[actor, siblings.length]]), siblings };
}

const vtags = (object: StoredObject) => object.siblings.map(({ vtag }) => vtag);

t.test('buckets that keep siblings show all, the others the newest', (t) => {
  const object = withSiblings([{}, { lastModifiedMicros: 7 }, { lastModifiedMicros: 6 }]);
  t.same(vtags(showObject(object, PROPERTIES.dotted)), ['v0', 'v1', 'v2']);
  t.same(vtags(showObject(object, PROPERTIES.single)), ['v1']);
  t.same(vtags(showObject(object, { ...PROPERTIES.plain, last_write_wins: true })), ['v1']);
  t.same(vtags(showObject(object, { ...PROPERTIES.dotted, write_once: true })), ['v1']);
  t.equal(showObject(object, { ...PROPERTIES.dotted, datatype: 'set' }), object);
  t.equal(showObject(object, PROPERTIES.single).context, object.context);
  t.end();
});

t.test('at the same time a value is shown before a tombstone, then the dot decides', (t) => {
  const object = withSiblings([{ isTombstone: true }, {}, {}]);
  t.same(vtags(showObject(object, PROPERTIES.single)), ['v1']);
  t.end();
});

t.test('an object is deleted if all that is shown are tombstones', (t) => {
  const newerTombstone = withSiblings([{}, { lastModifiedMicros: 6, isTombstone: true }]);
  t.notOk(isTombstone(showObject(newerTombstone, PROPERTIES.dotted)));
  t.ok(isTombstone(showObject(newerTombstone, PROPERTIES.single)));
  t.ok(isTombstone(withSiblings([{ isTombstone: true }, { isTombstone: true }])));
  t.end();
});

t.test('a head shows the sibling that its object shows, in whatever order it was merged', (t) => {
  fc.assert(
    fc.property(anyHistory, fc.nat(), fc.nat(), (steps, leftPick, rightPick) => {
      const present = play(steps).states.flatMap(({ object }) => object ?? []);
      if (present.length === 0) return true;
      const [left, right] = [leftPick, rightPick].map((pick) => present[pick % present.length]!);
      const shown = showObject(mergeObjects(left!, right!), PROPERTIES.single).siblings[0]!;
      const other = showHead(mergeObjects(right!, left!), PROPERTIES.single).siblings[0]!;
      return compareDots(shown.dot, other.dot) === 0;
    }),
  );
  t.end();
});
