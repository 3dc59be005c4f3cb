/** What a replica offers to who fills another one, and to who gives its copies away. */

import t from 'tap';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { recordCausalHash } from '../../src/object/record.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import {
  content,
  KEY,
  NODE_B,
  objectKey,
  openWorld,
  partitionFor,
  placementOf,
  propertiesOf,
  text,
  TOMBSTONE,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';

async function keysOf(
  replica: StoreReplica,
  partition: Partition,
  after?: ObjectKey,
): Promise<ObjectKey[]> {
  const keys: ObjectKey[] = [];
  for await (const batch of replica.records(partition, 3, after)) {
    for (const { key } of batch) keys.push(key);
  }
  return keys;
}

t.test('a partition is read in key order and on from any key', async (t) => {
  const { replica } = await openWorld();
  const keys = Array.from({ length: 600 }, (_, index) => objectKey(`key ${index}`));
  await Promise.all(keys.map((key) => write(replica, key, { content: content('v') })));
  const partition = partitionFor(KEY);
  const expected = keys
    .filter((key) => partitionFor(key) === partition)
    .sort((left, right) => (left.key < right.key ? -1 : 1));
  t.ok(expected.length > 50);
  t.same(await keysOf(replica, partition), expected);
  t.same(await keysOf(replica, partition, expected[39]), expected.slice(40));
});

t.test('a copy that cannot be read is left out, and the rest is not', async (t) => {
  const { host, replica, store } = await openWorld();
  const keys = Array.from({ length: 200 }, (_, index) => objectKey(`key ${index}`));
  for (const key of keys) await write(replica, key, { content: content('v') });
  const partition = partitionFor(KEY);
  const all = await keysOf(replica, partition);
  store.corruptKey = encodeObjectKey(partition, all[1] as ObjectKey);
  t.same(await keysOf(replica, partition), [all[0], ...all.slice(2)]);
  t.equal(host.counters.get('replica_corrupt'), 1);
});

t.test('a batch is bounded in bytes, also where large copies follow small ones', async (t) => {
  const { replica } = await openWorld();
  const partition = partitionFor(KEY);
  const keys = Array.from({ length: 2_000 }, (_, index) => objectKey(`key ${index}`))
    .filter((key) => partitionFor(key) === partition)
    .sort((left, right) => (left.key < right.key ? -1 : 1));
  const firstLarge = keys.length - 20;
  for (const [index, key] of keys.entries()) {
    const value = 'v'.repeat(index < firstLarge ? 1 : 300 * 1024);
    await write(replica, key, { content: content(value) });
  }
  const found: ObjectKey[] = [];
  let largeBatches = 0;
  for await (const batch of replica.records(partition, 3, undefined)) {
    found.push(...batch.map(({ key }) => key));
    const large = batch.filter(({ record }) => record.length > 256 * 1024);
    t.ok(large.length <= 1, 'one large copy at most');
    largeBatches += large.length;
  }
  t.equal(largeBatches, 20);
  t.same(found, keys, 'each once, in order');
});

t.test('a batch is read when it is asked for', async (t) => {
  const { replica } = await openWorld();
  const keys = Array.from({ length: 300 }, (_, index) => objectKey(`key ${index}`));
  for (const key of keys) await write(replica, key, { content: content('v') });
  const partition = partitionFor(KEY);
  const last = (await keysOf(replica, partition)).at(-1) as ObjectKey;
  const batches = replica.records(partition, 3, undefined);
  await batches.next();
  const { context } = (await replica.get(last, partition)) ?? {};
  await write(replica, last, { content: TOMBSTONE, ...(context && { context }) });
  const record = await replica.getRecord(last, partition, false);
  for await (const batch of batches) {
    for (const found of batch) {
      if (found.key.key === last.key) t.same(found.record, record, 'what was written since');
    }
  }
});

t.test('a dropped copy leaves nothing behind', async (t) => {
  const { replica, store } = await openWorld();
  const indexes = [{ field: text('name_bin'), term: text('ada') }];
  await write(replica, KEY, { content: content('v', indexes) });
  const partition = partitionFor(KEY);
  await replica.addHint({ target: NODE_B, partition, key: KEY });
  const record = await replica.getRecord(KEY, partition, true);
  t.equal(await replica.holdsAny(partition, 3), true);
  t.equal(await replica.drop(KEY, placementOf(KEY), record && recordCausalHash(record)), true);
  t.equal(await replica.holdsAny(partition, 3), false);
  t.equal(replica.hintCounts().size, 0);
  const truth = await readTruth(store, propertiesOf);
  t.same([truth.objects.size, truth.index.size, truth.hints.size], [0, 0, 0]);
});

t.test('a copy that has changed since it was confirmed stays', async (t) => {
  const { replica } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  const partition = partitionFor(KEY);
  const record = await replica.getRecord(KEY, partition, true);
  await write(replica, KEY, { content: content('w') });
  t.equal(await replica.drop(KEY, placementOf(KEY), record && recordCausalHash(record)), false);
  t.equal(await replica.drop(KEY, placementOf(KEY), undefined), false, 'it can be read');
  t.ok(await replica.get(KEY, partition));
});

t.test('a copy that nobody can read may be dropped', async (t) => {
  const { replica, store } = await openWorld({ recentHeadsMax: 0 });
  await write(replica, KEY, { content: content('v') });
  const partition = partitionFor(KEY);
  store.corruptKey = encodeObjectKey(partition, KEY);
  t.equal(await replica.drop(KEY, placementOf(KEY), undefined), true);
  store.corruptKey = undefined;
  t.equal(await replica.getRecord(KEY, partition, false), undefined);
});
