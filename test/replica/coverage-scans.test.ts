/** Coverage scans: each name once, in order, of the partitions asked for and no others. */

import fc from 'fast-check';
import t from 'tap';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import { compareIntegerTerms, type IndexMatch } from '../../src/object/index-entries.ts';
import type { IndexEntry } from '../../src/object/stored-object.ts';
import type { IndexScan } from '../../src/peer/messages.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import { MemoryStore } from '../../src/storage/memory-store.ts';
import type { ScanEntry, ScanRange } from '../../src/storage/store.ts';
import {
  content,
  objectKey,
  openReplica,
  openWorld,
  partitionFor,
  placementOf,
  RING_SIZE,
  text,
} from './replica-world.ts';
import { VirtualHost } from './virtual-host.ts';

const ALL = Array.from({ length: RING_SIZE }, (_, partition) => partition as Partition);
const TYPE = text('default');

async function open(): Promise<StoreReplica> {
  const { replica } = await openReplica(new VirtualHost(), new MemoryStore());
  return replica;
}

async function put(
  replica: StoreReplica,
  key: ObjectKey,
  indexes?: readonly IndexEntry[],
): Promise<void> {
  const write = { context: EMPTY_VERSION_VECTOR, content: content('v', indexes) };
  const outcome = await replica.coordinate(key, placementOf(key), write);
  if (outcome.kind === 'issued') await outcome.durable;
}

async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const batch of batches) items.push(...batch);
  return items;
}

const names = fc
  .uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 3 }), {
    selector: (bytes) => Buffer.from(bytes).toString('hex'),
    maxLength: 30,
  })
  .map((all) => all.map(bytesToByteString));

const shares = fc.subarray(ALL, { minLength: 1 });

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

t.test('keys and buckets are listed once, in order, from the partitions asked for', async (t) => {
  await fc.assert(
    fc.asyncProperty(names, names, shares, async (buckets, keys, partitions) => {
      const replica = await open();
      const objects = buckets
        .slice(0, 5)
        .flatMap((bucket) => keys.map((key): ObjectKey => ({ type: TYPE, bucket, key })));
      for (const key of objects) await put(replica, key);
      await put(replica, { type: text('other'), bucket: text('b'), key: text('k') });

      const held = objects.filter((key) => partitions.includes(partitionFor(key)));
      const expectedBuckets = [...new Set(held.map(({ bucket }) => bucket))].sort(compare);
      t.same(await collect(replica.listBuckets({ partitions }, TYPE)), expectedBuckets);
      for (const bucket of expectedBuckets) {
        const expected = held.filter((key) => key.bucket === bucket).map(({ key }) => key);
        const listed = await collect(replica.listKeys({ partitions }, TYPE, bucket));
        t.same(listed, expected.sort(compare));
      }
    }),
    { numRuns: 30 },
  );
});

t.test('more keys than a batch holds come through whole', async (t) => {
  const replica = await open();
  const keys = Array.from({ length: 1500 }, (_, index) => objectKey(`key ${index}`));
  await Promise.all(keys.map((key) => put(replica, key)));
  const batches: number[] = [];
  const listed: ByteString[] = [];
  for await (const batch of replica.listKeys({ partitions: ALL }, TYPE, text('patients'))) {
    batches.push(batch.length);
    listed.push(...batch);
  }
  t.same(listed, keys.map(({ key }) => key).sort(compare));
  t.ok(Math.max(...batches) <= 256);
});

/** How many entries each scan of a store may give at most. */
class CountingStore extends MemoryStore {
  readonly limits: (number | undefined)[] = [];

  override scan(range: ScanRange): AsyncIterableIterator<readonly ScanEntry[]> {
    this.limits.push(range.limit);
    return super.scan(range);
  }
}

t.test(
  'few keys are listed by one small scan of each partition, many by larger ones',
  async (t) => {
    const store = new CountingStore();
    const { replica } = await openReplica(new VirtualHost(), store);
    const listed = (): Promise<readonly ByteString[]> => {
      store.limits.length = 0;
      return collect(replica.listKeys({ partitions: ALL }, TYPE, text('patients')));
    };
    await put(replica, objectKey('one'));
    t.equal((await listed()).length, 1);
    t.same(store.limits, Array(RING_SIZE).fill(16));
    for (let count = 0; count < 400; count += 1) await put(replica, objectKey(`key ${count}`));
    t.equal((await listed()).length, 401);
    t.same([...new Set(store.limits)], [16, 64]);
  },
);

t.test('long names come in batches of few, and all of them', async (t) => {
  const replica = await open();
  const keys = Array.from({ length: 40 }, (_, index) => objectKey(`${index}`.padEnd(60_000, '-')));
  for (const key of keys) await put(replica, key);
  const listed = await collect(replica.listKeys({ partitions: ALL }, TYPE, text('patients')));
  t.same(listed, keys.map(({ key }) => key).sort(compare));
});

/** All that a bucket's scans find now. */
function everythingOf(replica: StoreReplica, bucket: string): Promise<readonly unknown[]> {
  const share = { partitions: ALL };
  const name = text(bucket);
  const terms = { field: text('f_bin'), from: text('a'), to: text('z') };
  const all = { after: undefined, limit: undefined };
  return Promise.all([
    collect(replica.listBuckets(share, TYPE)),
    collect(replica.listKeys(share, TYPE, name)),
    collect(replica.index(share, { type: TYPE, bucket: name, ...terms, ...all })),
  ]);
}

t.test('a scan finds what came before it, when that is durable', async (t) => {
  const { replica, store } = await openWorld();
  let openGate = (): void => {};
  store.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const entry = { field: text('f_bin'), term: text('t') };
  const written = put(replica, objectKey('k', 'people'), [entry]);
  const scanned = everythingOf(replica, 'people');
  const elsewhere = collect(replica.listKeys({ partitions: ALL }, TYPE, text('cars')));
  t.same(await elsewhere, [], 'what is written in another bucket is not waited for');
  openGate();
  t.same(await scanned, [[text('people')], [text('k')], [[text('t'), text('k')]]]);
  await written;
});

t.test('a scan goes on when the writes that it waits for fail', async (t) => {
  const { replica, store } = await openWorld();
  store.fenceAfter(0);
  const written = put(replica, objectKey('k', 'people'));
  t.same(await everythingOf(replica, 'people'), [[], [], []]);
  await t.rejects(written, { code: 'store-fenced' });
});

const term = fc.bigInt({ min: -1000n, max: 10n ** 30n }).map((value) => text(String(value)));

t.test('an index is scanned by term and then key, integers by value', async (t) => {
  const bucket = text('people');
  const field = text('age_int');
  const people = fc.uniqueArray(fc.tuple(fc.nat({ max: 200 }), fc.array(term, { maxLength: 3 })), {
    selector: ([name]) => name,
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(people, shares, fc.tuple(term, term), async (all, partitions, ends) => {
      const replica = await open();
      const [from, to] = ends.sort(compareIntegerTerms);
      const expected: IndexMatch[] = [];
      for (const [name, terms] of all) {
        const key: ObjectKey = { type: TYPE, bucket, key: text(String(name)) };
        const distinct = [...new Set(terms)];
        await put(
          replica,
          key,
          distinct.map((value) => ({ field, term: value })),
        );
        if (!partitions.includes(partitionFor(key))) continue;
        for (const value of distinct) {
          if (compareIntegerTerms(value, from) < 0 || compareIntegerTerms(value, to) > 0) continue;
          expected.push([value, key.key]);
        }
      }
      expected.sort((left, right) => {
        return compareIntegerTerms(left[0], right[0]) || compare(left[1], right[1]);
      });
      const scan = { type: TYPE, bucket, field, from, to, after: undefined, limit: undefined };
      t.same(await collect(replica.index({ partitions }, scan)), expected);
      t.same(await inPages(replica, { partitions }, { ...scan, limit: 3 }), expected);
    }),
    { numRuns: 40 },
  );
});

/** Page by page, each from where the last one ended. */
async function inPages(
  replica: StoreReplica,
  share: { readonly partitions: readonly Partition[] },
  scan: IndexScan & { readonly limit: number },
): Promise<IndexMatch[]> {
  const pairs: IndexMatch[] = [];
  let after: IndexScan['after'];
  for (;;) {
    const page = await collect(replica.index(share, { ...scan, after }));
    pairs.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < scan.limit) return pairs;
    after = { term: last[0], key: last[1] };
  }
}

t.test('$key is a range of keys and $bucket all of them, page by page', async (t) => {
  await fc.assert(
    fc.asyncProperty(names, shares, fc.tuple(fc.nat(), fc.nat()), async (keys, partitions, at) => {
      const replica = await open();
      const bucket = text('b');
      for (const key of keys) await put(replica, { type: TYPE, bucket, key });
      const held = keys
        .filter((key) => partitions.includes(partitionFor({ type: TYPE, bucket, key })))
        .sort(compare);
      const ends = at.map((index) => keys[index % Math.max(keys.length, 1)] ?? text('')).sort();
      const [from, to] = [ends[0] ?? text(''), ends[1] ?? text('')];
      const scan = { type: TYPE, bucket, from, to, after: undefined, limit: undefined };

      const inRange = held.filter((key) => key >= from && key <= to);
      const keyScan = { ...scan, field: text('$key') };
      const keyPairs = inRange.map((key) => [key, key] as const);
      t.same(await collect(replica.index({ partitions }, keyScan)), keyPairs);
      t.same(await inPages(replica, { partitions }, { ...keyScan, limit: 2 }), keyPairs);

      const bucketScan = { ...scan, field: text('$bucket') };
      const bucketPairs = held.map((key) => [bucket, key] as const);
      t.same(await collect(replica.index({ partitions }, bucketScan)), bucketPairs);
      t.same(await inPages(replica, { partitions }, { ...bucketScan, limit: 2 }), bucketPairs);
    }),
    { numRuns: 40 },
  );
});

t.test('a limit of nothing gives nothing', async (t) => {
  const replica = await open();
  await put(replica, objectKey('k'), [{ field: text('a_bin'), term: text('x') }]);
  for (const field of ['a_bin', '$key', '$bucket'].map(text)) {
    const range = { from: text(''), to: text('z'), after: undefined };
    const scan = { type: TYPE, bucket: text('patients'), field, ...range };
    t.same(await collect(replica.index({ partitions: ALL }, { ...scan, limit: 0 })), []);
    t.equal((await collect(replica.index({ partitions: ALL }, { ...scan, limit: 9 }))).length, 1);
  }
});
