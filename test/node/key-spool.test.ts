/** What has no room in memory waits on disk, and what was queued is there after a stop. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { KEY_BYTES, KeyQueue } from '../../src/node/key-queue.ts';
import { KeySpool } from '../../src/node/key-spool.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { MemorySpoolFolder } from './memory-spool-folder.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { KeyPriority, OutKey } from '../../src/node/key-queue.ts';

interface World {
  readonly host: VirtualHost;
  readonly folder: MemorySpoolFolder;
  readonly queue: KeyQueue;
  readonly spool: KeySpool;
  readonly disk: { isFull: boolean };
  readonly offer: (from: number, to: number, priority?: KeyPriority) => void;
  readonly take: (max: number) => Promise<OutKey[]>;
  /** Everything, in the order in which it comes. */
  readonly drain: () => Promise<number[]>;
}

interface Given {
  readonly host?: VirtualHost;
  readonly folder?: MemorySpoolFolder;
  readonly memoryKeys?: number;
  readonly diskMaxBytes?: number;
}

async function world({
  host = new VirtualHost(),
  folder = new MemorySpoolFolder(),
  memoryKeys = 1_000,
  diskMaxBytes = 2 ** 30,
}: Given = {}): Promise<World> {
  const disk = { isFull: false };
  const memoryMaxBytes = memoryKeys * (KEY_BYTES + 7);
  const spool = new KeySpool(
    { host, folder, isDiskFull: () => disk.isFull },
    { queue: 'q', diskMaxBytes, memoryMaxBytes },
  );
  const queue = new KeyQueue(memoryMaxBytes, spool);
  spool.attach(queue);
  await spool.open();
  const offer: World['offer'] = (from, to, priority = 'real-time') => {
    for (let number = from; number < to; number += 1) {
      queue.offer(id(number), priority, host.clock.monotonicMs());
    }
  };
  const take: World['take'] = async (max) => {
    const taken = queue.take(max, host.clock.monotonicMs());
    if (taken.length > 0) return taken;
    await spool.refill();
    return queue.take(max, host.clock.monotonicMs());
  };
  const drain = async (): Promise<number[]> => {
    const numbers: number[] = [];
    for (let lot = await take(64); lot.length > 0; lot = await take(64)) {
      numbers.push(...lot.map(numberOf));
      queue.release(lot);
    }
    return numbers;
  };
  return { host, folder, queue, spool, disk, offer, take, drain };
}

function id(number: number): ByteString {
  return utf8ToByteString(`k${String(number).padStart(6, '0')}`);
}

function numberOf(key: OutKey): number {
  return Number(key.id.slice(1));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

t.test('a queue that is fetched from writes nothing', async (t) => {
  const { host, folder, queue, offer, take } = await world();
  for (let round = 0; round < 100; round += 1) {
    offer(round * 10, round * 10 + 10);
    await host.advance(20);
    queue.release(await take(64));
  }
  await host.advance(2_000);
  t.equal(folder.writes, 0);
  t.same(folder.segments, []);
  t.equal(host.timerCount, 0, 'and nothing is due');
});

t.test('what has no room in memory waits on disk, in its order', async (t) => {
  const { host, folder, queue, offer, drain } = await world({ memoryKeys: 100 });
  offer(0, 1_000);
  t.equal(queue.count('real-time'), 100);
  await host.advance(1_000);
  t.ok(folder.sizeBytes > 900 * 8, 'it is written');
  offer(1_000, 5_000);
  await host.advance(1_000);
  offer(5_000, 6_000);
  t.equal(queue.isOverflowed, false);
  const first = queue.take(50, host.clock.monotonicMs());
  queue.release(first);
  offer(6_000, 6_010);
  t.same([...first.map(numberOf), ...(await drain())], range(0, 6_010));
  await host.advance(1_000);
  t.same(folder.segments, [], 'and nothing is left');
  t.equal(queue.heldBytes, 0);
  t.equal(host.counters.get('replication_spilled_total'), 5_910);
});

t.test(
  'what waits on disk waits once, and what is written again after it was read comes again',
  async (t) => {
    const { host, queue, offer, take, drain } = await world({ memoryKeys: 10 });
    offer(0, 20);
    offer(10, 20);
    await host.advance(1_000);
    offer(10, 20);
    const first = await take(20);
    t.same(first.map(numberOf), range(0, 10));
    queue.release(first);
    const rest = await take(20);
    t.same(rest.map(numberOf), range(10, 20));
    offer(12, 13);
    queue.release(rest);
    t.same(await drain(), [12]);
  },
);

t.test("what clients write goes before what a full-sync has put on the queue's disk", async (t) => {
  const { host, queue, offer, take, drain } = await world({ memoryKeys: 100 });
  offer(0, 5_000, 'sync');
  await host.advance(1_000);
  t.equal(queue.count('sync'), 50, 'it leaves room for them');
  offer(10_000, 10_400);
  await host.advance(1_000);
  t.equal(queue.count('real-time'), 50);
  queue.release(await take(50));
  await host.advance(1_000);
  const numbers = await drain();
  t.equal(numbers.length, 5_350);
  t.ok(
    numbers.indexOf(10_399) < 1_000,
    `the last of them is number ${numbers.indexOf(10_399)}, among those that were in memory`,
  );
  t.same(
    numbers.filter((number) => number < 5_000),
    range(0, 5_000),
  );
});

t.test(
  'a clean stop keeps each key that waits or is out, how old it is, and no other',
  async (t) => {
    const before = await world({ memoryKeys: 1_000 });
    before.offer(0, 3_000);
    before.offer(3_000, 3_010, 'sync');
    await before.host.advance(60_000);
    before.queue.release(await before.take(500));
    await before.take(100);
    before.offer(3_010, 3_020, 'sync');
    await before.spool.close();
    for (const [name, bytes] of before.folder.files) {
      t.equal(before.folder.synced.get(name), bytes, 'it is on stable storage');
    }
    const after = await world({ host: before.host, folder: before.folder, memoryKeys: 1_000 });
    await after.host.advance(1_000);
    t.equal(after.queue.oldestMs(), 0);
    t.equal(after.queue.isOverflowed, false);
    const numbers = await after.drain();
    t.same(
      numbers.toSorted((left, right) => left - right),
      range(500, 3_020),
    );
    t.same(numbers.slice(-20), range(3_000, 3_020), 'a full-sync has put them there');
    await after.spool.close();
    t.same(after.folder.segments, []);
  },
);

t.test('a process that ends loses what came in the last half second, and no more', async (t) => {
  const before = await world({ memoryKeys: 100 });
  before.offer(0, 1_000);
  await before.host.advance(600);
  before.offer(1_000, 1_010);
  const folder = new MemorySpoolFolder();
  for (const [name, bytes] of before.folder.files) folder.files.set(name, Buffer.from(bytes));
  const after = await world({ host: before.host, folder, memoryKeys: 100 });
  const numbers = await after.drain();
  t.same(
    [...new Set(numbers)].toSorted((left, right) => left - right),
    range(0, 1_000),
  );
});

t.test(
  'past its bound on disk too the newest key is dropped, and that is remembered',
  async (t) => {
    const given = { memoryKeys: 100, diskMaxBytes: 10_000 };
    const before = await world(given);
    before.offer(0, 100);
    for (let number = 100; number < 3_000; number += 100) {
      before.offer(number, number + 100);
      await before.host.advance(1_000);
    }
    t.equal(before.queue.isOverflowed, true);
    t.ok(before.folder.sizeBytes <= 10_000, `${before.folder.sizeBytes} bytes`);
    await before.spool.close();
    const after = await world({ ...given, host: before.host, folder: before.folder });
    t.equal(after.queue.isOverflowed, true, 'the next start knows it');
    const numbers = await after.drain();
    t.same(numbers.slice(0, 300), range(0, 300));
    t.equal(new Set(numbers).size, numbers.length);
    after.queue.clearOverflow();
    after.spool.noteOverflow();
    await after.host.advance(1_000);
    t.same([...after.folder.files.keys()], []);
  },
);

t.test('a disk that fails is left alone, and tried again', async (t) => {
  const { host, folder, queue, spool, offer, drain } = await world({ memoryKeys: 100 });
  folder.isFailing = true;
  offer(0, 1_000);
  await host.advance(1_000);
  t.match(spool.trouble, /no space left/);
  t.equal(queue.isOverflowed, false, 'the keys are in a buffer');
  t.same(host.logged, ['replication.queue-disk-failed']);
  offer(0, 100_000);
  t.equal(queue.isOverflowed, true, 'which is bounded');
  folder.isFailing = false;
  await host.advance(20_000);
  t.equal(spool.trouble, undefined);
  t.same(host.logged, ['replication.queue-disk-failed', 'replication.queue-disk-recovered']);
  const numbers = await drain();
  t.same(numbers.slice(0, 5_000), range(0, 5_000));
  t.equal(host.counters.get('replication_queue_damaged_total'), undefined, 'no part was left');
});

t.test('a file that cannot be read is read again, and lost only after many attempts', async (t) => {
  const { host, folder, queue, offer, take, drain } = await world({ memoryKeys: 100 });
  offer(0, 300);
  await host.advance(1_000);
  folder.isUnreadable = true;
  const first = await drain();
  t.same(first, range(0, 100));
  for (let seconds = 0; seconds < 30; seconds += 1) {
    t.same(await take(64), []);
    await host.advance(1_000);
  }
  folder.isUnreadable = false;
  await host.advance(10_000);
  t.same(await drain(), range(100, 300));
  t.equal(queue.isOverflowed, false);
  t.equal(host.counters.get('replication_queue_damaged_total'), undefined);

  offer(300, 600);
  await host.advance(1_000);
  folder.isUnreadable = true;
  t.same(await drain(), range(300, 400));
  for (let seconds = 0; seconds < 600 && !queue.isOverflowed; seconds += 1) {
    t.same(await take(64), []);
    await host.advance(1_000);
  }
  t.equal(queue.isOverflowed, true, 'it holds up what is behind it for a while only');
  await host.advance(10_000);
  t.same(folder.segments, []);
});

t.test('nothing is written while the disk is nearly full', async (t) => {
  const { host, folder, queue, disk, offer, drain } = await world({ memoryKeys: 100 });
  disk.isFull = true;
  offer(0, 200);
  await host.advance(5_000);
  t.equal(folder.writes, 0);
  t.equal(queue.isOverflowed, true);
  t.same([...folder.files.keys()], ['overflowed']);
  disk.isFull = false;
  await host.advance(5_000);
  t.ok(folder.writes > 0, 'what is in memory is written then');
  t.same(await drain(), range(0, 100));
});

t.test('what a stop could not write is told, and marks the queue', async (t) => {
  const before = await world({ memoryKeys: 100, diskMaxBytes: 500 });
  before.offer(0, 90);
  await before.spool.close();
  t.ok(before.host.logged.includes('replication.queue-lost'));
  const after = await world({ host: before.host, folder: before.folder });
  t.equal(after.queue.isOverflowed, true);
});

t.test('a damaged file costs what is damaged, and is named', async (t) => {
  for (const damage of ['flipped', 'cut', 'zeroed', 'gone', 'strange'] as const) {
    const before = await world({ memoryKeys: 2_000 });
    before.offer(0, 10_000);
    await before.spool.close();
    const { folder } = before;
    const name = folder.segments.at(-1) ?? '';
    const bytes = Buffer.from(folder.files.get(name) ?? '');
    if (damage === 'flipped') bytes[bytes.length - 20]! ^= 1;
    if (damage === 'zeroed') bytes.fill(0, bytes.length >> 1);
    const cut = bytes.subarray(0, damage === 'cut' ? bytes.length - 7 : bytes.length);
    folder.files.set(name, damage === 'strange' ? Buffer.from('what is this, then?') : cut);
    const after = await world({ folder, memoryKeys: 2_000 });
    if (damage === 'gone') folder.files.delete(name);
    const numbers = await after.drain();
    t.ok(numbers.length < 10_000, `${damage}: ${10_000 - numbers.length} keys are lost`);
    t.ok(numbers.length > 9_000, damage);
    t.equal(after.host.counters.get('replication_queue_damaged_total'), 1, damage);
    t.ok(after.host.logged.includes('replication.queue-damaged'), damage);
    t.equal(after.queue.isOverflowed, true, 'a full-sync has to find them');
    await after.host.advance(1_000);
    t.same(folder.segments, [], damage);
  }
});

t.test('a few keys that stay do not keep the files of all the others', async (t) => {
  const { host, folder, queue, offer, take, drain } = await world({ memoryKeys: 200_000 });
  offer(0, 100_000);
  await host.advance(1_000);
  const fullBytes = folder.sizeBytes;
  const stuck: OutKey[] = [];
  for (let lot = await take(100); lot.length > 0; lot = await take(100)) {
    stuck.push(...lot.slice(0, 1));
    queue.release(lot.slice(1));
  }
  await host.advance(1_000);
  t.ok(folder.sizeBytes < fullBytes / 4, `${folder.sizeBytes} of ${fullBytes} bytes`);
  queue.putBack(stuck);
  t.equal((await drain()).length, 1_000);
});

type Step =
  | { readonly kind: 'offer'; readonly key: number; readonly priority: KeyPriority }
  | { readonly kind: 'take'; readonly max: number }
  | { readonly kind: 'release' | 'put-back' | 'wait' | 'stop' | 'kill' };

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      key: fc.nat(600),
      priority: fc.constantFrom('real-time' as const, 'sync' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), max: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('release', 'put-back', 'wait' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('stop', 'kill' as const) }) },
);

t.test('nothing is lost through stops, and by a kill only what had just come', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 300 }), async (steps) => {
      const host = new VirtualHost();
      let now = await world({ host, memoryKeys: 6 });
      const owed = new Set<number>();
      /** Of these, what came since a write was last waited for. */
      const young = new Set<number>();
      let lots: OutKey[][] = [];
      for (const step of steps) {
        if (step.kind === 'offer') {
          now.offer(step.key, step.key + 1, step.priority);
          owed.add(step.key);
          young.add(step.key);
        } else if (step.kind === 'take') {
          const lot = await now.take(step.max);
          lots.push(lot);
          for (const key of lot) owed.delete(numberOf(key));
        } else if (step.kind === 'wait') {
          await host.advance(600);
          young.clear();
        } else if (step.kind === 'stop' || step.kind === 'kill') {
          for (const key of lots.flat()) owed.add(numberOf(key));
          lots = [];
          if (step.kind === 'stop') await now.spool.close();
          else for (const key of young) owed.delete(key);
          const folder = new MemorySpoolFolder();
          for (const [name, bytes] of now.folder.files) folder.files.set(name, Buffer.from(bytes));
          now = await world({ host, folder, memoryKeys: 6 });
        } else {
          const lot = lots.shift() ?? [];
          if (step.kind === 'release') now.queue.release(lot);
          else {
            now.queue.putBack(lot);
            for (const key of lot) owed.add(numberOf(key));
          }
        }
      }
      for (const lot of lots) now.queue.release(lot);
      const left = new Set(await now.drain());
      for (const key of owed) if (!left.has(key)) throw new Error(`${key} was lost`);
      if (now.queue.isOverflowed) throw new Error('it says that keys are missing');
      if (now.queue.heldBytes !== 0) throw new Error('memory was not given back');
      await host.advance(2_000);
      if (now.folder.segments.length > 0) throw new Error('a file was left');
    }),
    { numRuns: 150 },
  );
});
