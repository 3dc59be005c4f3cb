/** Damaged copies: absent to their readers, mended by the next merge, counted right again. */

import t from 'tap';
import type { ObjectKey } from '../../src/base/names.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
  KEY,
  objectKey,
  openWorld,
  partitionFor,
  placementOf,
  propertiesOf,
  record,
  valuesOf,
  write,
} from './replica-world.ts';
import type { ShakyStore } from './shaky-store.ts';
import { readTruth } from './store-truth.ts';
/** A store damaged at one byte of the key's entry, counted from its end. */
async function damage(store: ShakyStore, key: ObjectKey, fromEnd: number): Promise<void> {
  const entry = encodeObjectKey(partitionFor(key), key);
  const bytes = Buffer.from((await store.memory.get(entry)) ?? Buffer.alloc(0));
  const at = bytes.length - fromEnd;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await store.memory.write([{ kind: 'put', key: entry, head: bytes }]);
}

for (const [what, fromEnd] of [
  ['value', 1],
  ['head', 60],
] as const) {
  t.test(`a copy with a damaged ${what} is absent until a merge brings it back`, async (t) => {
    const { host, replica, store } = await openWorld();
    const partition = partitionFor(KEY);
    const object = await write(replica, KEY, { content: content('v') });
    await damage(store, KEY, fromEnd);
    t.equal(await replica.get(KEY, partition), undefined);
    t.equal(await replica.getRecord(KEY, partition, false), undefined);
    t.equal(host.counters.get('replica_corrupt'), 2);
    t.equal(host.logged.filter((event) => event === 'replica.corrupt').length, 1);
    await replica.merge(KEY, placementOf(KEY), record(object), undefined);
    t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
    if (what === 'value') await readTruth(store, propertiesOf);
  });
}

t.test('an entry that the store cannot read is absent, and is overwritten', async (t) => {
  const { replica, store } = await openWorld();
  const partition = partitionFor(KEY);
  const object = await write(replica, KEY, { content: content('v') });
  store.corruptKey = encodeObjectKey(partition, KEY);
  t.equal(await replica.get(KEY, partition), undefined);
  await replica.merge(KEY, placementOf(KEY), record(object), undefined);
  store.corruptKey = undefined;
  t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
});

t.test('a recount corrects the segments that are wrong, while writes go on', async (t) => {
  const { replica, store } = await openWorld();
  const keys = Array.from({ length: 400 }, (_, index) => objectKey(`key ${index}`)).filter(
    (key) => partitionFor(key) === partitionFor(KEY),
  );
  for (const key of keys) await write(replica, key, { content: content('v') });
  const partition = partitionFor(KEY);
  const damaged = keys.slice(0, 3);
  for (const key of damaged) {
    const object = await replica.getRecord(key, partition, false);
    await damage(store, key, 60);
    t.equal(await replica.getRecord(key, partition, true), undefined, 'the head is gone');
    await replica.merge(key, placementOf(key), object ?? Buffer.alloc(0), undefined);
  }
  await t.rejects(readTruth(store, propertiesOf), /counts exactly/);

  const segments = keys.map(segmentOf);
  const writes = keys.map((key) => write(replica, key, { content: content('meanwhile') }));
  const counts = [
    replica.recountTree(partition, 3, segments),
    replica.recountTree(partition, 3, segments),
  ];
  await Promise.all(writes);
  t.same(await Promise.all(counts), [new Set(damaged.map(segmentOf)).size, 0]);
  await readTruth(store, propertiesOf);
  t.equal(await replica.recountTree(partition, 3, segments), 0);
});
