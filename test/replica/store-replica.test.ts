/** The replica, step by step: what each change leaves behind, and what a reader gets. */

import t from 'tap';
import type { Partition } from '../../src/base/names.ts';
import { EMPTY_VERSION_VECTOR } from '../../src/clock/version-vector.ts';
import type { BucketProperties } from '../../src/object/bucket-properties.ts';
import { causalHash } from '../../src/object/causality.ts';
import { mergeObjects } from '../../src/object/reconcile.ts';
import { decodeHead, decodeRecord } from '../../src/object/record.ts';
import type { StoreReplica } from '../../src/replica/store-replica.ts';
import { segmentOf } from '../../src/storage/hash-tree.ts';
import { bucketIndexRange, decodeIndexKey, encodeObjectKey } from '../../src/storage/keys.ts';
import {
  content,
  DOTTED,
  foreignObject,
  KEY,
  NODE_B,
  NODE_C,
  objectKey,
  openReplica,
  openWorld,
  partitionFor,
  placementOf,
  propertiesOf,
  record,
  SINGLE,
  text,
  TOMBSTONE,
  valuesOf,
  write,
} from './replica-world.ts';
import { readTruth } from './store-truth.ts';
import { settle } from './virtual-host.ts';

t.test('a write is read back, whole and as its head', async (t) => {
  const { replica, store } = await openWorld();
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
    const { replica } = await openWorld();
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
    const { replica } = await openWorld();
    const key = objectKey('k', 'single');
    await write(replica, key, { content: content('v1') });
    t.same(valuesOf(await write(replica, key, { content: content('v2') })), ['v2']);
  },
);

t.test('a merge keeps what both have that neither supersedes', async (t) => {
  const { replica, store } = await openWorld();
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

t.test('what a sibling that was not shown is filed under is there once it is shown', async (t) => {
  const { replica, store } = await openWorld();
  const take = async (value: string, properties: BucketProperties): Promise<string[]> => {
    const entry = { field: text('name_bin'), term: text(value) };
    const placement = { partition: partitionFor(KEY), properties };
    await replica.merge(KEY, placement, record(await foreignObject(value, [entry])), undefined);
    const terms: string[] = [];
    for await (const batch of store.scan(bucketIndexRange(KEY))) {
      for (const { key } of batch) terms.push(decodeIndexKey(key).entry.term);
    }
    return terms;
  };
  await take('a', SINGLE);
  t.equal((await take('bb', SINGLE)).length, 1, 'one value, one term');
  t.same(await take('ccc', DOTTED), ['a', 'bb', 'ccc']);
  await readTruth(store, propertiesOf);
});

t.test('changes that come while a write is under way share the next one', async (t) => {
  const { replica, store } = await openWorld();
  const others = await Promise.all(['a', 'bb', 'ccc', 'dddd'].map((value) => foreignObject(value)));
  const before = store.writeCount;
  await Promise.all(
    others.map((other) => replica.merge(KEY, placementOf(KEY), record(other), undefined)),
  );
  t.ok(store.writeCount - before <= 2, 'four merges, at most two writes');
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['a', 'bb', 'ccc', 'dddd']);
  await readTruth(store, propertiesOf);
});

t.test('a merge that adds nothing is answered when what it found is durable', async (t) => {
  const { replica, store } = await openWorld();
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

t.test('whoever waits for a key finds what came before', async (t) => {
  const { replica, store } = await openWorld();
  t.equal(replica.settled(KEY), undefined, 'nothing is under way');
  let openGate = (): void => {};
  store.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const theirs = record(await foreignObject('theirs'));
  const merged = replica.merge(KEY, placementOf(KEY), theirs, undefined);
  t.equal(replica.settled(objectKey('other')), undefined, 'other keys are not waited for');
  let isSettled = false;
  const settled = replica.settled(KEY)?.then(() => (isSettled = true));
  await settle();
  t.notOk(isSettled, 'it is on its way to the disk');
  openGate();
  await settled;
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['theirs']);
  await merged;
  t.equal(replica.settled(KEY), undefined);
});

t.test('whoever waits for a write that fails goes on', async (t) => {
  const { replica, store } = await openWorld();
  store.fenceAfter(0);
  const theirs = record(await foreignObject('theirs'));
  const merged = replica.merge(KEY, placementOf(KEY), theirs, undefined);
  await replica.settled(KEY);
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), []);
  await t.rejects(merged, { code: 'store-fenced' });
});

for (const stop of ['no stop', 'a clean stop'] as const) {
  t.test(
    `a copy that a peer brought back does not continue its chain, after ${stop}`,
    async (t) => {
      const { host, replica, identity, store } = await openWorld();
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

t.test('a record that is not sound is refused as malformed', async (t) => {
  const { replica, store } = await openWorld();
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
  const { replica, store } = await openWorld({ objectSizeMaxBytes: 2000, siblingsMax: 2 });
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
  const { replica } = await openWorld({ siblingsMax: 1 });
  const others = await Promise.all(['a', 'bb', 'ccc'].map((value) => foreignObject(value)));
  for (const other of others) {
    await replica.merge(KEY, placementOf(KEY), record(other), undefined);
  }
  t.same(valuesOf(await replica.get(KEY, partitionFor(KEY))), ['a', 'bb', 'ccc']);
  const seenTwo = new Map([...(others[0]?.context ?? []), ...(others[1]?.context ?? [])]);
  const after = await write(replica, KEY, { content: content('d'), context: seenTwo });
  t.same(valuesOf(after), ['ccc', 'd']);
});

t.test('index entries follow the object and go with its tombstone', async (t) => {
  const { replica, store } = await openWorld();
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
  const { replica, store } = await openWorld();
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
  const { host, replica, store } = await openWorld();
  await replica.addHint({ target: NODE_B, partition: partitionFor(KEY), key: KEY });
  const again = await openReplica(host, store.crash());
  t.same([...again.replica.hintCounts()], [[NODE_B, 1]]);
});

t.test('a settled hint goes, and the copy with it once it is owed to nobody', async (t) => {
  const { replica, store } = await openWorld();
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

t.test('a copy stays that has just become owed to somebody who was owed nothing', async (t) => {
  const { replica } = await openWorld();
  const object = await write(replica, KEY, { content: content('v') });
  const place = { partition: partitionFor(KEY), key: KEY };
  await replica.addHint({ ...place, target: NODE_B });
  const owed = replica.addHint({ ...place, target: NODE_C });
  await replica.settleHint({ ...place, target: NODE_B }, record(object), true);
  await owed;
  t.same([...replica.hintCounts()], [[NODE_C, 1]]);
  t.same(valuesOf(await replica.get(KEY, place.partition)), ['v']);
});

t.test('a hint stays if the copy has changed since the target confirmed it', async (t) => {
  const { replica, store } = await openWorld();
  const hint = { target: NODE_B, partition: partitionFor(KEY), key: KEY };
  const theirs = record(await foreignObject('theirs'));
  await replica.merge(KEY, placementOf(KEY), theirs, NODE_B);
  await write(replica, KEY, { content: content('newer') });
  await replica.settleHint(hint, theirs, true);
  t.equal(replica.hintCounts().get(NODE_B), 1);
  t.same(valuesOf(await replica.get(KEY, hint.partition)), ['newer', 'theirs']);
  await readTruth(store, propertiesOf);
});

t.test('a hint without a copy is settled as such, unless a copy has come', async (t) => {
  const { replica } = await openWorld();
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

t.test('past its bounds the replica refuses changes at once', async (t) => {
  const { host, replica } = await openWorld({ changesMax: 2 });
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
  t.equal(host.counters.get('replica_overload'), 1);
});

t.test('one change is taken however large it is', async (t) => {
  const { replica } = await openWorld({ bytesMax: 10 });
  t.same(valuesOf(await write(replica, KEY, { content: content('large') })), ['large']);
});

t.test('a failed write fails all that built on it', async (t) => {
  const { replica, store } = await openWorld();
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

/** Starts a client's write; resolves when its dot is issued. */
async function issue(replica: StoreReplica, value: string) {
  const outcome = await replica.coordinate(KEY, placementOf(KEY), {
    context: EMPTY_VERSION_VECTOR,
    content: content(value),
  });
  if (outcome.kind !== 'issued') throw new Error(outcome.kind);
  return outcome;
}

t.test('a write for which there is no room when its turn comes issues nothing', async (t) => {
  const { replica, store } = await openWorld();
  await write(replica, KEY, { content: content('v') });
  // Its copy is read first; there is room when it is let in.
  replica.doubt(KEY);
  const refused = issue(replica, 'refused');
  store.isFull = true;
  await t.rejects(refused, { code: 'overload' });
  store.isFull = false;
  const next = await write(replica, KEY, { content: content('next') });
  t.equal(next.context.size, 1, 'the chain goes on');
});

t.test(
  'a write that is issued and not stored costs its own key a chain, and no other',
  async (t) => {
    const { replica, store } = await openWorld();
    const other = objectKey('another');
    await write(replica, KEY, { content: content('v') });
    await write(replica, other, { content: content('v') });
    let open = (): void => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const [stored, lost] = [await issue(replica, 'stored'), await issue(replica, 'lost')];
    store.isFull = true;
    open();
    await stored.durable;
    await t.rejects(lost.durable, { code: 'overload' });
    store.isFull = false;
    const next = await write(replica, KEY, { content: content('next') });
    t.same(
      valuesOf(mergeObjects(lost.object, next)),
      ['lost', 'next', 'stored', 'v'],
      'no dot twice',
    );
    const beside = await write(replica, other, { content: content('w') });
    t.equal(beside.context.size, 1, 'contexts grow with each actor, and are never pruned');
  },
);

t.test('a closed replica waits for what is under way and takes no more', async (t) => {
  const { replica, store } = await openWorld();
  const theirs = record(await foreignObject('theirs'));
  const merge = replica.merge(KEY, placementOf(KEY), theirs, undefined);
  await replica.close();
  t.ok(await store.memory.get(encodeObjectKey(partitionFor(KEY), KEY)));
  await merge;
  await t.rejects(replica.merge(KEY, placementOf(KEY), theirs, undefined), { code: 'closed' });
  await replica.close();
});

t.test('heads of a few segments are those of their keys, and no others', async (t) => {
  const { replica } = await openWorld();
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

t.test('a key that moves to another partition waits for the changes of the first', async (t) => {
  const { replica } = await openWorld();
  const theirs = record(await foreignObject('theirs'));
  const elsewhere = { ...placementOf(KEY), partition: ((partitionFor(KEY) + 1) % 8) as Partition };
  const first = replica.merge(KEY, placementOf(KEY), theirs, undefined);
  await t.rejects(replica.merge(KEY, elsewhere, theirs, undefined), { code: 'overload' });
  await first;
  await replica.merge(KEY, elsewhere, theirs, undefined);
  t.same(valuesOf(await replica.get(KEY, elsewhere.partition)), ['theirs']);
});
