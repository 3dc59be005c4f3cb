/** The index repair: what damage took from beside the copies comes back, also over a restart. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { runAtOnce } from '../../src/base/sliced.ts';
import { Halt } from '../../src/repair/halt.ts';
import {
  findIndexRepair,
  INDEX_REPAIR_DEFAULTS,
  IndexRepair,
  type IndexRepairOptions,
} from '../../src/repair/index-repair.ts';
import { allIndexRange, encodeIndexKey, encodeMetaKey, treeRange } from '../../src/storage/keys.ts';
import { mendLevelDb } from '../../src/storage/mend-leveldb.ts';
import { openLevelDbStore } from '../../src/storage/open-leveldb.ts';
import { findDamage } from '../../src/storage/table-check.ts';
import {
  content,
  objectKey,
  openReplica,
  partitionFor,
  propertiesOf,
  text,
  write,
} from '../replica/replica-world.ts';
import { readTruth } from '../replica/store-truth.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { RepairCluster, type RepairNode } from './repair-cluster.ts';

const KEYS = Array.from({ length: 600 }, (_, index) => objectKey(`key ${index}`));
const ENTRY = { field: text('name_bin'), term: text('term') };
const FAST = { ...INDEX_REPAIR_DEFAULTS, bytesPerSecond: Infinity };
const NOTE = encodeMetaKey(text('index-repair'));

function indexKey(key: ObjectKey): Buffer {
  return encodeIndexKey(partitionFor(key), key, ENTRY);
}

/** One node that holds every key, with an index entry each. */
async function filled(): Promise<{ cluster: RepairCluster; self: RepairNode }> {
  const cluster = await RepairCluster.open(1);
  const [self] = cluster.nodes as [RepairNode];
  for (const key of KEYS) await self.write(key, content('v', [ENTRY]));
  await cluster.truths();
  return { cluster, self };
}

/** Takes the index entries of some keys away, and the hash trees of two partitions. */
async function lose({ store }: RepairNode, keys: readonly ObjectKey[]): Promise<void> {
  const lost = keys.map(indexKey);
  for (const partition of [0, 1] as Partition[]) {
    for await (const batch of store.memory.scan(treeRange(partition))) {
      lost.push(...batch.map(({ key }) => key));
    }
  }
  await store.memory.write(lost.map((key) => ({ kind: 'remove' as const, key })));
}

/** As after a start: with trees that are read from the store, and what the note in it says. */
async function restarted(
  { ports, store }: RepairNode,
  cluster: RepairCluster,
  options: IndexRepairOptions = FAST,
): Promise<IndexRepair> {
  const { replica } = await openReplica(cluster.host, store);
  const changed = (): void => {};
  return new IndexRepair({ ...ports, replica, changed }, options, await findIndexRepair(store));
}

t.test('index entries and hash trees that are gone are there again after a round', async (t) => {
  const { cluster, self } = await filled();
  await lose(self, KEYS.slice(10, 30));
  const stale = encodeIndexKey(partitionFor(objectKey('gone')), objectKey('gone'), ENTRY);
  await self.store.memory.write([{ kind: 'put', key: stale, head: Buffer.alloc(0) }]);
  const repair = await restarted(self, cluster);
  t.same(repair.status(), { state: 'none', progress: undefined });
  await t.rejects(cluster.truths(), /index entries/);

  t.equal(await repair.ask('all'), true);
  t.equal(await repair.ask('all'), false, 'one at a time');
  await repair.round();
  await cluster.truths();
  const { state, progress } = repair.status();
  t.equal(state, 'done');
  t.match(progress, {
    cause: 'asked',
    partitionsDone: 8,
    partitionCount: 8,
    checked: 600,
    restored: 20,
    entriesChecked: 601,
    entriesRemoved: 1,
    unreadable: 0,
  });
  t.ok((progress?.segmentsCorrected ?? 0) > 0);
  t.equal(cluster.host.counters.get('index_repair_restored_total'), 20);
  t.equal(cluster.host.counters.get('index_repair_removed_total'), 1);
  t.equal(await self.store.get(NOTE), undefined, 'nothing is owed any more');
});

t.test('only the partitions that are meant are gone through', async (t) => {
  const { cluster, self } = await filled();
  const [first, other] = [
    KEYS[0],
    KEYS.find((key) => partitionFor(key) !== partitionFor(KEYS[0] as ObjectKey)),
  ] as [ObjectKey, ObjectKey];
  await self.store.memory.write(
    [first, other].map((key) => ({ kind: 'remove' as const, key: indexKey(key) })),
  );
  const repair = await restarted(self, cluster);
  await repair.ask([partitionFor(first)]);
  await repair.round();
  t.match(repair.status().progress, { partitionCount: 1, restored: 1 });
  t.equal((await self.store.get(indexKey(first)))?.length, 0);
  t.equal(await self.store.get(indexKey(other)), undefined);
});

t.test('a restart goes on where the process before was', async (t) => {
  const { cluster, self } = await filled();
  await lose(self, KEYS);
  const before = await restarted(self, cluster, { ...FAST, bytesPerSecond: 256 * 1024 });
  const halt = new Halt();
  await before.ask('all');
  const round = before.round(halt);
  while ((before.status().progress?.checked ?? 0) < 200) await cluster.host.advance(20);
  halt.set();
  await round;
  const first = before.status().progress?.checked ?? 0;
  t.ok(first < 600, `${first} copies were looked at`);

  const after = await restarted(self, cluster);
  t.match(after.status(), { state: 'waiting' });
  await after.round();
  t.match(after.status(), { state: 'done', progress: { checked: 600 - first } });
  await cluster.truths();
});

t.test('it runs in the background while it is owed, and else holds no timer', async (t) => {
  const { cluster, self } = await filled();
  const idle = await restarted(self, cluster);
  idle.start();
  await cluster.host.advance(600_000);
  t.equal(cluster.host.timerCount, 0);
  await lose(self, KEYS.slice(0, 5));
  await idle.doubt([0, 1, 2, 3] as Partition[]);
  t.equal(idle.isDoubted, true);
  await idle.doubt([3, 4, 5, 6, 7] as Partition[]);
  await cluster.host.advance(60_000);
  t.equal(idle.isDoubted, false);
  t.match(idle.status(), { state: 'done', progress: { cause: 'damage', partitionCount: 8 } });
  await cluster.truths();
  await idle.stop();
  t.equal(cluster.host.timerCount, 0);
});

t.test('a round that a fault cut off is gone on with', async (t) => {
  const { cluster, self } = await filled();
  const repair = await restarted(self, cluster);
  const { replica } = await openReplica(cluster.host, self.store);
  let hasFailed = false;
  const shaky = new IndexRepair(
    {
      ...self.ports,
      changed: () => {},
      replica: new Proxy(replica, {
        get(target, name) {
          if (name !== 'sweepIndexes' || hasFailed) {
            const value: unknown = Reflect.get(target, name, target);
            return typeof value === 'function' ? (value.bind(target) as unknown) : value;
          }
          hasFailed = true;
          throw new Fault('overload', 'too many changes are under way');
        },
      }),
    },
    FAST,
    undefined,
  );
  shaky.start();
  await shaky.ask('all');
  await cluster.host.advance(1_000);
  t.match(shaky.status(), { state: 'waiting', progress: { checked: 600, entriesChecked: 0 } });
  await cluster.host.advance(60_000);
  t.match(shaky.status(), { state: 'done', progress: { checked: 600, entriesChecked: 600 } });
  t.equal(cluster.host.counters.get('index_repair_rounds_failed'), 1);
  await Promise.all([shaky.stop(), repair.stop()]);
});

t.test('one that is cancelled is not gone on with', async (t) => {
  const { cluster, self } = await filled();
  const repair = await restarted(self, cluster, { ...FAST, bytesPerSecond: 64 * 1024 });
  repair.start();
  await repair.ask('all');
  await cluster.host.advance(100);
  t.equal(repair.status().state, 'running');
  await repair.cancel();
  await cluster.host.advance(600_000);
  t.match(repair.status(), { state: 'cancelled' });
  t.ok((repair.status().progress?.checked ?? 0) < 600);
  t.equal(await findIndexRepair(self.store), undefined);
  await repair.stop();
});

t.test('a store that cannot name its keys is said to be so, and the rest goes on', async (t) => {
  const { cluster, self } = await filled();
  const repair = await restarted(self, cluster);
  self.store.corruptScanFrom = allIndexRange().from;
  await repair.ask('all');
  await repair.round();
  t.match(repair.status(), { state: 'done', progress: { checked: 600, unreadable: 1 } });
  t.equal(cluster.host.logged.includes('repair.indexes.unreadable'), true);
});

t.test('a note that is none asks for everything', async (t) => {
  const { self } = await filled();
  for (const note of ['', '{', '7', 'null', '{"cause":"damage","partitions":["x"],"done":0}']) {
    await self.store.write([{ kind: 'put', key: NOTE, head: Buffer.from(note) }]);
    t.match(await findIndexRepair(self.store), { cause: 'damage', partitions: 'all', done: 0 });
  }
});

t.test('a mended store has its index entries and trees again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vertebra-index-repair-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const host = new VirtualHost();
  await withStore(folder, async (store) => {
    const { replica } = await openReplica(host, store);
    for (const key of KEYS) await write(replica, key, { content: content('v', [ENTRY]) });
    await replica.close();
  });
  // LevelDB makes a table of its log when it is opened.
  await withStore(folder, async () => {});
  const lost = damageIndexEntries(folder);
  t.ok(lost >= 1, 'a block of index entries is damaged');
  const mended = await mendLevelDb(folder);
  t.equal(mended.objects, KEYS.length);
  t.ok(mended.lostBlocks >= 1);

  await withStore(folder, async (store) => {
    t.equal(store.isMended, true);
    const { replica } = await openReplica(host, store);
    await t.rejects(readTruth(store, propertiesOf), /index entries/);
    const { self } = await filled();
    const repair = new IndexRepair(
      { ...self.ports, host, replica, store, changed: () => {} },
      FAST,
      undefined,
    );
    await repair.ask('all');
    await repair.round();
    t.ok((repair.status().progress?.restored ?? 0) > 0);
    await readTruth(store, propertiesOf);
    await replica.close();
    await store.endCopy();
  });
  await withStore(folder, async (store) => {
    t.equal(store.isMended, false, 'once');
  });
});

type OpenStore = Awaited<ReturnType<typeof openLevelDbStore>>;

async function withStore(folder: string, use: (store: OpenStore) => Promise<void>): Promise<void> {
  const store = await openLevelDbStore(new VirtualHost(), { folder, durability: 'os' });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

/** Flips a byte in one block that holds nothing but index entries; how many of its keys are known. */
function damageIndexEntries(folder: string): number {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.ldb'))) {
    const sound = readFileSync(join(folder, name));
    for (let at = 0; at < sound.length; at += 256) {
      const bytes = Buffer.from(sound);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
      const damage = runAtOnce(findDamage(bytes));
      const isOfIndex = damage?.spans.every(({ from, to }) => isIndexKey(from) && isIndexKey(to));
      if (damage?.part !== 'blocks' || isOfIndex !== true) continue;
      writeFileSync(join(folder, name), bytes);
      return damage.blockCount;
    }
  }
  return 0;
}

function isIndexKey(bytes: Buffer | undefined): boolean {
  return bytes?.[0] === 'i'.charCodeAt(0);
}
