/** Updates of data types at their coordinating replica: dots, siblings, refusals, and slow ones. */

import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import { covers } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import type { DatatypeName, DatatypeOperation } from '../../src/datatype/operation.ts';
import { contextOf, valueOf } from '../../src/datatype/value.ts';
import { causalHash } from '../../src/object/causality.ts';
import { joinSiblings } from '../../src/object/sibling-states.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { CoordinatedOutcome } from '../../src/replica/replica.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import {
  content,
  foreignObject,
  KEY,
  objectKey,
  openReplica,
  openWorld,
  partitionFor,
  placementOf,
  record,
  text,
  TOMBSTONE,
  write,
} from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { VirtualHost } from './virtual-host.ts';

function set(adds: readonly string[], removes: readonly string[] = []): DatatypeOperation {
  return { kind: 'set', adds: adds.map(text), removes: removes.map(text) };
}

function update(
  replica: StoreReplica,
  operation: DatatypeOperation,
  context?: VersionVector,
): Promise<CoordinatedOutcome> {
  const datatype = operation.kind;
  return replica.update(KEY, placementOf(KEY), { datatype, hllPrecision: 14, operation, context });
}

async function updated(...request: Parameters<typeof update>): Promise<StoredObject> {
  const outcome = await update(...request);
  if (outcome.kind !== 'issued') throw new Error(outcome.kind);
  await outcome.durable;
  return outcome.object;
}

function stateOf(object: StoredObject, datatype: DatatypeName = 'set') {
  const { state } = runAtOnce(joinSiblings(object.siblings, datatype, 14));
  const value = runAtOnce(valueOf(state));
  return { context: contextOf(state), elements: value.kind === 'set' ? value.elements : [] };
}

t.test('the object dot of a write marks what it adds', async (t) => {
  const { replica } = await openWorld();
  await updated(replica, set(['a']));
  const object = await updated(replica, set(['b']));
  const [sibling] = object.siblings;
  t.equal(object.siblings.length, 1);
  const { context, elements } = stateOf(object);
  t.same(elements, ['a', 'b']);
  t.same([...(context ?? [])], [[sibling?.dot.actor, 2]]);
  t.same(object.context, context);
});

t.test('no context of a client enters the object, and a removal leaves the value’s', async (t) => {
  const { replica } = await openWorld();
  const first = await updated(replica, set(['a']));
  const seen = new Map([...(stateOf(first).context ?? []), ['some other actor:)' as never, 9]]);
  const object = await updated(replica, set([], ['a']), seen);
  t.same([...object.context.values()], [2], 'the dot alone');
  t.same(stateOf(object), { context: stateOf(first).context, elements: [] });
});

t.test('a refused update issues nothing: the next has its dot', async (t) => {
  const { replica } = await openWorld();
  const first = await updated(replica, set(['a']));
  t.same(await update(replica, set(['b'], ['zz'])), { kind: 'element-not-present', element: 'zz' });
  t.same(causalHash((await replica.get(KEY, partitionFor(KEY))) ?? first), causalHash(first));
  const next = await updated(replica, set(['c']));
  t.same(next.siblings[0]?.dot, { ...first.siblings[0]?.dot, counter: 2 });
  t.same(stateOf(next).elements, ['a', 'c']);
});

t.test('states that came from elsewhere are taken in, other values stay', async (t) => {
  const { replica } = await openWorld();
  const host = new VirtualHost(2);
  const other = await openReplica(host, new ShakyStore(host.random));
  const remote = await updated(other.replica, set(['r']));
  await updated(replica, set(['l']));
  await replica.merge(KEY, placementOf(KEY), record(remote), undefined);
  await replica.merge(KEY, placementOf(KEY), record(await foreignObject('text')), undefined);
  const object = await updated(replica, set(['n']));
  t.same(stateOf(object).elements, ['l', 'n', 'r']);
  t.same(object.siblings.length, 2, 'one state and the text');
});

t.test('an update after a delete begins anew, also when the tombstone is gone', async (t) => {
  const { replica } = await openWorld();
  const stale = await updated(replica, set(['a']));
  const tombstone = await write(replica, KEY, { content: TOMBSTONE, context: stale.context });
  t.ok(await replica.reap(KEY, placementOf(KEY), causalHash(tombstone)));
  const object = await updated(replica, set(['b']));
  t.same(stateOf(object).elements, ['b']);
  const [{ dot } = { dot: undefined }] = stale.siblings;
  t.ok(dot !== undefined && covers(object.context, dot), 'what was deleted cannot come back');
});

t.test('a slow update keeps its own key waiting and no other', async (t) => {
  const { replica, host } = await openWorld();
  const many = Array.from({ length: 30_000 }, (_, index) => `element ${index}`);
  const slow = update(replica, set(many));
  const after = update(replica, set(['z'], ['element 7']));
  const other = objectKey('other');
  const quick = await replica.coordinate(other, placementOf(other), {
    context: new Map(),
    content: content('quick'),
  });
  t.equal(quick.kind, 'issued', 'while the slow one has not had a second slice');
  t.ok(host.timerCount > 0);
  await host.advance(1_000);
  t.equal((await slow).kind, 'issued');
  const last = await after;
  if (last.kind !== 'issued') return t.fail(last.kind);
  const { elements } = stateOf(last.object);
  t.equal(elements.length, 30_000, 'in the order in which they came');
  t.notOk(elements.includes(text('element 7')));
});

t.test('a state too large is refused, and what is there stays', async (t) => {
  const { replica } = await openWorld({ objectSizeMaxBytes: 2_000 });
  await updated(replica, set(['a']));
  const huge = await update(replica, set(['x'.repeat(3_000)]));
  t.equal(huge.kind, 'too-large');
  t.same(stateOf(await updated(replica, set(['b']))).elements, ['a', 'b']);
});
