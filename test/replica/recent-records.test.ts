/** Records in memory are what the store holds, whatever reads and writes run beside each other. */

import fc from 'fast-check';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import type { Partition } from '../../src/base/names.ts';
import { sliceHead } from '../../src/object/record.ts';
import { RecentRecords } from '../../src/replica/recent-records.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
  foreignObject,
  KEY,
  objectKey,
  openWorld,
  partitionFor,
  placementOf,
  record,
  TOMBSTONE,
  write,
} from './replica-world.ts';

const RECALLED = 'replica_records_recalled_total';
const HERE = 3 as Partition;
const ID = 'key' as ByteString;

function kept(text: string, isWhole = true) {
  return { partition: HERE, record: Buffer.from(text), isWhole };
}

t.test('what is kept stays within its bytes, and what came last stays', async () => {
  const uses = fc.array(fc.record({ id: fc.nat({ max: 9 }), size: fc.nat({ max: 300 }) }));
  fc.assert(
    fc.property(uses, fc.nat({ max: 2_000 }), (used, bytesMax) => {
      const records = new RecentRecords({ bytesMax, recordMaxBytes: 200 });
      for (const { id, size } of used) {
        const found = { partition: HERE, record: Buffer.alloc(size, id), isWhole: true };
        records.keep(`${id}` as ByteString, found, records.mark());
        if (records.sizeBytes > bytesMax) return false;
        const again = records.find(`${id}` as ByteString, HERE, false);
        const fits = size <= 200 && 1 + size + 150 <= bytesMax;
        if (fits && again?.equals(found.record) !== true) return false;
      }
      for (const { id } of used) records.forget(`${id}` as ByteString);
      return records.sizeBytes === 0;
    }),
  );
});

t.test('what is used outlives what came after it', async (t) => {
  const records = new RecentRecords({ bytesMax: 1_000, recordMaxBytes: 100 });
  records.keep(ID, kept('used'), records.mark());
  for (let other = 0; other < 50; other += 1) {
    t.ok(records.find(ID, HERE, false), `after ${other} others`);
    records.keep(`${other}` as ByteString, kept('unused'), records.mark());
  }
  t.equal(records.find('0' as ByteString, HERE, false), undefined);
});

t.test('a read that was on its way while a copy changed is not kept', async (t) => {
  const records = new RecentRecords({ bytesMax: 1_000, recordMaxBytes: 100 });
  const mark = records.mark();
  records.changed('another' as ByteString, Buffer.from('new'));
  records.keep(ID, kept('old'), mark);
  t.equal(records.find(ID, HERE, false), undefined);
});

t.test('a head does not pass for a whole record, nor takes its place', async (t) => {
  const records = new RecentRecords({ bytesMax: 1_000, recordMaxBytes: 100 });
  records.keep(ID, kept('head', false), records.mark());
  t.equal(records.find(ID, HERE, false), undefined);
  t.same(records.find(ID, HERE, true), Buffer.from('head'));
  t.equal(records.find(ID, 4 as Partition, true), undefined, 'of another partition');
  records.keep(ID, kept('head and body'), records.mark());
  records.keep(ID, kept('head', false), records.mark());
  t.same(records.find(ID, HERE, false), Buffer.from('head and body'));
});

t.test('the second read of a key needs no store, and sees what was written since', async (t) => {
  const { host, replica } = await openWorld();
  const partition = partitionFor(KEY);
  const first = await write(replica, KEY, { content: content('v') });
  await replica.getRecord(KEY, partition, false);
  t.same(await replica.getRecord(KEY, partition, false), record(first));
  t.same(await replica.getRecord(KEY, partition, true), sliceHead(record(first)));
  t.equal(host.counters.get(RECALLED), 2);
  const second = await write(replica, KEY, { content: content('w'), context: first.context });
  t.same(await replica.getRecord(KEY, partition, false), record(second));
  t.equal(host.counters.get(RECALLED), 3);
});

t.test('what was found damaged on the disk is not served from memory', async (t) => {
  const { replica, store } = await openWorld();
  const partition = partitionFor(KEY);
  await write(replica, KEY, { content: content('v') });
  await replica.getRecord(KEY, partition, false);
  const entry = encodeObjectKey(partition, KEY);
  const rotten = Buffer.from((await store.memory.get(entry)) ?? []);
  rotten.writeUInt8(rotten.readUInt8(rotten.length - 1) ^ 1, rotten.length - 1);
  await store.memory.write([{ kind: 'put', key: entry, head: rotten }]);
  t.match(await replica.trace(KEY, partition), { state: 'damaged' });
  t.equal(await replica.getRecord(KEY, partition, false), undefined);
});

t.test('after a failed write each read asks the store, which may hold it or not', async (t) => {
  const { replica, store } = await openWorld();
  const partition = partitionFor(KEY);
  const first = await write(replica, KEY, { content: content('v') });
  await replica.getRecord(KEY, partition, false);
  store.fenceAfter(0);
  const change = { content: content('w'), context: first.context };
  await t.rejects(write(replica, KEY, change), { code: 'store-fenced' });
  const reached = record(await foreignObject('w'));
  const entry = encodeObjectKey(partition, KEY);
  await store.memory.write([{ kind: 'put', key: entry, head: reached }]);
  t.same(await replica.getRecord(KEY, partition, false), reached);
});

const KEYS = [KEY, objectKey('another'), objectKey('a third')];
const step = fc.record({
  kind: fc.constantFrom('write', 'large', 'delete', 'merge', 'read', 'head', 'wait'),
  key: fc.nat({ max: KEYS.length - 1 }),
});

t.test('at rest each read gives what lies in the store', async () => {
  const foreign = record(await foreignObject('foreign'));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { replica, store } = await openWorld({ recentRecordsMaxBytes: 1_000 });
      const underWay: Promise<unknown>[] = [];
      for (const { kind, key: index } of steps) {
        const key = KEYS[index] ?? KEY;
        const partition = partitionFor(key);
        if (kind === 'write') underWay.push(write(replica, key, { content: content('v') }));
        if (kind === 'large') {
          underWay.push(write(replica, key, { content: content('v'.repeat(6_000)) }));
        }
        if (kind === 'delete') underWay.push(write(replica, key, { content: TOMBSTONE }));
        if (kind === 'merge') {
          underWay.push(replica.merge(key, placementOf(key), foreign, undefined));
        }
        if (kind === 'read') underWay.push(replica.getRecord(key, partition, false));
        if (kind === 'head') underWay.push(replica.getRecord(key, partition, true));
        if (kind === 'wait') await underWay.shift();
      }
      await Promise.all(underWay);
      for (const key of KEYS) {
        const partition = partitionFor(key);
        const stored = await store.memory.get(encodeObjectKey(partition, key));
        for (const headOnly of [false, true, false]) {
          const expected = headOnly ? stored && sliceHead(stored) : stored;
          const found = await replica.getRecord(key, partition, headOnly);
          if (Buffer.compare(found ?? Buffer.alloc(0), expected ?? Buffer.alloc(0)) !== 0) {
            return false;
          }
        }
      }
      return true;
    }),
  );
});
