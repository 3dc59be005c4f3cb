/** The scrub: a copy that has rotted is found without a reader, and fetched from its peers. */

import t from 'tap';
import type { ObjectKey, Partition } from '../../src/base/names.ts';
import { Fault } from '../../src/base/fault.ts';
import { Halt } from '../../src/repair/halt.ts';
import { ANTI_ENTROPY_DEFAULTS, AntiEntropy } from '../../src/repair/anti-entropy.ts';
import { Scrub, SCRUB_DEFAULTS, type ScrubOptions } from '../../src/repair/scrub.ts';
import {
  encodeIndexKey,
  encodeMemberKey,
  encodeObjectKey,
  partitionRange,
} from '../../src/storage/keys.ts';
import type { Store, StoreHealth } from '../../src/storage/store.ts';
import type { CheckedTable, TableDamage } from '../../src/storage/table-check.ts';
import { objectKey, partitionFor, text, valuesOf } from '../replica/replica-world.ts';
import { RepairCluster, type RepairNode } from './repair-cluster.ts';

const KEYS = Array.from({ length: 40 }, (_, index) => objectKey(`key ${index}`));

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}

interface Tables {
  readonly store?: Pick<Store, 'checkTables' | 'health'>;
  /** Takes the partitions that were compared. */
  readonly compared?: Partition[];
}

function scrubOf(
  node: RepairNode,
  options: Partial<ScrubOptions> = {},
  { store, compared = [] }: Tables = {},
): Scrub {
  const antiEntropy = new AntiEntropy(node.ports, {
    ...ANTI_ENTROPY_DEFAULTS,
    pauseMs: 0,
    settleMs: 0,
    bytesPerSecond: Infinity,
  });
  const all = { ...SCRUB_DEFAULTS, bytesPerSecond: Infinity, ...options };
  const ports = { ...node.ports, ...(store && { store }) };
  return new Scrub(ports, all, (partition, halt) => {
    compared.push(partition);
    return antiEntropy.runRound(halt, { partitions: new Set([partition]), isFull: true });
  });
}

/** Three nodes that all hold every key. */
async function filled(): Promise<{ cluster: RepairCluster; self: RepairNode }> {
  const cluster = await RepairCluster.open(3);
  const [self, ...others] = cluster.nodes;
  for (const key of KEYS) {
    const object = await must(self).write(key, `value of ${key.key}`);
    for (const node of others) await node.merge(key, object);
  }
  return { cluster, self: must(self) };
}

async function rot({ store }: RepairNode, key: ObjectKey, fromEnd: number): Promise<void> {
  const entry = encodeObjectKey(partitionFor(key), key);
  const bytes = Buffer.from(must(await store.memory.get(entry)));
  const at = bytes.length - fromEnd;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
  await store.memory.write([{ kind: 'put', key: entry, head: bytes }]);
}

t.test('sound copies are read, and left alone', async (t) => {
  const { self } = await filled();
  const writes = self.store.writeCount;
  const walk = await scrubOf(self).walk();
  t.match(walk, { checked: 40, damaged: 0, repaired: 0, partitionsDone: 8, partitionCount: 8 });
  t.equal(self.store.writeCount, writes);
});

t.test('a rotten value under a sound head is brought back by a walk', async (t) => {
  const { cluster, self } = await filled();
  const rotten = KEYS.slice(0, 5);
  for (const key of rotten) await rot(self, key, 1);
  self.store.corruptKey = undefined;
  const walk = await scrubOf(self).walk();
  t.match(walk, { checked: 40, damaged: 5, repaired: 5 });
  for (const key of rotten) t.same(valuesOf(await self.get(key)), [`value of ${key.key}`]);
  await cluster.truths();
  t.match(await scrubOf(self).walk(), { damaged: 0 });
});

t.test('a copy whose head is gone, or that the store cannot read, comes back too', async (t) => {
  const { self } = await filled();
  const [headless, unreadable] = [must(KEYS[3]), must(KEYS[4])];
  await rot(self, headless, 40);
  self.store.corruptKey = encodeObjectKey(partitionFor(unreadable), unreadable);
  t.match(await scrubOf(self).walk(), { damaged: 2, repaired: 2 });
  self.store.corruptKey = undefined;
  for (const key of [headless, unreadable]) {
    t.same(valuesOf(await self.get(key)), [`value of ${key.key}`]);
  }
});

t.test(
  'a damaged leftover goes when its replicas answer, and is not made whole again',
  async (t) => {
    const cluster = await RepairCluster.open(5);
    const key = must(KEYS[0]);
    const [outsider] = cluster.others(key);
    const self = must(outsider);
    const object = await must(cluster.primaries(key)[0]).write(key, 'value');
    for (const node of [...cluster.primaries(key).slice(1), self]) await node.merge(key, object);
    await rot(self, key, 40);
    const held = () => self.store.memory.get(encodeObjectKey(partitionFor(key), key));
    cluster.onRequest = () => {
      throw new Fault('timeout', 'no answer');
    };
    t.match(await scrubOf(self).walk(), { damaged: 1, repaired: 0 });
    t.not(await held(), undefined, 'while one of them says nothing it stays');
    cluster.onRequest = () => {};
    t.match(await scrubOf(self).walk(), { damaged: 1, repaired: 1 });
    t.equal(await held(), undefined);
  },
);

t.test('what no peer can give now is found again by the next walk', async (t) => {
  const { cluster, self } = await filled();
  const key = must(KEYS[0]);
  await rot(self, key, 1);
  cluster.onRequest = () => {
    throw new Fault('timeout', 'no answer');
  };
  t.match(await scrubOf(self).walk(), { damaged: 1, repaired: 0 });
  cluster.onRequest = () => {};
  t.match(await scrubOf(self).walk(), { damaged: 1, repaired: 1 });
});

t.test('keys that the store can no longer name come back from the others', async (t) => {
  const { cluster, self } = await filled();
  const partition = partitionFor(must(KEYS[0]));
  const lost = KEYS.filter((key) => partitionFor(key) === partition);
  await self.store.memory.write(
    lost.map((key) => ({ kind: 'remove' as const, key: encodeObjectKey(partition, key) })),
  );
  // The scan of a damaged table ends with an error, having shown what it could.
  const { from } = partitionRange(partition);
  self.store.corruptScanFrom = from;
  const walk = await scrubOf(self).walk();
  t.match(walk, { unreadablePartitions: 1, partitionsDone: 8 });
  for (const key of lost) t.same(valuesOf(await self.get(key)), [`value of ${key.key}`]);
  self.store.corruptScanFrom = undefined;
  t.equal(cluster.host.logged.includes('repair.scrub.unreadable'), true);
});

t.test('what a damaged table may have lost is fetched from the others', async (t) => {
  const { cluster, self } = await filled();
  const lostIn = partitionFor(must(KEYS[0]));
  const lost = KEYS.filter((key) => partitionFor(key) === lostIn);
  // LevelDB has merged the block away: nothing is left of its keys, and nobody has noticed.
  await self.store.memory.write(
    lost.map((key) => ({ kind: 'remove' as const, key: encodeObjectKey(lostIn, key) })),
  );
  const damage: TableDamage = {
    part: 'blocks',
    blockCount: 1,
    spans: [{ from: partitionRange(lostIn).from, to: encodeObjectKey(lostIn, objectKey('~')) }],
  };
  const compared: Partition[] = [];
  const scrub = scrubOf(
    self,
    {},
    {
      store: {
        health: () => ({ kind: 'ready' }),
        async *checkTables() {
          yield { name: '000005.ldb', sizeBytes: 4_096, damage: undefined };
          yield { name: '000007.ldb', sizeBytes: 4_096, damage };
        },
      },
      compared,
    },
  );
  const walk = await scrub.walk();
  t.match(walk, { tables: 2, damagedTables: 1, partitionsDone: 8 });
  t.same(compared, [lostIn]);
  for (const key of lost) t.same(valuesOf(await self.get(key)), [`value of ${key.key}`]);
  t.equal(cluster.host.logged.includes('repair.scrub.table_damaged'), true);
});

t.test('the tables of a store that takes no more writes are not judged', async (t) => {
  const { cluster, self } = await filled();
  const gauges: unknown[] = [];
  cluster.host.metrics.gauge = (name, value) => {
    if (name === 'store_damaged_tables') gauges.push(value);
  };
  const spans = [{ from: undefined, to: undefined }];
  const damage: TableDamage = { part: 'table', blockCount: 0, spans };
  const compared: Partition[] = [];
  let health: StoreHealth = { kind: 'fenced', reason: 'the disk is full' };
  const store = {
    health: () => health,
    async *checkTables() {
      yield { name: '000005.ldb', sizeBytes: 4_096, damage };
      health = { kind: 'fenced', reason: 'the disk fails' };
      // LevelDB writes no more than half of it.
      yield { name: '000007.ldb', sizeBytes: 2_048, damage };
    },
  };
  const scrub = scrubOf(self, {}, { store, compared });
  t.match(await scrub.walk(), { tables: 0, damagedTables: 0, partitionsDone: 8 });
  t.same({ gauges, compared }, { gauges: [], compared: [] }, 'what was known stays');
  health = { kind: 'ready' };
  t.match(await scrub.walk(), { tables: 1, damagedTables: 1, partitionsDone: 8 });
  t.same({ gauges, compared }, { gauges: [1], compared: [] }, 'who takes nothing is not compared');
});

t.test('what derives from copies is doubted once for each change of what is damaged', async (t) => {
  const { self } = await filled();
  const entry = { field: text('name_bin'), term: text('x') };
  const key = must(KEYS[0]);
  const ofIndex = encodeIndexKey(partitionFor(key), key, entry);
  const ofSegment = encodeMemberKey(encodeObjectKey(2 as Partition, key), 7);
  const ofObject = encodeObjectKey(3 as Partition, key);
  let damaged: readonly (readonly [name: string, key: Buffer])[] = [];
  const doubted: (readonly Partition[])[] = [];
  const store = {
    health: (): StoreHealth => ({ kind: 'ready' }),
    async *checkTables(): AsyncGenerator<CheckedTable> {
      for (const [name, at] of damaged) {
        const spans = [{ from: at, to: at }];
        yield { name, sizeBytes: 4_096, damage: { part: 'blocks', blockCount: 1, spans } };
      }
    },
  };
  const ports = {
    ...self.ports,
    store,
    doubtDerived: async (partitions: readonly Partition[]) => {
      doubted.push(partitions);
    },
  };
  const scrub = new Scrub(ports, { ...SCRUB_DEFAULTS, bytesPerSecond: Infinity }, async () => {});
  const all = Array.from({ length: 8 }, (_, partition) => partition);
  for (const [what, tables, expected] of [
    ['nothing is damaged', [], []],
    ['a copy is fetched with all that derives from it', [['1', ofObject]], []],
    ['a place in a segment', [['2', ofSegment]], [[2]]],
    ['still the same', [['2', ofSegment]], []],
    [
      'index entries may be of any partition',
      [
        ['2', ofSegment],
        ['3', ofIndex],
      ],
      [all],
    ],
    ['merged away, with what it still had', [['2', ofSegment]], [all]],
    ['and the last one', [], [[2]]],
    ['nothing is left to be doubted', [], []],
  ] as const) {
    damaged = tables;
    doubted.length = 0;
    await scrub.walk();
    t.same(
      doubted.map((each) => [...each].sort((left, right) => left - right)),
      expected,
      what,
    );
  }
});

t.test('a walk keeps to its budget, and ends at a halt', async (t) => {
  const { cluster, self } = await filled();
  const scrub = scrubOf(self, { bytesPerSecond: 1_024, restMs: 1_000 });
  scrub.start();
  await cluster.host.advance(3_000);
  const early = must(scrub.status().walk);
  t.ok(early.checked < 40, 'not all at once');
  await cluster.host.advance(60_000);
  t.equal(scrub.status().lastWalk?.checked, 40);
  t.ok(scrub.status().walkCount >= 1);
  await scrub.stop();
  t.equal(cluster.host.timerCount, 0);

  const halt = new Halt();
  const walk = scrubOf(self, { bytesPerSecond: 1_024 }).walk(halt);
  await cluster.host.advance(1_000);
  halt.set();
  t.ok((await walk).checked < 40);
});
