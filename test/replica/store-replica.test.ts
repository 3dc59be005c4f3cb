/** The replica, step by step: what each change leaves behind, and what a reader gets. */

import t from 'tap';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { VersionVector } from '../../src/clock/version-vector.ts';
import { causalHash } from '../../src/object/causality.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { decodeHead, decodeRecord } from '../../src/object/record.ts';
import type { NewContent } from '../../src/object/requests.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import type { StoreReplica, StoreReplicaOptions } from '../../src/replica/store-replica.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import { encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
  objectKey,
  openReplica,
  partitionFor,
  placementOf,
  propertiesOf,
  record,
  text,
  TOMBSTONE,
  valuesOf,
} from './replica-world.ts';
import { ShakyStore } from './shaky-store.ts';
import { readTruth } from './store-truth.ts';
import { settle, VirtualHost } from './virtual-host.ts';

const KEY = objectKey('999 123 4567');
const NODE_B = 'b@host' as NodeId;
const NODE_C = 'c@host' as NodeId;

async function open(options: Partial<StoreReplicaOptions> = {}) {
  const host = new VirtualHost();
  const store = new ShakyStore(host.random);
  return { host, store, ...(await openReplica(host, store, options)) };
}

/** Writes and waits until it is durable. */
async function write(
  replica: StoreReplica,
  key: ObjectKey,
  what: { readonly content: NewContent; readonly context?: VersionVector },
): Promise<StoredObject> {
  const { content, context = EMPTY_VERSION_VECTOR } = what;
  const outcome = await replica.coordinate(key, placementOf(key), { context, content });
  if (outcome.kind !== 'issued') throw new Error(`not issued: ${outcome.kind}`);
  await outcome.durable;
  return outcome.object;
}

/** What another node would have made of the same key. */
async function foreignObject(value: string): Promise<StoredObject> {
  const host = new VirtualHost(value.length * 7919 + value.charCodeAt(0));
  const { replica } = await openReplica(host, new ShakyStore(host.random));
  return write(replica, KEY, { content: content(value) });
}

/** A store damaged at one byte of the key's entry, counted from its end. */
async function damage(store: ShakyStore, key: ObjectKey, fromEnd: number): Promise<void> {
  const entry = encodeObjectKey(partitionFor(key), key);
  const bytes = Buffer.from((await store.memory.get(entry)) ?? Buffer.alloc(0));
  const at = bytes.length - fromEnd;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await store.memory.write([{ kind: 'put', key: entry, head: bytes }]);
}

t.test('a write is read back, whole and as its head', async (t) => {
  const { replica, store } = await open();
  const object = await write(replica, KEY, { content: content('v1') });
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['v1']);
  const whole = await replica.getRecord(KEY, partitionFor(KEY), false);
  t.same(whole, record(object));
  const head = await replica.getRecord(KEY, partitionFor(KEY), true);
  t.ok(head !== undefined && head.length < (whole?.length ?? 0));
  t.same(causalHash(decodeHead(head as Buffer) ?? object), causalHash(object));
  t.equal(await replica.get(objectKey('other'), partitionFor(objectKey('other'))), undefined);
  await readTruth(store, propertiesOf);
});

t.test(
  'a write with the context of the last replaces it, one without lives beside it',
  async (t) => {
    const { replica } = await open();
    const first = await write(replica, KEY, { content: content('v1') });
    const second = await write(replica, KEY, { content: content('v2'), context: first.context });
    t.same(valuesOf(second), ['v2']);
    const third = await write(replica, KEY, { content: content('v3') });
    t.same(valuesOf(third), ['v2', 'v3']);
    t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['v2', 'v3']);
    t.equal(third.context.size, 1, 'one actor counts on');
  },
);

t.test(
  'where a bucket shows one value a write replaces all that its coordinator has',
  async (t) => {
    const { replica } = await open();
    const key = objectKey('k', 'single');
    await write(replica, key, { content: content('v1') });
    t.same(valuesOf(await write(replica, key, { content: content('v2') })), ['v2']);
  },
);

t.test('a merge keeps what both have that neither supersedes', async (t) => {
  const { replica, store } = await open();
  const mine = await write(replica, KEY, { content: content('mine') });
  const theirs = await foreignObject('theirs');
  await replica.merge(KEY, placementOf(KEY), record(theirs), undefined);
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['mine', 'theirs']);
  const before = store.writeCount;
  await replica.merge(KEY, placementOf(KEY), record(mine), undefined);
  await replica.merge(KEY, placementOf(KEY), record(theirs), undefined);
  t.equal(store.writeCount, before, 'what is known already is not written again');
  await readTruth(store, propertiesOf);
});

t.test('changes that come while a write is under way share the next one', async (t) => {
  const { replica, store } = await open();
  const others = await Promise.all(['a', 'bb', 'ccc', 'dddd'].map(foreignObject));
  const before = store.writeCount;
  await Promise.all(
    others.map((other) => replica.merge(KEY, placementOf(KEY), record(other), undefined)),
  );
  t.ok(store.writeCount - before <= 2, 'four merges, at most two writes');
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['a', 'bb', 'ccc', 'dddd']);
  await readTruth(store, propertiesOf);
});

t.test('a merge that adds nothing is answered when what it found is durable', async (t) => {
  const { replica, store } = await open();
  const theirs = record(await foreignObject('theirs'));
  let openGate = (): void => {};
  store.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  let answered = 0;
  const count = () => {
    answered += 1;
  };
  const merges = [replica.merge(KEY, placementOf(KEY), theirs, undefined).then(count)];
  await settle();
  merges.push(replica.merge(KEY, placementOf(KEY), theirs, undefined).then(count));
  await settle();
  t.equal(answered, 0, 'the first is on its way to the disk, and the second waits for it');
  openGate();
  await Promise.all(merges);
  t.equal(store.writeCount, 2, 'the identity, and one write for both');
});

for (const stop of ['no stop', 'a clean stop'] as const) {
  t.test(
    `a copy that a peer brought back does not continue its chain, after ${stop}`,
    async (t) => {
      const { host, replica, identity, store } = await open();
      const { partition } = placementOf(KEY);
      const old = await write(replica, KEY, { content: content('v1') });
      const last = await write(replica, KEY, { content: content('v2'), context: old.context });
      await replica.addHint({ target: NODE_B, partition, key: KEY });
      await replica.settleHint({ target: NODE_B, partition, key: KEY }, record(last), true);
      t.equal(await replica.get(KEY, partition), undefined);

      await replica.merge(KEY, placementOf(KEY), record(old), undefined);
      let present = replica;
      if (stop === 'a clean stop') {
        await replica.close();
        await identity.close();
        present = (await openReplica(host, store)).replica;
      }
      const next = await write(present, KEY, { content: content('v3'), context: old.context });
      t.same(valuesOf(mergeObjects(next, last)), ['v2', 'v3'], 'neither has seen the other');
      const after = await write(present, KEY, { content: content('v4'), context: next.context });
      t.equal(after.context.size, next.context.size, 'the fresh chain goes on');
    },
  );
}

t.test(
  'a client that knows more of this node than its copy does begins a fresh chain',
  async (t) => {
    const { replica } = await open({ graveMs: 0 });
    const { partition } = placementOf(KEY);
    const first = await write(replica, KEY, { content: content('v1') });
    const last = await write(replica, KEY, { content: TOMBSTONE, context: first.context });
    t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(last)), true);
    const next = await write(replica, KEY, { content: content('v2'), context: first.context });
    t.same(valuesOf(mergeObjects(next, last)), ['v2']);
    t.equal(mergeObjects(next, last).siblings.length, 2);
    t.ok(await replica.get(KEY, partition));
  },
);

t.test('a record that is not sound is refused as malformed', async (t) => {
  const { replica, store } = await open();
  const bytes = Buffer.from(record(await foreignObject('theirs')));
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  const before = store.writeCount;
  await t.rejects(replica.merge(KEY, placementOf(KEY), bytes, undefined), { code: 'malformed' });
  await t.rejects(replica.merge(KEY, placementOf(KEY), Buffer.alloc(0), undefined), {
    code: 'malformed',
  });
  t.equal(store.writeCount, before);
});

t.test('a write past a limit is refused and changes nothing', async (t) => {
  const { replica, store } = await open({ objectSizeMaxBytes: 2000, siblingsMax: 2 });
  const big = { context: EMPTY_VERSION_VECTOR, content: content('x'.repeat(2000)) };
  const outcome = await replica.coordinate(KEY, placementOf(KEY), big);
  t.equal(outcome.kind, 'too-large');
  t.ok(outcome.kind === 'too-large' && outcome.sizeBytes > 2000);
  t.equal(await replica.get(KEY, partitionFor(KEY)), undefined);

  await write(replica, KEY, { content: content('a') });
  const two = await write(replica, KEY, { content: content('b') });
  const small = { context: EMPTY_VERSION_VECTOR, content: content('c') };
  t.same(await replica.coordinate(KEY, placementOf(KEY), small), {
    kind: 'too-many-siblings',
    count: 3,
  });
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['a', 'b']);
  const merged = await write(replica, KEY, { content: content('ab'), context: two.context });
  t.same(valuesOf(merged), ['ab']);
  await readTruth(store, propertiesOf);
});

t.test('merges may pass the limits, and a write that leaves fewer siblings is taken', async (t) => {
  const { replica } = await open({ siblingsMax: 1 });
  const others = await Promise.all(['a', 'bb', 'ccc'].map(foreignObject));
  for (const other of others) {
    await replica.merge(KEY, placementOf(KEY), record(other), undefined);
  }
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['a', 'bb', 'ccc']);
  const seenTwo = new Map([...(others[0]?.context ?? []), ...(others[1]?.context ?? [])]);
  const after = await write(replica, KEY, { content: content('d'), context: seenTwo });
  t.same(valuesOf(after), ['ccc', 'd']);
});

t.test('index entries follow the object and go with its tombstone', async (t) => {
  const { replica, store } = await open();
  const age = (term: string) => [{ field: text('age_int'), term: text(term) }];
  const first = await write(replica, KEY, { content: content('v1', age('42')) });
  t.equal((await readTruth(store, propertiesOf)).index.size, 1);
  const second = await write(replica, KEY, {
    content: content('v2', [...age('43'), { field: text('name_bin'), term: text('bob') }]),
    context: first.context,
  });
  t.equal((await readTruth(store, propertiesOf)).index.size, 2);
  await write(replica, KEY, { content: TOMBSTONE, context: second.context });
  t.equal((await readTruth(store, propertiesOf)).index.size, 0);
});

t.test('a merge with a hint keeps the hint, also where the object is known', async (t) => {
  const { replica, store } = await open();
  const theirs = await foreignObject('theirs');
  await replica.merge(KEY, placementOf(KEY), record(theirs), NODE_B);
  t.same([...replica.hintCounts()], [[NODE_B, 1]]);
  await replica.merge(KEY, placementOf(KEY), record(theirs), NODE_B);
  await replica.merge(KEY, placementOf(KEY), record(theirs), NODE_C);
  t.same(
    [...replica.hintCounts()],
    [
      [NODE_B, 1],
      [NODE_C, 1],
    ],
  );
  const kept = [];
  for await (const batch of replica.hints(NODE_B)) kept.push(...batch);
  t.same(kept, [{ target: NODE_B, partition: partitionFor(KEY), key: KEY }]);
  t.equal((await readTruth(store, propertiesOf)).hints.size, 2);
});

t.test('hints are counted again after a restart', async (t) => {
  const { host, replica, store } = await open();
  await replica.addHint({ target: NODE_B, partition: partitionFor(KEY), key: KEY });
  const again = await openReplica(host, store.crash());
  t.same([...again.replica.hintCounts()], [[NODE_B, 1]]);
});

t.test('a settled hint goes, and the copy with it once it is owed to nobody', async (t) => {
  const { replica, store } = await open();
  const partition = partitionFor(KEY);
  const theirs = record(await foreignObject('theirs'));
  await replica.merge(KEY, placementOf(KEY), theirs, NODE_B);
  await replica.merge(KEY, placementOf(KEY), theirs, NODE_C);
  await replica.settleHint({ target: NODE_B, partition, key: KEY }, theirs, true);
  t.ok(await replica.get(KEY, partition), 'still owed to the other');
  await replica.settleHint({ target: NODE_C, partition, key: KEY }, theirs, true);
  t.equal(await replica.get(KEY, partition), undefined);
  t.equal(replica.hintCounts().size, 0);
  t.equal((await readTruth(store, propertiesOf)).hints.size, 0);
});

t.test('a hint stays if the copy has changed since the target confirmed it', async (t) => {
  const { replica, store } = await open();
  const hint = { target: NODE_B, partition: partitionFor(KEY), key: KEY };
  const theirs = record(await foreignObject('theirs'));
  await replica.merge(KEY, placementOf(KEY), theirs, NODE_B);
  await write(replica, KEY, { content: content('newer') });
  await replica.settleHint(hint, theirs, true);
  t.equal(replica.hintCounts().get(NODE_B), 1);
  t.same(valuesOf(await replica.get(KEY, hint.partition)), ['newer', 'theirs']);
  await readTruth(store, propertiesOf);
});

t.test('a reap removes exactly the tombstone it names', async (t) => {
  const { replica, store } = await open();
  const partition = partitionFor(KEY);
  const live = await write(replica, KEY, { content: content('v') });
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(live)), false, 'not a tombstone');
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: live.context });
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(live)), false, 'another state');
  t.ok(await replica.get(KEY, partition));
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(dead)), true);
  t.equal(await replica.get(KEY, partition), undefined);
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(dead)), true, 'gone already');
  t.equal((await readTruth(store, propertiesOf)).objects.size, 0);
});

t.test('what a reaped tombstone had superseded stays dead, however late it comes', async (t) => {
  const { host, replica, store } = await open({ graveMs: 1000 });
  const place = placementOf(KEY);
  const theirs = await foreignObject('theirs');
  await replica.merge(KEY, place, record(theirs), undefined);
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: theirs.context });
  await replica.reap(KEY, place, causalHash(dead));

  await replica.merge(KEY, place, record(theirs), undefined);
  t.equal(await replica.get(KEY, place.partition), undefined, 'the older value is absorbed');
  const other = await foreignObject('of someone who had not seen the delete');
  await replica.merge(KEY, place, record(mergeObjects(theirs, other)), undefined);
  const revived = await replica.get(KEY, place.partition);
  t.same(valuesOf(revived), ['of someone who had not seen the delete']);
  t.same(valuesOf(mergeObjects(revived ?? dead, theirs)), valuesOf(revived));
  await readTruth(store, propertiesOf);

  const again = await write(replica, KEY, {
    content: TOMBSTONE,
    context: revived?.context ?? new Map(),
  });
  await replica.reap(KEY, place, causalHash(again));
  await host.advance(1000);
  await replica.merge(KEY, place, record(theirs), undefined);
  t.same(valuesOf(await replica.get(KEY, place.partition)), ['theirs'], 'the grave is forgotten');
});

t.test(
  'a key that is written anew after a reap knows what was dead, and its actor goes on',
  async (t) => {
    const { replica, store } = await open();
    const place = placementOf(KEY);
    let last = await write(replica, KEY, { content: content('v') });
    for (let round = 0; round < 5; round += 1) {
      const dead = await write(replica, KEY, { content: TOMBSTONE, context: last.context });
      t.equal(await replica.reap(KEY, place, causalHash(dead)), true);
      const next = await write(replica, KEY, { content: content(`v${round}`) });
      t.same(valuesOf(mergeObjects(next, last)), [`v${round}`]);
      t.equal(next.siblings.length, 1);
      t.equal(next.context.size, 1, 'contexts do not grow');
      last = next;
    }
    await readTruth(store, propertiesOf);
  },
);

t.test('a tombstone that a peer still has is taken back, to be reaped again', async (t) => {
  const { replica } = await open();
  const place = placementOf(KEY);
  const live = await write(replica, KEY, { content: content('v') });
  const dead = await write(replica, KEY, { content: TOMBSTONE, context: live.context });
  await replica.reap(KEY, place, causalHash(dead));
  await replica.merge(KEY, place, record(dead), undefined);
  t.same(await replica.getRecord(KEY, place.partition, false), record(dead));
  t.equal(await replica.reap(KEY, place, causalHash(dead)), true);
});

t.test('the tombstones of a partition are found', async (t) => {
  const { replica } = await open();
  const keys = Array.from({ length: 100 }, (_, index) => objectKey(`key ${index}`));
  for (const [index, key] of keys.entries()) {
    const live = await write(replica, key, { content: content('v') });
    if (index % 2 === 0) continue;
    await write(replica, key, { content: TOMBSTONE, context: live.context });
  }
  const partition = partitionFor(KEY);
  const found: string[] = [];
  for await (const batch of replica.tombstones(partition))
    found.push(...batch.map(({ key }) => key));
  const expected = keys.filter((key, index) => index % 2 === 1 && partitionFor(key) === partition);
  t.same(found, expected.map(({ key }) => key).sort());
  t.ok(found.length > 0);
});

t.test('a hint without a copy is settled as such, unless a copy has come', async (t) => {
  const { replica } = await open();
  const hint = { target: NODE_B, partition: partitionFor(KEY), key: KEY };
  await replica.addHint(hint);
  await replica.merge(KEY, placementOf(KEY), record(await foreignObject('theirs')), undefined);
  await replica.settleHint(hint, undefined, true);
  t.equal(replica.hintCounts().get(NODE_B), 1);
  const other = { ...hint, key: objectKey('without a copy') };
  await replica.addHint({ ...other, partition: partitionFor(other.key) });
  t.equal(replica.hintCounts().get(NODE_B), 2);
  await replica.settleHint({ ...other, partition: partitionFor(other.key) }, undefined, true);
  t.equal(replica.hintCounts().get(NODE_B), 1);
});

t.test('a tombstone beside a live sibling is not reaped', async (t) => {
  const { replica } = await open();
  await write(replica, KEY, { content: content('v') });
  const both = await write(replica, KEY, { content: TOMBSTONE });
  t.equal(both.siblings.length, 2);
  t.equal(await replica.reap(KEY, placementOf(KEY), causalHash(both)), false);
});

for (const [what, fromEnd] of [
  ['value', 1],
  ['head', 60],
] as const) {
  t.test(`a copy with a damaged ${what} is absent until a merge brings it back`, async (t) => {
    const { host, replica, store } = await open();
    const partition = partitionFor(KEY);
    const object = await write(replica, KEY, { content: content('v') });
    await damage(store, KEY, fromEnd);
    t.equal(await replica.get(KEY, partition), undefined);
    t.equal(await replica.getRecord(KEY, partition, false), undefined);
    t.equal(host.counters.get('replica.corrupt'), 2);
    t.ok(host.logged.includes('replica.corrupt'));
    await replica.merge(KEY, placementOf(KEY), record(object), undefined);
    t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
    if (what === 'value') await readTruth(store, propertiesOf);
  });
}

t.test('an entry that the store cannot read is absent, and is overwritten', async (t) => {
  const { replica, store } = await open();
  const partition = partitionFor(KEY);
  const object = await write(replica, KEY, { content: content('v') });
  store.corruptKey = encodeObjectKey(partition, KEY);
  t.equal(await replica.get(KEY, partition), undefined);
  await replica.merge(KEY, placementOf(KEY), record(object), undefined);
  store.corruptKey = undefined;
  t.same(valuesOf(await replica.get(KEY, partition)), ['v']);
});

t.test('past its bounds the replica refuses changes at once', async (t) => {
  const { host, replica } = await open({ changesMax: 2 });
  const theirs = record(await foreignObject('theirs'));
  const merges = ['1', '2', '3'].map((name) => {
    const key = objectKey(name);
    return replica.merge(key, placementOf(key), theirs, undefined);
  });
  const settled = await Promise.allSettled(merges);
  t.same(
    settled.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  t.match((settled[2] as PromiseRejectedResult).reason, { code: 'overload' });
  t.equal(host.counters.get('replica.overload'), 1);
});

t.test('one change is taken however large it is', async (t) => {
  const { replica } = await open({ bytesMax: 10 });
  t.same(valuesOf(await write(replica, KEY, { content: content('large') })), ['large']);
});

t.test('a failed write fails all that built on it', async (t) => {
  const { replica, store } = await open();
  await write(replica, KEY, { content: content('v') });
  store.fenceAfter(0);
  const outcome = await replica.coordinate(KEY, placementOf(KEY), {
    context: EMPTY_VERSION_VECTOR,
    content: content('lost'),
  });
  t.equal(outcome.kind, 'issued');
  if (outcome.kind === 'issued') await t.rejects(outcome.durable, { code: 'store-fenced' });
  const theirs = record(await foreignObject('theirs'));
  await t.rejects(replica.merge(KEY, placementOf(KEY), theirs, undefined), {
    code: 'store-fenced',
  });
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['v']);
});

t.test('a closed replica waits for what is under way and takes no more', async (t) => {
  const { replica, store } = await open();
  const theirs = record(await foreignObject('theirs'));
  const merge = replica.merge(KEY, placementOf(KEY), theirs, undefined);
  await replica.close();
  t.ok(await store.memory.get(encodeObjectKey(partitionFor(KEY), KEY)));
  await merge;
  await t.rejects(replica.merge(KEY, placementOf(KEY), theirs, undefined), { code: 'closed' });
  await replica.close();
});

t.test('heads of a few segments are those of their keys, and no others', async (t) => {
  const { replica } = await open();
  const keys = Array.from({ length: 300 }, (_, index) => objectKey(`key ${index}`));
  await Promise.all(keys.map((key) => write(replica, key, { content: content('v') })));
  const partition = partitionFor(KEY);
  const inPartition = keys.filter((key) => partitionFor(key) === partition);
  const wanted = inPartition.slice(0, 5).map(segmentOf);
  const found: string[] = [];
  for await (const batch of replica.heads(partition, 3, wanted)) {
    for (const { key, head } of batch) {
      t.equal(decodeHead(head)?.siblings.length, 1);
      t.equal(decodeRecord(head), undefined, 'no value comes with it');
      found.push(key.key);
    }
  }
  const expected = inPartition.filter((key) => wanted.includes(segmentOf(key)));
  t.same(found, expected.map(({ key }) => key).sort());
  for await (const batch of replica.heads(partition, 2, wanted)) t.same(batch, []);
});

t.test('a recount corrects the segments that are wrong, while writes go on', async (t) => {
  const { replica, store } = await open();
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
