/** Tombstones: what is reaped, what stays dead, and what may live again. */

import t from 'tap';
import { causalHash } from '../../src/object/causality.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { isTombstone } from '../../src/object/show.ts';
import {
  content,
  foreignObject,
  KEY,
  objectKey,
  openWorld,
  partitionFor,
  placementOf,
  propertiesOf,
  record,
  TOMBSTONE,
  valuesOf,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';

t.test(
  'a client that knows more of this node than its copy does begins a fresh chain',
  async (t) => {
    const { replica } = await openWorld({ graveMs: 0 });
    const { partition } = placementOf(KEY);
    const first = await write(replica, KEY, { content: content('v1') });
    const last = await write(replica, KEY, { content: TOMBSTONE, context: first.context });
    t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(last)), true);
    const next = await write(replica, KEY, { content: content('v2'), context: first.context });
    t.same(valuesOf(mergeObjects(next, last)), ['v2']);
    t.equal(mergeObjects(next, last).siblings.length, 2);
    t.ok(await replica.get(KEY, partition));
  },
);

t.test('a reap removes exactly the tombstone it names', async (t) => {
  const { replica, store } = await openWorld();
  const partition = partitionFor(KEY);
  const live = await write(replica, KEY, { content: content('v') });
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(live)), false, 'not a tombstone');
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: live.context });
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(live)), false, 'another state');
  t.ok(await replica.get(KEY, partition));
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(dead)), true);
  t.equal(await replica.get(KEY, partition), undefined);
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(dead)), true, 'gone already');
  t.equal((await readTruth(store, propertiesOf)).objects.size, 0);
});

t.test('what a reaped tombstone had superseded stays dead, however late it comes', async (t) => {
  const { host, replica, store } = await openWorld({ graveMs: 1000 });
  const place = placementOf(KEY);
  const theirs = await foreignObject('theirs');
  await replica.merge(KEY, place, record(theirs), undefined);
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: theirs.context });
  await replica.reap(KEY, place, causalHash(dead));

  await replica.merge(KEY, place, record(theirs), undefined);
  const raised = await replica.get(KEY, place.partition);
  t.same(raised, dead, 'the older value raises the tombstone, for whoever sent it');
  await replica.reap(KEY, place, causalHash(dead));
  const other = await foreignObject('of someone who had not seen the delete');
  await replica.merge(KEY, place, record(mergeObjects(theirs, other)), undefined);
  const revived = await replica.get(KEY, place.partition);
  t.same(valuesOf(revived), ['of someone who had not seen the delete']);
  t.same(valuesOf(mergeObjects(revived ?? dead, theirs)), valuesOf(revived));
  await readTruth(store, propertiesOf);

  const again = await write(replica, KEY, {
    content: TOMBSTONE,
    context: revived?.context ?? new Map(),
  });
  await replica.reap(KEY, place, causalHash(again));
  await host.advance(1000);
  await replica.merge(KEY, place, record(theirs), undefined);
  t.same(valuesOf(await replica.get(KEY, place.partition)), ['theirs'], 'the grave is forgotten');
});

t.test('a tombstone that was stored with a value is raised without it', async (t) => {
  const { replica, store } = await openWorld();
  const place = placementOf(KEY);
  const theirs = await foreignObject('theirs');
  await replica.merge(KEY, place, record(theirs), undefined);
  const marked = { ...content('as a client may mark it'), isTombstone: true };
  const dead = await write(replica, KEY, { content: marked, context: theirs.context });
  t.equal(await replica.reap(KEY, place, causalHash(dead)), true);

  await replica.merge(KEY, place, record(theirs), undefined);
  const raised = await replica.get(KEY, place.partition);
  t.ok(raised && isTombstone(raised) && causalHash(raised).equals(causalHash(dead)));
  t.equal(await replica.reap(KEY, place, causalHash(dead)), true);
  await readTruth(store, propertiesOf);
});

t.test(
  'a key that is written anew after a reap knows what was dead, and its actor goes on',
  async (t) => {
    const { replica, store } = await openWorld();
    const place = placementOf(KEY);
    let last = await write(replica, KEY, { content: content('v') });
    for (let round = 0; round < 5; round += 1) {
      const dead = await write(replica, KEY, { content: TOMBSTONE, context: last.context });
      t.equal(await replica.reap(KEY, place, causalHash(dead)), true);
      const next = await write(replica, KEY, { content: content(`v${round}`) });
      t.same(valuesOf(mergeObjects(next, last)), [`v${round}`]);
      t.equal(next.siblings.length, 1);
      t.equal(next.context.size, 1, 'contexts do not grow');
      last = next;
    }
    await readTruth(store, propertiesOf);
  },
);

t.test('a tombstone that a peer still has is taken back, to be reaped again', async (t) => {
  const { replica } = await openWorld();
  const place = placementOf(KEY);
  const live = await write(replica, KEY, { content: content('v') });
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: live.context });
  await replica.reap(KEY, place, causalHash(dead));
  await replica.merge(KEY, place, record(dead), undefined);
  t.same(await replica.getRecord(KEY, place.partition, false), record(dead));
  t.equal(await replica.reap(KEY, place, causalHash(dead)), true);
});

t.test('the tombstones of a partition are found', async (t) => {
  const { replica } = await openWorld();
  const keys = Array.from({ length: 100 }, (_, index) => objectKey(`key ${index}`));
  for (const [index, key] of keys.entries()) {
    const live = await write(replica, key, { content: content('v') });
    if (index % 2 === 0) continue;
    await write(replica, key, { content: TOMBSTONE, context: live.context });
  }
  const partition = partitionFor(KEY);
  const found: string[] = [];
  for await (const batch of replica.tombstones(partition))
    found.push(...batch.map(({ key }) => key));
  const expected = keys.filter((key, index) => index % 2 === 1 && partitionFor(key) === partition);
  t.same(found, expected.map(({ key }) => key).sort());
  t.ok(found.length > 0);
});

t.test('a tombstone beside a live sibling is not reaped', async (t) => {
  const { replica } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  const both = await write(replica, KEY, { content: TOMBSTONE });
  t.equal(both.siblings.length, 2);
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(both)), false);
});
