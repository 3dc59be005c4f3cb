/**
 * Deletes: a tombstone covers what it has seen, and nothing else.
 */

import t from 'tap';
import { TestCluster } from './cluster-harness.ts';
import { contextOf, N1, N2, N3, Teller, told } from './told.ts';

async function siblingsCluster(): Promise<Teller> {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  await teller.makeType('siblings', {});
  return teller;
}

t.test('what was deleted is not found, and its context says so', async (t) => {
  const teller = await siblingsCluster();
  const key = teller.cluster.keyWhere(() => true, { type: 'siblings' });
  await teller.put(N1, key, { text: 'a' });
  await teller.put(N2, key, { text: 'b' });
  t.same(await teller.delete(N3, key), { kind: 'deleted' });
  const gone = await teller.get(N1, key);
  t.equal(told(gone), 'not-found');
  t.ok(contextOf(gone).size > 0);
  const back = await teller.put(N1, key, { text: 'c', context: contextOf(gone) });
  t.equal(back.kind, 'stored');
  t.same(told(await teller.get(N2, key)), ['c']);
});

t.test('deleting what is not there, or no longer, is not found', async (t) => {
  const teller = await siblingsCluster();
  const key = teller.cluster.keyWhere(() => true, { type: 'siblings' });
  t.same(await teller.delete(N1, key), { kind: 'not-found' });
  await teller.put(N1, key, { text: 'a' });
  t.same(await teller.delete(N1, key), { kind: 'deleted' });
  t.same(await teller.delete(N2, key), { kind: 'not-found' });
});

t.test('rw stands for w, and for r where neither r nor w is said', async (t) => {
  const teller = await siblingsCluster();
  const key = teller.cluster.keyWhere(() => true, { type: 'siblings' });
  const violation = { kind: 'n-val-violation', n: 3 };
  t.same(await teller.delete(N1, key, { rw: 4 }), violation);
  t.same(await teller.delete(N1, key, { rw: 4, w: 1 }), { kind: 'not-found' });
  t.same(await teller.delete(N1, key, { rw: 4, r: 1 }), { kind: 'not-found' });
  await teller.put(N1, key, { text: 'a' });
  t.same(await teller.delete(N1, key, { rw: 4, r: 1 }), violation);
  t.same(await teller.delete(N1, key, { rw: 4, w: 1 }), { kind: 'deleted' });
});

t.test('a delete with a context writes its tombstone without reading', async (t) => {
  const teller = await siblingsCluster();
  const other = teller.cluster.keyWhere(() => true, { type: 'siblings', bucket: 'other' });
  const context = contextOf(await teller.put(N1, other, { text: 'a', returning: 'head' }));
  const key = teller.cluster.keyWhere(() => true, { type: 'siblings' });
  t.same(await teller.delete(N1, key, { context }), { kind: 'deleted' });
  t.ok(contextOf(await teller.get(N2, key)).size > 0);
});

t.test('a value that the delete had not seen stays beside the tombstone', async (t) => {
  const teller = await siblingsCluster();
  const key = teller.cluster.keyWhere(() => true, { type: 'siblings' });
  const context = contextOf(await teller.put(N1, key, { text: 'a', returning: 'head' }));
  await teller.put(N2, key, { text: 'b', context });
  t.same(await teller.delete(N3, key, { context }), { kind: 'deleted' });
  t.same(told(await teller.get(N1, key)), ['b', '†']);
});

t.test(
  'a write over a tombstone without its context is beside it, and after it elsewhere',
  async (t) => {
    const teller = await siblingsCluster();
    for (const [type, shown] of [
      ['siblings', ['b', '†']],
      ['default', ['b']],
    ] as const) {
      const key = teller.cluster.keyWhere(() => true, { type });
      await teller.put(N1, key, { text: 'a' });
      await teller.delete(N1, key);
      await teller.put(N2, key, { text: 'b' });
      t.same(told(await teller.get(N3, key)), shown);
    }
  },
);

t.test('rw stands for r and w where neither is given', async (t) => {
  const teller = await siblingsCluster();
  const key = teller.cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a' });
  t.same(await teller.delete(N1, key, { rw: 4 }), { kind: 'n-val-violation', n: 3 });
  t.same(await teller.delete(N1, key, { r: 4 }), { kind: 'n-val-violation', n: 3 });
  t.same(await teller.delete(N1, key, { w: 4 }), { kind: 'n-val-violation', n: 3 });
  t.same(told(await teller.get(N1, key)), ['a']);
  t.same(await teller.delete(N1, key, { rw: 'all' }), { kind: 'deleted' });
});
