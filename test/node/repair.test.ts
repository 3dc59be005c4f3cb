/**
 * What a node missed while it was away reaches it without anyone asking.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE } from '../../src/base/names.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, told } from './told.ts';

const STORED = { kind: 'stored', object: undefined };

t.test('a write taken by a stand-in reaches its owner after it returns', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  const [first, lost] = (cluster.node(N1).preferenceList(key) ?? []).map(({ node }) => node) as [
    NodeId,
    NodeId,
  ];
  cluster.crash(lost);
  await cluster.untilUp(...cluster.ids.filter((id) => id !== lost));
  const standIn = (cluster.node(first).preferenceList(key) ?? []).find((each) => !each.isPrimary);
  t.same(await teller.put(first, key, { text: 'a', w: 3 }), STORED);
  t.same(await teller.copyAt(standIn?.node as NodeId, key), ['a']);
  await cluster.restart(lost);
  await cluster.untilUp(...cluster.ids);
  await cluster.time.advance(1_000);
  t.same(await teller.copyAt(lost, key), ['a']);
  t.same(await teller.copyAt(standIn?.node as NodeId, key), undefined, 'it owed it only');
});

t.test('a hint of the coordinator itself is handed off too', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.link(N1, N3, { kind: 'silent' });
  t.same(await teller.put(N1, key, { text: 'a', timeoutMs: 300 }), STORED);
  await cluster.time.until(() => cluster.counted(N1, 'hints_left_total') === 1);
  t.equal(await teller.copyAt(N3, key), undefined);
  cluster.heal();
  await cluster.time.until(() => cluster.counted(N1, 'handoff_objects') === 1);
  t.same(await teller.copyAt(N3, key), ['a']);
  t.same(told(await teller.get(N2, key)), ['a']);
});

t.test('what no hint remembers anti-entropy finds', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.link(N1, N3, { kind: 'silent' });
  t.same(await teller.put(N1, key, { text: 'a', timeoutMs: 300 }), STORED);
  // Gone before the write to N3 has run out of time, and with it the hint.
  cluster.crash(N1);
  cluster.heal();
  await cluster.restart(N1);
  t.equal(await teller.copyAt(N3, key), undefined);
  await cluster.time.advance(180_000);
  t.same(await teller.copyAt(N3, key), ['a']);
});

t.test('a lower n_val leaves no copies behind, and a higher one brings them back', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 4 }));
  const { cluster } = teller;
  const bucket = utf8ToByteString('shrinking');
  const keys = Array.from({ length: 12 }, (_, index) => {
    return { type: DEFAULT_BUCKET_TYPE, bucket, key: utf8ToByteString(`key ${index}`) };
  });
  for (const key of keys) t.same(await teller.put(N1, key, { text: 'a', w: 3 }), STORED);
  const holders = async (key: ObjectKey): Promise<readonly NodeId[]> => {
    const copies = await Promise.all(cluster.ids.map((id) => teller.copyAt(id, key)));
    return cluster.ids.filter((_, index) => copies[index]?.[0] === 'a');
  };
  const primaries = (key: ObjectKey): readonly NodeId[] =>
    (cluster.node(N1).preferenceList(key) ?? []).map(({ node }) => node).sort();
  for (const nVal of [2, 3, 1]) {
    const changes = { n_val: nVal };
    const type = DEFAULT_BUCKET_TYPE;
    await cluster.settle(cluster.node(N2).setBucketProperties(type, bucket, changes));
    // A node whose replicas are away keeps what it has.
    if (nVal === 2) {
      cluster.isolate(N1);
      await cluster.time.advance(60_000);
      for (const key of keys) t.ok((await holders(key)).length >= 2);
      cluster.heal();
    }
    await cluster.time.advance(180_000);
    for (const key of keys) {
      t.equal(primaries(key).length, nVal);
      t.same(await holders(key), primaries(key), `n_val ${nVal}`);
    }
  }
});

for (const isKilled of [false, true]) {
  const meanwhile = isKilled ? ' of nodes that were killed' : '';
  t.test(
    `an n_val that came and went between two looks${meanwhile} leaves no copies`,
    async (t) => {
      const teller = new Teller(await TestCluster.start({ nodeCount: 4 }));
      const { cluster } = teller;
      const bucket = utf8ToByteString('wavering');
      const key = { type: DEFAULT_BUCKET_TYPE, bucket, key: utf8ToByteString('key') };
      const setNVal = (nVal: number) => {
        const change = cluster.node(N2).setBucketProperties(key.type, bucket, { n_val: nVal });
        return cluster.settle(change);
      };
      await setNVal(3);
      await cluster.time.advance(10_000);
      await setNVal(4);
      t.same(await teller.put(N1, key, { text: 'a', w: 4 }), STORED);
      await setNVal(3);
      if (isKilled) {
        for (const id of cluster.ids) cluster.crash(id);
        for (const id of cluster.ids) await cluster.restart(id);
      }
      const copyCount = async (): Promise<number> => {
        const copies = await Promise.all(cluster.ids.map((id) => teller.copyAt(id, key)));
        return copies.filter((copy) => copy !== undefined).length;
      };
      for (let waitedMs = 0; waitedMs < 180_000 && (await copyCount()) > 3; waitedMs += 5_000) {
        await cluster.time.advance(5_000);
      }
      t.equal(await copyCount(), 3);
    },
  );
}

t.test('a deleted key is gone from every node after the delete delay', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  t.same(await teller.delete(N1, key), { kind: 'deleted' });
  const gone = await teller.get(N2, key);
  t.ok(gone.kind === 'not-found' && gone.tombstone !== undefined);
  await cluster.time.advance(4_000);
  t.same(await teller.get(N2, key), { kind: 'not-found', tombstone: undefined });
  for (const id of cluster.ids) t.equal(await teller.copyAt(id, key), undefined);
});

t.test('a tombstone stays while a node that may hold the old value is away', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  t.same(await teller.delete(N1, key), { kind: 'deleted' });
  await cluster.time.advance(10_000);
  t.same(await teller.copyAt(N1, key), ['†']);
  await cluster.restart(N3);
  await cluster.time.advance(200_000);
  for (const id of cluster.ids) t.equal(await teller.copyAt(id, key), undefined);
  t.equal(told(await teller.get(N3, key)), 'not-found');
});

t.test('a node that lost its disk is filled again without being asked', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const isFilled = (): boolean => cluster.node(N2).operations().transfers().isFilled;
  await cluster.time.until(isFilled);
  const key = cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  cluster.crash(N2);
  cluster.wipe(N2);
  await cluster.restart(N2);
  t.equal(isFilled(), false);
  await cluster.untilUp(...cluster.ids);
  await cluster.time.until(isFilled);
  t.same(await teller.copyAt(N2, key), ['a']);
});
