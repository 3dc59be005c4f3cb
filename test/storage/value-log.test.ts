/**
 * The value log under the store: what goes there, what is collected and when it may go, and what
 * becomes of damage. The files are simulated; `leveldb-store.test.ts` has the real ones.
 */

import t from 'tap';
import type { Test } from 'tap';
import {
  decodeLogSegmentKey,
  encodeLogSegmentKey,
  logSegmentsRange,
} from '../../src/storage/keys.ts';
import { LevelDbStore } from '../../src/storage/leveldb-store.ts';
import type { LevelDbStoreOptions } from '../../src/storage/leveldb-store.ts';
import type { WriteOperation } from '../../src/storage/store.ts';
import type { LevelDatabase } from '../../src/storage/level-database.ts';
import { settle as settled, VirtualHost } from '../replica/virtual-host.ts';
import type { SegmentFolder } from '../../src/storage/segment-folder.ts';
import { Power } from './power.ts';
import { SimulatedFiles } from './simulated-files.ts';
import type { FilesPass } from './simulated-files.ts';
import { checkStoreCompliance, remove, scanAll } from './store-compliance.ts';

const ALL = { from: Buffer.of(0), to: Buffer.of(0xff) };
const SEGMENT_SIZE = 1_000;
const OPTIONS = { inlineMaxBytes: 20, segmentSizeBytes: SEGMENT_SIZE, wasteRatioMax: 0.5 };

for (const isQuick of [true, false]) {
  checkStoreCompliance(t, {
    open() {
      const host = new VirtualHost(5);
      return new Power(host, Infinity, isQuick).open(new SimulatedFiles(host.random));
    },
  });
}

interface Bench {
  readonly host: VirtualHost;
  readonly files: SimulatedFiles;
  open(options?: LevelDbStoreOptions): Promise<LevelDbStore>;
  /** Until nothing is left to do. */
  settle(): Promise<void>;
}

function bench(t: Test): Bench {
  const host = new VirtualHost(3);
  const files = new SimulatedFiles(host.random);
  return {
    host,
    files,
    async open(options = OPTIONS) {
      const store = await new Power(host, Infinity).open(files, options);
      t.teardown(() => store.close());
      return store;
    },
    settle: () => host.advance(60_000),
  };
}

function soon(run: () => void): void {
  void Promise.resolve().then(run);
}

function put(key: string, body: string): WriteOperation {
  return {
    kind: 'put',
    key: Buffer.from(key),
    head: Buffer.from(`${key}:`),
    body: Buffer.from(body),
  };
}

async function get(store: LevelDbStore, key: string): Promise<string | undefined> {
  return (await store.get(Buffer.from(key)))?.toString();
}

/** 40 entries of some 100 bytes, in four segments and a bit. */
async function fill(store: LevelDbStore, letter = 'x'): Promise<void> {
  for (let index = 0; index < 40; index += 1) {
    await store.write([put(`key ${index}`, letter.repeat(80))]);
  }
}

function logSize(files: SimulatedFiles): number {
  return [...files.segmentSizes().values()].reduce((sum, size) => sum + size, 0);
}

t.test('bodies above the threshold are in the log, all else is in LevelDB', async (t) => {
  const { files, open } = bench(t);
  const store = await open();
  await store.write([put('small', 'x'.repeat(20)), put('head', '')]);
  t.same([...files.segmentSizes()], []);
  await store.write([put('large', 'x'.repeat(21))]);
  t.equal(files.segmentSizes().size, 1);
  t.equal(await get(store, 'large'), `large:${'x'.repeat(21)}`);
  t.same((await store.getHead(Buffer.from('large')))?.toString(), 'large:');
  const heads = await scanAll(store, { ...ALL, headsOnly: true });
  t.same(heads.find(({ key }) => key.toString() === 'large')?.value.toString(), 'large:');
});

t.test('any bytes a value begins with are read as they were written', async (t) => {
  const { open } = bench(t);
  const store = await open();
  const heads = [[0xff], [0xff, 0], [0xff, 1], [0xff, 1, ...Array<number>(30).fill(7)], [1]];
  for (const bytes of heads) {
    for (const body of [undefined, Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(50)]) {
      const head = Buffer.from(bytes);
      const key = Buffer.from('key');
      await store.write([body ? { kind: 'put', key, head, body } : { kind: 'put', key, head }]);
      t.same(await store.get(key), Buffer.concat([head, body ?? Buffer.alloc(0)]));
      const read = await store.getHead(key);
      t.same(read?.subarray(0, head.length), head);
    }
  }
});

t.test('the log does not grow with what is overwritten, and all is still there', async (t) => {
  const { host, files, open, settle } = bench(t);
  const store = await open();
  for (let round = 0; round < 20; round += 1) {
    await fill(store, String.fromCharCode(97 + round));
    await settle();
  }
  t.ok(logSize(files) < 4 * 40 * 110, `${logSize(files)} bytes for some 4,400`);
  t.ok((host.counters.get('store_log_segments_collected_total') ?? 0) > 10);
  for (let index = 0; index < 40; index += 1) {
    t.equal(await get(store, `key ${index}`), `key ${index}:${'t'.repeat(80)}`);
  }
});

t.test('what is removed leaves the log, also when nothing is written after it', async (t) => {
  const { files, open, settle } = bench(t);
  const store = await open();
  await fill(store);
  await store.write(Array.from({ length: 40 }, (_, index) => remove(`key ${index}`)));
  await settle();
  t.ok(files.segmentSizes().size <= 1, 'but for the segment that is being written');
});

t.test('an entry that is put without a body any more frees the one it had', async (t) => {
  const { files, open, settle } = bench(t);
  const store = await open();
  await fill(store);
  await store.write(Array.from({ length: 40 }, (_, index) => put(`key ${index}`, '')));
  await settle();
  t.ok(files.segmentSizes().size <= 1);
  t.equal(await get(store, 'key 3'), 'key 3:');
});

t.test('a scan keeps the segments that it may still read', async (t) => {
  const { files, open, settle } = bench(t);
  const store = await open();
  const names = Array.from({ length: 300 }, (_, index) => `k${1000 + index}`);
  await store.write(names.map((name) => put(name, 'old '.repeat(20))));
  const scan = store.scan(ALL);
  const seen = (await scan.next()).value?.length ?? 0;
  t.ok(seen > 0 && seen < 300);
  await store.write(names.map((name) => put(name, 'new '.repeat(20))));
  await settle();
  const before = logSize(files);
  let count = seen;
  for await (const batch of scan) {
    for (const { value } of batch) t.match(value.toString(), /^k\d+:(old )+$/);
    count += batch.length;
  }
  t.equal(count, 300);
  await settle();
  t.ok(logSize(files) < before * 0.6, 'what only the scan could read has gone');
});

for (const what of ['keysOnly', 'headsOnly'] as const) {
  t.test(`a scan that reads no body keeps no segment: ${what}`, async (t) => {
    const { files, open, settle } = bench(t);
    const store = await open();
    const names = Array.from({ length: 300 }, (_, index) => `k${1000 + index}`);
    await store.write(names.map((name) => put(name, 'old '.repeat(20))));
    const scan = store.scan({ ...ALL, [what]: true });
    let count = (await scan.next()).value?.length ?? 0;
    t.ok(count > 0 && count < 300);
    // It may be the scrub's, which reads on for hours.
    await store.write(names.map((name) => put(name, 'new')));
    await settle();
    t.ok(files.segmentSizes().size <= 1, `${files.segmentSizes().size} segments are left`);
    for await (const batch of scan) count += batch.length;
    t.equal(count, 300);
  });
}

t.test('a store that is opened often joins its short segments', async (t) => {
  const { files, open, settle } = bench(t);
  for (let index = 0; index < 30; index += 1) {
    const store = await open();
    await store.write([put(`key ${index}`, 'x'.repeat(60))]);
    await settle();
    await store.close();
  }
  t.ok(files.segmentSizes().size < 10, `${files.segmentSizes().size} segments for 30 entries`);
  const store = await open();
  for (let index = 0; index < 30; index += 1) {
    t.equal(await get(store, `key ${index}`), `key ${index}:${'x'.repeat(60)}`);
  }
});

t.test('a body that is damaged is corrupt, its head and its neighbours are not', async (t) => {
  const { host, files, open, settle } = bench(t);
  const store = await open();
  await fill(store);
  files.damageBody(Buffer.from('key 7'));
  await t.rejects(store.get(Buffer.from('key 7')), { code: 'store-corrupt' });
  t.equal(host.counters.get('store_corrupt_reads_total'), 1);
  t.same((await store.getHead(Buffer.from('key 7')))?.toString(), 'key 7:');
  t.equal(await get(store, 'key 6'), `key 6:${'x'.repeat(80)}`);
  t.equal(await get(store, 'key 8'), `key 8:${'x'.repeat(80)}`);
  // Its segment is collected: the others move, it does not.
  for (let index = 10; index < 40; index += 1) await store.write([put(`key ${index}`, '')]);
  await settle();
  await t.rejects(store.get(Buffer.from('key 7')), { code: 'store-corrupt' });
  t.equal(await get(store, 'key 8'), `key 8:${'x'.repeat(80)}`);
  await store.write([put('key 7', 'y'.repeat(80))]);
  t.equal(await get(store, 'key 7'), `key 7:${'y'.repeat(80)}`);
});

t.test('a segment that cannot be stepped through stays, and its entries are read', async (t) => {
  const { host, files, open, settle } = bench(t);
  const store = await open();
  await fill(store);
  files.damageSegment(1, 3);
  for (let index = 1; index < 40; index += 1) await store.write([put(`key ${index}`, '')]);
  await settle();
  t.ok(files.segmentSizes().has(1));
  t.equal(host.counters.get('store_log_segments_locked_total'), 1);
  t.ok(host.logged.includes('store.segment_damaged'));
  t.equal(await get(store, 'key 0'), `key 0:${'x'.repeat(80)}`);
});

t.test('a segment that is missing costs its own bodies, and is said', async (t) => {
  const { host, files, open } = bench(t);
  const first = await open();
  await fill(first);
  await first.close();
  files.removeSegment(2);
  const store = await open();
  t.ok(host.logged.includes('store.segments_missing'));
  const reads = await Promise.allSettled(
    Array.from({ length: 40 }, (_, index) => store.get(Buffer.from(`key ${index}`))),
  );
  const lost = reads.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
  t.ok(lost.length > 5 && lost.length < 15, `${lost.length} bodies were in it`);
  for (const index of lost) {
    t.same((await store.getHead(Buffer.from(`key ${index}`)))?.toString(), `key ${index}:`);
    await store.write([put(`key ${index}`, 'healed '.repeat(9))]);
    t.equal(await get(store, `key ${index}`), `key ${index}:${'healed '.repeat(9)}`);
  }
});

t.test('a file without an account is asked for its pointers, and goes', async (t) => {
  const { host, files, open, settle } = bench(t);
  const first = await open();
  await fill(first);
  await first.close();
  // The account of a segment that is pointed to is lost; another was never pointed to, and is torn.
  files.removeEntry(encodeLogSegmentKey(2));
  files.addSegment(99, Buffer.from('torn'));
  const store = await open();
  await settle();
  t.notOk(files.segmentSizes().has(2));
  t.notOk(files.segmentSizes().has(99));
  for (let index = 0; index < 40; index += 1) {
    t.equal(await get(store, `key ${index}`), `key ${index}:${'x'.repeat(80)}`);
  }
  t.same(host.logged, []);
});

t.test('where accounts cannot be read, none of their segments counts as an orphan', async (t) => {
  const { host, files, open, settle } = bench(t);
  const first = await open();
  await fill(first);
  await first.close();
  // Of an orphan all that lies behind damage would go; here it is pointed to.
  files.damageSegment(1, 3);
  const power = new Power(host, Infinity);
  const real = files.database(power);
  const { from } = logSegmentsRange();
  const database: LevelDatabase = {
    ...real,
    iterator: (range) => {
      const iterator = real.iterator(range);
      if (!range.gte.equals(from)) return iterator;
      return { ...iterator, nextv: () => Promise.reject(new Error('a damaged table')) };
    },
  };
  const ports = { database, folder: files.folder(power), defer: soon, mayHaveForgotten: false };
  const store = await LevelDbStore.open(host, ports, OPTIONS);
  t.teardown(() => store.close());
  t.ok(host.logged.includes('store.segment_accounts_unreadable'));
  for (let index = 1; index < 40; index += 1) await store.write([put(`key ${index}`, '')]);
  await settle();
  t.ok(
    (host.counters.get('store_log_segments_collected_total') ?? 0) > 0,
    'the others are collected',
  );
  t.ok(files.segmentSizes().has(1));
  t.equal(await get(store, 'key 0'), `key 0:${'x'.repeat(80)}`);
});

t.test(
  'what is overwritten as its segment is collected stays so, and no account is left',
  async (t) => {
    const { host, files, settle } = bench(t);
    let mayWrite = Promise.resolve();
    const power: FilesPass = {
      isQuick: false,
      pass: (kind) => (kind === 'write' ? mayWrite : Promise.resolve()),
    };
    const real = files.database(power);
    /** Called when the collector has read what its slice is pointed to by. */
    let onFound: (() => Promise<void>) | undefined;
    const database: LevelDatabase = {
      ...real,
      async getMany(keys) {
        const found = await real.getMany(keys);
        if (keys.length === 9) await onFound?.();
        return found;
      },
    };
    const ports = { database, folder: files.folder(power), defer: soon, mayHaveForgotten: false };
    const store = await LevelDbStore.open(host, ports, OPTIONS);
    t.teardown(() => store.close());
    const written: Promise<void>[] = [];
    onFound = async () => {
      onFound = undefined;
      let go = (): void => {};
      mayWrite = new Promise((resolve) => {
        go = resolve;
      });
      // One batch is on its way, and the next takes in the last that pointed to the segment.
      written.push(store.write([put('other', '')]));
      await settled();
      written.push(store.write([put('key 0', '')]));
      void settled().then(go);
    };
    for (let index = 0; index < 12; index += 1)
      await store.write([put(`key ${index}`, 'x'.repeat(80))]);
    await store.write(Array.from({ length: 11 }, (_, index) => put(`key ${index + 1}`, '')));
    await settle();
    await Promise.all(written);
    await settle();
    t.equal(written.length, 2);
    t.equal(await get(store, 'key 0'), 'key 0:', 'what was written last');
    const accounts = files.entries().flatMap(([key]) => decodeLogSegmentKey(key) ?? []);
    t.notOk(files.segmentSizes().has(1));
    t.same(new Set(accounts), new Set(files.segmentSizes().keys()));
  },
);

t.test('what is still on its way to a segment that is collected is moved too', async (t) => {
  const { host, files, settle } = bench(t);
  let mayWrite = Promise.resolve();
  const power: FilesPass = {
    isQuick: false,
    pass: (kind) => (kind === 'write' ? mayWrite : Promise.resolve()),
  };
  const [database, folder] = [files.database(power), files.folder(power)];
  const store = await LevelDbStore.open(
    host,
    { database, folder, defer: soon, mayHaveForgotten: false },
    OPTIONS,
  );
  t.teardown(() => store.close());
  await store.write([put('first', 'x'.repeat(80))]);
  let go = (): void => {};
  mayWrite = new Promise((resolve) => {
    go = resolve;
  });
  // When nothing in the segment is live any more, its end and the next segment's start are taken, but not there.
  const written = [store.write([put('first', '')])];
  await settled();
  written.push(store.write([put('end', 'y'.repeat(800)), put('next', 'z'.repeat(200))]));
  go();
  await Promise.all(written);
  await settle();
  t.notOk(files.segmentSizes().has(1));
  t.equal(await get(store, 'end'), `end:${'y'.repeat(800)}`);
  t.equal(await get(store, 'next'), `next:${'z'.repeat(200)}`);
});

t.test('a batch without large bodies does not wait for the log', async (t) => {
  const { host, files } = bench(t);
  let syncCount = 0;
  const folder = files.folder(new Power(host, Infinity));
  const counted: SegmentFolder = {
    ...folder,
    async create(segment) {
      const writer = await folder.create(segment);
      return { ...writer, sync: () => ((syncCount += 1), writer.sync()) };
    },
  };
  const database = files.database(new Power(host, Infinity));
  const ports = { database, folder: counted, defer: soon, mayHaveForgotten: false };
  const store = await LevelDbStore.open(host, ports, OPTIONS);
  t.teardown(() => store.close());
  await store.write([put('large', 'x'.repeat(80))]);
  t.equal(syncCount, 1);
  for (const key of ['small', 'large']) await store.write([put(key, 'x')]);
  await store.write([remove('small')]);
  t.equal(syncCount, 1);
  await store.write([put('large', 'y'.repeat(80))]);
  t.equal(syncCount, 2);
});

t.test('a large body is not read on the spot, and its segment waits for it', async (t) => {
  const { host, files } = bench(t);
  const power = new Power(host, Infinity, true);
  const real = files.folder(power);
  const [readNow, read]: number[][] = [[], []];
  const folder: SegmentFolder = {
    ...real,
    readNow: (segment, position, into) => {
      readNow?.push(into.length);
      return real.readNow(segment, position, into);
    },
    read: (segment, position, into) => {
      read?.push(into.length);
      return real.read(segment, position, into);
    },
  };
  const ports = { database: files.database(power), folder, defer: soon, mayHaveForgotten: false };
  const store = await LevelDbStore.open(host, ports, OPTIONS);
  t.teardown(() => store.close());
  const large = 'x'.repeat(64 * 1024 + 1);
  await store.write([put('small', large.slice(1)), put('large', large)]);
  t.equal(await get(store, 'small'), `small:${large.slice(1)}`);
  t.same([readNow, read], [[large.length - 1], []]);
  const reading = get(store, 'large');
  // What it reads is superseded and collected meanwhile.
  await store.write([put('large', ''), put('other', large)]);
  await host.advance(60_000);
  t.equal(await reading, `large:${large}`);
  t.same(readNow, [large.length - 1]);
  t.ok(read?.includes(large.length));
});
