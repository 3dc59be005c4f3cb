/** Which writes read their copy first, and which know its head still. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Partition } from '../../src/base/names.ts';
import { RecentHeads } from '../../src/replica/recent-heads.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
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
  text,
  valuesOf,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';

const RECALLED = 'replica_heads_recalled_total';
const HEAD = { context: new Map(), siblings: [] };

t.test('as many as were asked for are kept, those used last', async () => {
  const ids = fc.array(fc.nat({ max: 12 }).map((id) => `${id}` as ByteString));
  fc.assert(
    fc.property(ids, fc.nat({ max: 5 }), (used, countMax) => {
      const heads = new RecentHeads(countMax);
      for (const id of used) {
        heads.take(id);
        heads.keep(id, { partition: 0 as Partition, head: HEAD, hash: undefined });
      }
      const lastUsed = [...new Set(used.toReversed())].slice(0, countMax);
      if (heads.size !== lastUsed.length) return false;
      for (const id of lastUsed) if (heads.take(id) === undefined) return false;
      return heads.size === 0;
    }),
  );
});

t.test('a write after a write of the same key reads nothing', async (t) => {
  const { host, replica } = await openWorld();
  const first = await write(replica, KEY, { content: content('v') });
  await write(replica, KEY, { content: content('w'), context: first.context });
  t.equal(host.counters.get(RECALLED), 1);
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['w']);
});

t.test('what a sibling needs of the old value is read all the same', async (t) => {
  const { host, replica } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  await write(replica, KEY, { content: content('w') });
  t.equal(host.counters.get(RECALLED), 1);
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['v', 'w']);
});

t.test('a large head is read again', async (t) => {
  const { host, replica } = await openWorld();
  const indexes = [{ field: text('note_bin'), term: text('x'.repeat(2000)) }];
  const first = await write(replica, KEY, { content: content('v', indexes) });
  await write(replica, KEY, { content: content('w'), context: first.context });
  t.equal(host.counters.get(RECALLED), undefined);
});

t.test('a copy that was found damaged is read again', async (t) => {
  const { host, replica, store } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  await write(replica, objectKey('another'), { content: content('v') });
  store.corruptKey = encodeObjectKey(partitionFor(KEY), KEY);
  t.equal(await replica.get(KEY, partitionFor(KEY)), undefined);
  store.corruptKey = undefined;
  await write(replica, KEY, { content: content('w') });
  t.equal(host.counters.get(RECALLED), undefined);
});

t.test('a head whose values a refused write found damaged is read again', async (t) => {
  const { host, replica, store } = await openWorld({ objectSizeMaxBytes: 1_000 });
  const first = await write(replica, KEY, { content: content('v') });
  store.bodilessKey = encodeObjectKey(partitionFor(KEY), KEY);
  await t.rejects(write(replica, KEY, { content: content('w'.repeat(2_000)) }), /too-large/);
  t.equal(replica.isDamaged(KEY), true);
  t.equal(host.counters.get(RECALLED), 1);
  await write(replica, KEY, { content: content('x'), context: first.context });
  t.equal(host.counters.get(RECALLED), 1);
});

t.test('of a key whose partition has changed each copy has a head of its own', async (t) => {
  const { host, replica, store } = await openWorld();
  const { partition, properties } = placementOf(KEY);
  const elsewhere = { partition: ((partition + 1) % 8) as Partition, properties };
  await write(replica, KEY, { content: content('v') });
  await replica.merge(KEY, elsewhere, record(await foreignObject('theirs')), undefined);
  t.equal(host.counters.get(RECALLED), undefined);
  t.same(valuesOf(await replica.get(KEY, elsewhere.partition)), ['theirs']);
  await readTruth(store.memory, propertiesOf);
});
