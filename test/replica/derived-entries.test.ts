/** Derived entries: what a damaged block took from beside the copies is written again, and no more. */

import t from 'tap';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import type { DerivedPage } from '../../src/replica/derived-entries.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import {
  allIndexRange,
  encodeIndexKey,
  encodeMemberKey,
  encodeObjectKey,
  encodeTombKey,
} from '../../src/storage/keys.ts';
import {
  content,
  objectKey,
  openWorld,
  partitionFor,
  propertiesOf,
  RING_SIZE,
  text,
  TOMBSTONE,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';

type World = Awaited<ReturnType<typeof openWorld>>;

const KEYS = Array.from({ length: 400 }, (_, index) => objectKey(`key ${index}`));
const PARTITIONS = Array.from({ length: RING_SIZE }, (_, index) => index as Partition);
const entry = (term: string) => ({ field: text('name_bin'), term: text(term) });

/** Keys with two index entries each; every tenth is deleted. */
async function filled(): Promise<World> {
  const world = await openWorld();
  for (const [index, key] of KEYS.entries()) {
    const indexes = [entry(`term ${index % 7}`), entry('shared')];
    const { context } = await write(world.replica, key, { content: content('v', indexes) });
    if (index % 10 === 0) await write(world.replica, key, { content: TOMBSTONE, context });
  }
  await readTruth(world.store, propertiesOf);
  return world;
}

async function lose({ store }: World, ...keys: readonly Buffer[]): Promise<void> {
  await store.memory.write(keys.map((key) => ({ kind: 'remove' as const, key })));
}

function indexKey(key: ObjectKey, term: string): Buffer {
  return encodeIndexKey(partitionFor(key), key, entry(term));
}

function memberKey(key: ObjectKey): Buffer {
  return encodeMemberKey(encodeObjectKey(partitionFor(key), key), segmentOf(key));
}

async function sumOf(
  pages: AsyncIterable<DerivedPage>,
): Promise<{ count: number; mended: number }> {
  const sum = { count: 0, mended: 0 };
  for await (const { count, mended } of pages) {
    sum.count += count;
    sum.mended += mended;
  }
  return sum;
}

async function restoreAll({ replica }: World): Promise<{ count: number; mended: number }> {
  const sums = await Promise.all(
    PARTITIONS.map((partition) => sumOf(replica.restoreDerived(partition, undefined))),
  );
  return {
    count: sums.reduce((sum, { count }) => sum + count, 0),
    mended: sums.reduce((sum, { mended }) => sum + mended, 0),
  };
}

t.test('what is missing beside a copy is written again, and nothing else', async (t) => {
  const world = await filled();
  const [indexed, unfiled, deleted] = [KEYS[1], KEYS[2], KEYS[10]] as [
    ObjectKey,
    ObjectKey,
    ObjectKey,
  ];
  await lose(
    world,
    indexKey(indexed, 'shared'),
    memberKey(unfiled),
    encodeTombKey(partitionFor(deleted), deleted),
  );
  await t.rejects(readTruth(world.store, propertiesOf), 'the parts contradict each other');
  const writes = world.store.writeCount;
  t.same(await restoreAll(world), { count: 400, mended: 3 });
  t.equal(world.store.writeCount, writes + 3);
  await readTruth(world.store, propertiesOf);
  t.same(await restoreAll(world), { count: 400, mended: 0 });
});

t.test('an entry that a write takes for kept comes back too', async (t) => {
  const world = await filled();
  const key = KEYS[3] as ObjectKey;
  await lose(world, indexKey(key, 'shared'));
  const found = await world.replica.get(key, partitionFor(key));
  const again = content('w', [entry('shared')]);
  await write(world.replica, key, { content: again, ...(found && { context: found.context }) });
  await t.rejects(readTruth(world.store, propertiesOf), /index entries/, 'no write brings it back');
  t.match(await restoreAll(world), { mended: 1 });
  await readTruth(world.store, propertiesOf);
});

t.test('a walk goes on behind any of its pages', async (t) => {
  const world = await filled();
  const [partition] = PARTITIONS as [Partition];
  const inFirst = KEYS.filter((key) => partitionFor(key) === partition);
  const pages: DerivedPage[] = [];
  for await (const page of world.replica.restoreDerived(partition, undefined)) pages.push(page);
  t.equal(
    pages.reduce((sum, { count }) => sum + count, 0),
    inFirst.length,
  );
  for (const [index, { last }] of pages.entries()) {
    const rest = pages.slice(index + 1).reduce((sum, { count }) => sum + count, 0);
    t.match(await sumOf(world.replica.restoreDerived(partition, last)), { count: rest });
  }
  const half = inFirst.map((key) => encodeObjectKey(partition, key)).sort(Buffer.compare)[9];
  t.match(await sumOf(world.replica.restoreDerived(partition, half)), {
    count: inFirst.length - 10,
  });
});

t.test('entries that no copy has go, of the partitions that are meant', async (t) => {
  const world = await filled();
  const [changed, absent] = [KEYS[4] as ObjectKey, objectKey('never written')];
  await world.store.memory.write(
    [indexKey(changed, 'stale'), indexKey(absent, 'stale')].map((key) => {
      return { kind: 'put' as const, key, head: Buffer.alloc(0) };
    }),
  );
  const others = new Set(PARTITIONS);
  others.delete(partitionFor(changed));
  others.delete(partitionFor(absent));
  t.match(await sumOf(world.replica.sweepIndexes(others, undefined)), { count: 722, mended: 0 });
  await t.rejects(readTruth(world.store, propertiesOf), /index entries/);
  const all = new Set(PARTITIONS);
  t.match(await sumOf(world.replica.sweepIndexes(all, undefined)), { count: 722, mended: 2 });
  await readTruth(world.store, propertiesOf);
});

t.test('of a copy that is damaged nothing is touched', async (t) => {
  const world = await filled();
  const key = KEYS[5] as ObjectKey;
  await lose(world, indexKey(key, 'shared'));
  world.store.corruptKey = encodeObjectKey(partitionFor(key), key);
  const before = (await readKeys(world)).length;
  t.match(await restoreAll(world), { mended: 0 });
  t.match(await sumOf(world.replica.sweepIndexes(new Set(PARTITIONS), undefined)), { mended: 0 });
  t.equal((await readKeys(world)).length, before);
});

t.test('an entry that cannot be read is written anew', async (t) => {
  const world = await filled();
  const key = KEYS[6] as ObjectKey;
  world.store.corruptKey = indexKey(key, 'shared');
  const writes = world.store.writeCount;
  t.match(await restoreAll(world), { mended: 1 });
  t.equal(world.store.writeCount, writes + 1);
});

t.test('changes go on all the while', async (t) => {
  const world = await filled();
  await lose(world, ...KEYS.slice(100, 300).map((key) => indexKey(key, 'shared')));
  const writes = KEYS.map((key, index) => {
    return write(world.replica, key, { content: content('w', [entry(`new ${index}`)]) });
  });
  await Promise.all([
    ...writes,
    restoreAll(world),
    sumOf(world.replica.sweepIndexes(new Set(PARTITIONS), undefined)),
  ]);
  await restoreAll(world);
  await sumOf(world.replica.sweepIndexes(new Set(PARTITIONS), undefined));
  await readTruth(world.store, propertiesOf);
  t.pass('index, tombstones and segments are those of the copies');
});

async function readKeys({ store }: World): Promise<Buffer[]> {
  const keys: Buffer[] = [];
  for await (const batch of store.scan(allIndexRange())) keys.push(...batch.map(({ key }) => key));
  return keys;
}
