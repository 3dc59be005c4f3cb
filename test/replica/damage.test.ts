/** Damaged copies: absent to their readers, mended by the next merge, counted right again. */

import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import type { ObjectKey } from '../../src/base/names.ts';
import { encodeIntegerTerm } from '../../src/object/index-entries.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import { bucketIndexRange, decodeIndexKey, encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
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
import type { ShakyStore } from './shaky-store.ts';
import { readTruth } from './store-truth.ts';
/** A replica that finds damage at once, because it reads the store each time. */
const FORGETFUL = { recentHeadsMax: 0, recentRecordsMaxBytes: 0 };

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
    const { host, replica, store } = await openWorld(FORGETFUL);
    const partition = partitionFor(KEY);
    const object = await write(replica, KEY, { content: content('v') });
    await damage(store, KEY, fromEnd);
    t.equal(await replica.get(KEY, partition), undefined);
    t.equal(await replica.getRecord(KEY, partition, false), undefined);
    t.equal(host.counters.get('replica_corrupt'), 2);
    t.equal(host.logged.filter((event) => event === 'replica.corrupt').length, 1);
    await replica.merge(KEY, placementOf(KEY), record(object), undefined);
    t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
    t.notOk(replica.isDamaged(KEY));
    t.ok(await replica.holdsAny(partition, 3), 'who looks for copies here finds it');
    await readTruth(store, propertiesOf);
  });
}

t.test('a value found damaged by a write itself does not pass for seen', async (t) => {
  const { replica, store } = await openWorld(FORGETFUL);
  const before = await write(replica, KEY, { content: content('before') });
  await damage(store, KEY, 1);
  // Its head is sound, so that only who needs the value beside its own notices.
  const after = await write(replica, KEY, { content: content('after') });
  t.same(valuesOf(mergeObjects(before, after)), ['after', 'before']);
});

t.test('a copy is damaged and mended, however many there are that nobody can mend', async (t) => {
  const { replica, store } = await openWorld(FORGETFUL);
  const partition = partitionFor(KEY);
  const object = await write(replica, KEY, { content: content('v') });
  await damage(store, KEY, 1);
  const rotten = await store.memory.get(encodeObjectKey(partition, KEY));
  for (let index = 0; index <= 4_096; index += 1) {
    const key = objectKey(`rotten ${index}`);
    const entry = encodeObjectKey(partition, key);
    await store.memory.write([{ kind: 'put', key: entry, head: rotten ?? Buffer.alloc(0) }]);
    if ((await replica.getRecord(key, partition, false)) !== undefined) t.fail('it is rotten');
  }
  t.equal(await replica.getRecord(KEY, partition, false), undefined);
  t.ok(replica.isDamaged(KEY), 'its word that there is nothing must not count');
  await replica.merge(KEY, placementOf(KEY), record(object), undefined);
  t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
});

t.test('index entries that a damaged head has left behind are swept away', async (t) => {
  const { host, replica, store } = await openWorld(FORGETFUL);
  const entry = (field: string, term: string) => ({ field: text(field), term: text(term) });
  const born = entry('born_int', '-7');
  const other = objectKey('another');
  await write(replica, other, { content: content('o', [entry('name_bin', 'kept')]) });
  await write(replica, KEY, { content: content('v', [born, entry('name_bin', 'stale')]) });
  await damage(store, KEY, 60);
  await write(replica, KEY, { content: content('w', [born]) });
  while (host.counters.get('replica_index_sweeps') !== 1) await setImmediate();
  const entries: string[] = [];
  for await (const batch of store.scan(bucketIndexRange(KEY))) {
    for (const { key } of batch) entries.push(decodeIndexKey(key).entry.term);
  }
  t.same(entries, [encodeIntegerTerm(born.term), 'kept']);
});

t.test('an entry that the store cannot read is absent, and is overwritten', async (t) => {
  const { replica, store } = await openWorld(FORGETFUL);
  const partition = partitionFor(KEY);
  const object = await write(replica, KEY, { content: content('v') });
  store.corruptKey = encodeObjectKey(partition, KEY);
  t.equal(await replica.get(KEY, partition), undefined);
  await replica.merge(KEY, placementOf(KEY), record(object), undefined);
  store.corruptKey = undefined;
  t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
});

t.test('of an entry whose body cannot be read, index and tree stay exact', async (t) => {
  const { replica, store } = await openWorld(FORGETFUL);
  const partition = partitionFor(KEY);
  const object = await write(replica, KEY, { content: content('v') });
  store.bodilessKey = encodeObjectKey(partition, KEY);
  t.equal(await replica.get(KEY, partition), undefined);
  await replica.merge(KEY, placementOf(KEY), record(object), undefined);
  store.bodilessKey = undefined;
  t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
  await readTruth(store, propertiesOf);
});

t.test('a recount corrects the segments that are wrong, while writes go on', async (t) => {
  const { replica, store } = await openWorld(FORGETFUL);
  const keys = Array.from({ length: 400 }, (_, index) => objectKey(`key ${index}`)).filter(
    (key) => partitionFor(key) === partitionFor(KEY),
  );
  for (const key of keys) await write(replica, key, { content: content('v') });
  const partition = partitionFor(KEY);
  const damaged = keys.slice(0, 3);
  for (const key of damaged) {
    await damage(store, key, 60);
    t.equal(await replica.getRecord(key, partition, true), undefined, 'the head is gone');
    await write(replica, key, { content: content('w') });
  }
  await t.rejects(readTruth(store, propertiesOf), /counts exactly/);

  const recount = { segments: keys.map(segmentOf), keepPace: async () => true };
  const givenUp = { ...recount, keepPace: async () => false };
  t.equal(await replica.recountTree(partition, 3, givenUp), 0);
  await t.rejects(readTruth(store, propertiesOf), /counts exactly/, 'nothing is corrected');
  const writes = keys.map((key) => write(replica, key, { content: content('meanwhile') }));
  const counts = [
    replica.recountTree(partition, 3, recount),
    replica.recountTree(partition, 3, recount),
  ];
  await Promise.all(writes);
  t.same(await Promise.all(counts), [new Set(damaged.map(segmentOf)).size, 0]);
  await readTruth(store, propertiesOf);
  t.equal(await replica.recountTree(partition, 3, recount), 0);
});
