/** What a sink is given of a queue: whole objects, in lots, at least once. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { keyFromString, keyToString, type ObjectKey } from '../../src/base/names.ts';
import { actorPrefix, nextDot } from '../../src/clock/actor.ts';
import { EMPTY_VERSION_VECTOR, withDot } from '../../src/clock/version-vector.ts';
import { KEY_BYTES } from '../../src/node/key-queue.ts';
import { ReplicationQueues } from '../../src/node/replication-queues.ts';
import { decodeRecord } from '../../src/object/record.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { NodeIdentity } from '../../src/clock/actor.ts';
import type { ReplicationOptions } from '../../src/node/replication-queue.ts';
import type { FetchedItem } from '../../src/node/replication-queues.ts';
import type { GetOutcome } from '../../src/object/requests.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';

const Q = 'q' as ByteString;
const PREFIX = actorPrefix('node-one' as NodeIdentity, 1);

function keyOf(name: string, bucket = 'b', type = 'default'): ObjectKey {
  return {
    type: utf8ToByteString(type),
    bucket: utf8ToByteString(bucket),
    key: utf8ToByteString(name),
  };
}

function objectOf(value: Buffer, isTombstone = false): StoredObject {
  const dot = nextDot({
    prefix: PREFIX,
    local: undefined,
    client: EMPTY_VERSION_VECTOR,
    isContinuous: false,
    freshKeyEpoch: () => 1,
  });
  const sibling = {
    dot,
    lastModifiedMicros: 1,
    vtag: 'vtag',
    metadata: {},
    isTombstone,
    valueSizeBytes: value.length,
    value,
  };
  return { context: withDot(EMPTY_VERSION_VECTOR, dot), siblings: [sibling] };
}

interface World {
  readonly host: VirtualHost;
  readonly queues: ReplicationQueues;
  /** What a read of a key finds; absent: a small object. */
  readonly found: Map<string, GetOutcome | Promise<GetOutcome> | Fault>;
  /** Keys of which no majority of primaries answers. */
  readonly cutOff: Set<string>;
  readonly readsAtOnce: { now: number; most: number };
  /** A client has written the keys. */
  readonly write: (...names: readonly string[]) => void;
}

function world(options: Partial<ReplicationOptions> = {}): World {
  const host = new VirtualHost();
  const found: World['found'] = new Map();
  const cutOff: World['cutOff'] = new Set();
  const readsAtOnce = { now: 0, most: 0 };
  const queues = new ReplicationQueues(
    {
      host,
      read: async ({ key, pr }) => {
        if (pr === 'quorum' && cutOff.has(key.key)) {
          return { kind: 'unsatisfied', quorum: 'pr', needed: 2, got: 1 };
        }
        readsAtOnce.now += 1;
        readsAtOnce.most = Math.max(readsAtOnce.most, readsAtOnce.now);
        try {
          const outcome = await found.get(key.key);
          if (outcome instanceof Fault) throw outcome;
          return outcome ?? { kind: 'found', object: objectOf(Buffer.from(key.key)) };
        } finally {
          readsAtOnce.now -= 1;
        }
      },
    },
    { queueMaxBytes: 2 ** 30, queues: [{ name: 'q', buckets: 'any' }], ...options },
  );
  const write = (...names: readonly string[]): void => {
    for (const name of names) queues.listener?.(keyOf(name), 'stored');
  };
  return { host, queues, found, cutOff, readsAtOnce, write };
}

function names(items: readonly FetchedItem[]): string[] {
  return items.map(({ key }) => key.key);
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `k${index}`);
}

t.test('the string of a key tells the key, whatever bytes are in it', (t) => {
  for (const key of [
    keyOf('k'),
    keyOf('1:2:k', ':', '3:4'),
    keyOf('', 'b:', 't'),
    keyOf('é', '', ''),
  ]) {
    t.same(keyFromString(keyToString(key)), key);
  }
  t.end();
});

t.test('nobody hears of writes where there is no queue', (t) => {
  t.equal(world({ queues: [] }).queues.listener, undefined);
  t.end();
});

t.test('a lot has objects as they are stored, tombstones too, and how old they are', async (t) => {
  const { host, queues, found, write } = world();
  found.set('dead', { kind: 'not-found', tombstone: objectOf(Buffer.alloc(0), true) });
  write('live', 'dead');
  await host.advance(1_500);
  queues.push(Q, [keyOf('synced')]);
  const items = await queues.consumer().fetch(Q);
  t.same(names(items), ['live', 'dead', 'synced']);
  t.same(
    items.map(({ ageMs, isSync }) => [ageMs, isSync]),
    [
      [1_500, false],
      [1_500, false],
      [0, true],
    ],
  );
  t.same(decodeRecord(items[0]?.record as Buffer), objectOf(Buffer.from('live')));
  t.same(decodeRecord(items[1]?.record as Buffer), objectOf(Buffer.alloc(0), true));
});

t.test('what a client has marked as deleted goes without the value that it has', async (t) => {
  const { queues, found, write } = world();
  found.set('marked', { kind: 'not-found', tombstone: objectOf(Buffer.from('a value'), true) });
  write('marked');
  const [item] = await queues.consumer().fetch(Q);
  t.same(decodeRecord(item?.record as Buffer), objectOf(Buffer.alloc(0), true));
});

t.test('what a connection has is out until it asks again, or ends', async (t) => {
  const { host, queues, write } = world();
  write('a', 'b');
  const first = queues.consumer();
  t.same(names(await first.fetch(Q)), ['a', 'b']);
  const second = queues.consumer();
  t.same(await second.fetch(Q), [], 'another gets nothing of it');
  t.match(queues.status(), [{ realTime: 0, out: 2, consumers: 2 }]);
  write('c', 'a');
  first.end();
  t.match(queues.status(), [{ realTime: 3, out: 0, consumers: 1 }]);
  t.same(names(await second.fetch(Q)), ['a', 'b', 'c'], 'it is the next, and comes once');
  t.same(await second.fetch(Q), []);
  t.match(queues.status(), [{ realTime: 0, out: 0, heldBytes: 0 }]);
  t.equal(host.counters.get('replication_returned_total'), 2);
  t.equal(host.counters.get('replication_acknowledged_total'), 3);
  t.same(await first.fetch(Q), [], 'who has ended gets nothing');
});

t.test('what is read when the connection ends is put back', async (t) => {
  const { queues, found, write } = world();
  let answer: ((outcome: GetOutcome) => void) | undefined;
  found.set('a', new Promise<GetOutcome>((resolve) => (answer = resolve)));
  write('a', 'b');
  const consumer = queues.consumer();
  const fetching = consumer.fetch(Q);
  consumer.end();
  answer?.({ kind: 'found', object: objectOf(Buffer.from('a')) });
  t.same(await fetching, []);
  t.match(queues.status(), [{ realTime: 2, out: 0, consumers: 0 }]);
  t.same(names(await queues.consumer().fetch(Q)), ['a', 'b']);
});

t.test(
  'what is being read when the connection ends is put back, whatever the read finds',
  async (t) => {
    const { queues, found, readsAtOnce, write } = world();
    let answer: ((outcome: GetOutcome) => void) | undefined;
    found.set('gone', new Promise<GetOutcome>((resolve) => (answer = resolve)));
    write('a', 'gone');
    const heldBytes = queues.status()[0]?.heldBytes;
    const consumer = queues.consumer();
    const fetching = consumer.fetch(Q);
    while (readsAtOnce.now === 0) await new Promise(setImmediate);
    consumer.end();
    answer?.({ kind: 'not-found', tombstone: undefined });
    t.same(await fetching, []);
    t.match(queues.status(), [{ realTime: 2, out: 0, heldBytes }], 'they wait, and are held');
    const next = queues.consumer();
    t.same(names(await next.fetch(Q)), ['a']);
    t.same(await next.fetch(Q), []);
    t.match(queues.status(), [{ realTime: 0, out: 0, heldBytes: 0 }]);
  },
);

t.test('a fetch that breaks off takes nothing with it', async (t) => {
  const { queues, found, write } = world();
  found.set('b', new Fault('closed', 'the node is stopping'));
  write('a', 'b');
  const consumer = queues.consumer();
  await t.rejects(consumer.fetch(Q), { code: 'closed' });
  found.delete('b');
  t.same(names(await consumer.fetch(Q)), ['a', 'b'], 'and the next does not acknowledge it');
});

t.test('what cannot be read now rests, what is nowhere goes', async (t) => {
  const { host, queues, found, write } = world();
  found.set('late', { kind: 'timeout' });
  found.set('gone', { kind: 'not-found', tombstone: undefined });
  found.set('untyped', { kind: 'unknown-bucket-type', type: Q });
  write('late', 'gone', 'untyped', 'a');
  const consumer = queues.consumer();
  t.same(names(await consumer.fetch(Q)), ['a']);
  t.match(queues.status(), [{ realTime: 1, out: 1 }]);
  t.same(await consumer.fetch(Q), [], 'it is not asked for at once');
  found.delete('late');
  await host.advance(10_000);
  t.same(names(await consumer.fetch(Q)), ['late']);
  t.same(await consumer.fetch(Q), []);
  t.match(queues.status(), [{ realTime: 0, out: 0, heldBytes: 0 }]);
});

t.test('what no majority of primaries tells is sent, and again when one does', async (t) => {
  const { host, queues, found, cutOff, write } = world();
  found.set('gone', { kind: 'not-found', tombstone: undefined });
  cutOff.add('cut').add('gone');
  write('cut', 'gone', 'a');
  const consumer = queues.consumer();
  t.same(names(await consumer.fetch(Q)), ['cut', 'a']);
  t.same(await consumer.fetch(Q), [], 'not at once');
  t.match(queues.status(), [{ realTime: 2, out: 0 }], 'who was cut off may have missed a write');
  await host.advance(1_000);
  t.same(names(await consumer.fetch(Q)), ['cut']);
  cutOff.clear();
  found.delete('gone');
  await host.advance(1_000);
  t.same(names(await consumer.fetch(Q)).sort(), ['cut', 'gone']);
  t.same(await consumer.fetch(Q), []);
  t.match(queues.status(), [{ realTime: 0, out: 0, heldBytes: 0 }]);
});

t.test('a lot is bounded in keys', async (t) => {
  const { queues, write, readsAtOnce } = world();
  const all = numbered(150);
  write(...all);
  const consumer = queues.consumer();
  const lots = [await consumer.fetch(Q), await consumer.fetch(Q), await consumer.fetch(Q)];
  t.same(
    lots.map(({ length }) => length),
    [64, 64, 22],
  );
  t.same(lots.flatMap(names), all);
  t.ok(readsAtOnce.most <= 16, `${readsAtOnce.most} reads at once`);
});

t.test('a lot is bounded in bytes, and a larger object goes by itself', async (t) => {
  const { queues, found, write } = world();
  const sizes: readonly (readonly [string, number])[] = [
    ['small', 10],
    ['huge', 3_000_000],
    ['half', 500_000],
    ['other', 500_000],
    ['third', 500_000],
    ['last', 10],
  ];
  for (const [name, size] of sizes) {
    found.set(name, { kind: 'found', object: objectOf(Buffer.alloc(size)) });
    write(name);
  }
  const consumer = queues.consumer();
  const lots: string[][] = [];
  for (let items = await consumer.fetch(Q); items.length > 0; items = await consumer.fetch(Q)) {
    lots.push(names(items));
  }
  t.same(lots, [['small'], ['huge'], ['half', 'other'], ['third', 'last']]);
});

t.test('after large objects fewer are read at once', async (t) => {
  const { queues, found, write, readsAtOnce } = world();
  const all = numbered(40);
  for (const name of all) {
    found.set(name, { kind: 'found', object: objectOf(Buffer.alloc(700_000)) });
    write(name);
  }
  const consumer = queues.consumer();
  await consumer.fetch(Q);
  readsAtOnce.most = 0;
  await consumer.fetch(Q);
  t.equal(readsAtOnce.most, 1);
});

t.test('many keys that are nowhere do not make a fetch long', async (t) => {
  const { queues, found, write } = world();
  const all = numbered(1_000);
  for (const name of all) found.set(name, { kind: 'not-found', tombstone: undefined });
  write(...all);
  t.same(await queues.consumer().fetch(Q), []);
  const [status] = queues.status();
  t.ok((status?.realTime ?? 0) > 700, `${status?.realTime} are left`);
});

t.test('a write that certainly did nothing is not offered, any other is', (t) => {
  const { queues } = world();
  for (const kind of ['not-found', 'match-found', 'precommit-failed', 'unknown-bucket-type']) {
    queues.listener?.(keyOf(kind), kind);
  }
  t.match(queues.status(), [{ realTime: 0 }]);
  for (const kind of ['stored', 'deleted', 'timeout', 'unsatisfied', undefined]) {
    queues.listener?.(keyOf(`${kind}`), kind);
  }
  t.match(queues.status(), [{ realTime: 5 }]);
  t.end();
});

t.test('a queue takes the buckets that it is for, however they come', (t) => {
  const only = (type: string, bucket?: string) => ({
    type: utf8ToByteString(type),
    bucket: bucket === undefined ? undefined : utf8ToByteString(bucket),
  });
  const { queues } = world({
    queues: [
      { name: 'q', buckets: [only('default', 'b'), only('maps')] },
      { name: 'all', buckets: 'any' },
    ],
  });
  const keys = [keyOf('k'), keyOf('k', 'c'), keyOf('k', 'c', 'maps'), keyOf('k', 'b', 'sets')];
  for (const key of keys) queues.listener?.(key, 'stored');
  t.match(queues.status(), [
    { name: 'q', realTime: 2 },
    { name: 'all', realTime: 4 },
  ]);
  t.equal(queues.offerForSync(Q, keyOf('more', 'c')), false);
  t.match(queues.push(Q, [keyOf('more', 'c'), keyOf('more')]), { sync: 1, realTime: 2 });
  t.equal(queues.push('nowhere' as ByteString, [keyOf('k')]), undefined);
  t.end();
});

t.test('of a queue that is not there nothing comes', async (t) => {
  const { queues } = world();
  t.same(await queues.consumer().fetch('nowhere' as ByteString), []);
  t.equal(queues.pause('nowhere'), false);
  t.equal(queues.clearOverflow('nowhere'), false);
});

t.test('a paused queue takes in and gives nothing out', async (t) => {
  const { queues, write } = world();
  write('a');
  const consumer = queues.consumer();
  await consumer.fetch(Q);
  t.equal(queues.pause('q'), true);
  write('b');
  t.same(await consumer.fetch(Q), []);
  t.match(queues.status(), [{ realTime: 1, out: 0, isPaused: true }], 'what was out has arrived');
  queues.resume('q');
  t.same(names(await consumer.fetch(Q)), ['b']);
});

t.test('a full queue says so once in the log, and until a full-sync has gone through', (t) => {
  const { host, queues, write } = world({ queueMaxBytes: 2 * (KEY_BYTES + 40) });
  write('a', 'b', 'c', 'd');
  t.match(queues.status(), [{ realTime: 2, dropped: 2, isOverflowed: true }]);
  t.equal(host.counters.get('replication_dropped_total'), 2);
  t.same(host.logged, ['replication.queue-full']);
  // Or a full-sync would take it that the queue is not for the bucket, and leave all of it out.
  t.equal(
    queues.offerForSync(Q, keyOf('x')),
    true,
    'it is for this queue, though there is no room',
  );
  const mark = queues.dropMark(Q) ?? NaN;
  write('d');
  queues.noteCompared(Q, mark);
  t.match(queues.push(Q, []), { isOverflowed: true, dropped: 4 }, 'one came while it was compared');
  queues.noteCompared(Q, queues.dropMark(Q) ?? NaN);
  t.match(queues.push(Q, []), { isOverflowed: false, dropped: 4 });
  t.equal(queues.dropMark('nowhere' as ByteString), undefined);
  write('e');
  t.match(queues.status(), [{ isOverflowed: true }]);
  t.equal(queues.clearOverflow('q'), true);
  t.match(queues.status(), [{ isOverflowed: false }]);
  t.end();
});

t.test('so many may fetch from a queue, and the next when one has gone', async (t) => {
  const { queues } = world();
  const consumers = Array.from({ length: 256 }, () => queues.consumer());
  for (const consumer of consumers) await consumer.fetch(Q);
  await t.rejects(queues.consumer().fetch(Q), { code: 'overload' });
  consumers[0]?.end();
  t.same(await queues.consumer().fetch(Q), []);
});

t.test('a key that comes back from a sink is as old as it was', async (t) => {
  const { host, queues, write } = world();
  await host.advance(1_000);
  queues.push(Q, [keyOf('back')], [7_200_000]);
  t.match(queues.status(), [{ sync: 1, oldestAgeMs: 7_200_000 }]);
  write('known');
  queues.push(Q, [keyOf('known')], [9_000_000]);
  t.match(queues.status(), [{ realTime: 1, sync: 1, oldestAgeMs: 9_000_000 }]);
  const items = await queues.consumer().fetch(Q);
  t.same(
    items.map(({ key, ageMs }) => [key.key, ageMs]),
    [
      ['known', 9_000_000],
      ['back', 7_200_000],
    ],
  );
});
