/**
 * A read asks as many replicas as it needs, and all of them as soon as anything is not as it should be.
 */

import t from 'tap';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { TestCluster, type ClusterOptions } from './cluster-harness.ts';
import { N1, N2, N3, Teller, told } from './told.ts';

/** No read asks everyone by chance. */
async function begin(options: Partial<ClusterOptions> = {}): Promise<Teller> {
  const limits = { fullReadInterval: 2 ** 32 };
  return new Teller(await TestCluster.start({ nodeCount: 3, limits, ...options }));
}

/** Who was asked for a copy of `key` while `run` ran. */
async function askedIn(teller: Teller, run: () => Promise<unknown>): Promise<NodeId[]> {
  const { cluster } = teller;
  const before = cluster.seen.length;
  await run();
  await cluster.time.advance(100);
  const gets = cluster.seen.slice(before).filter(({ request }) => request.verb === 'get');
  return gets.map(({ target }) => target).sort();
}

/** A key whose list begins with N2, so that a read at N1 asks N2 first. */
function keyAt(teller: Teller): ObjectKey {
  return teller.cluster.keyWhere(([first]) => first === N2);
}

t.test('where two replicas agree the third is not asked', async (t) => {
  const teller = await begin();
  const key = keyAt(teller);
  await teller.put(N1, key, { text: 'a', w: 3 });
  const asked = await askedIn(teller, async () => {
    t.same(told(await teller.get(N1, key)), ['a']);
  });
  t.same(asked, [N2]);
});

t.test('a share of the reads asks everyone', async (t) => {
  const teller = await begin({ limits: { fullReadInterval: 1 } });
  const key = keyAt(teller);
  await teller.put(N1, key, { text: 'a', w: 3 });
  t.same(await askedIn(teller, () => teller.get(N1, key)), [N2, N3]);
});

t.test('a replica that lacks the object makes the read ask all, and is repaired', async (t) => {
  const teller = await begin();
  const { cluster } = teller;
  const key = keyAt(teller);
  cluster.link(N1, N2, { kind: 'silent' });
  await teller.put(N1, key, { text: 'a', timeoutMs: 300 });
  cluster.heal();
  t.equal(await teller.copyAt(N2, key), undefined);
  const asked = await askedIn(teller, async () => {
    t.same(told(await teller.get(N1, key)), ['a']);
  });
  t.same(asked, [N2, N3]);
  t.same(await teller.copyAt(N2, key), ['a']);
});

t.test('no copy anywhere is said after a quorum, and everyone is asked all the same', async (t) => {
  const teller = await begin();
  const key = keyAt(teller);
  const asked = await askedIn(teller, async () => {
    t.equal(told(await teller.get(N1, key)), 'not-found');
  });
  t.same(asked, [N2, N3]);
});

t.test('a read of less than a majority finds what its replica is writing', async (t) => {
  const teller = await begin({ timings: { spareDelayMs: 1_000 } });
  const { cluster } = teller;
  const key = keyAt(teller);
  const release = cluster.holdWrites(N1);
  t.equal((await teller.put(N2, key, { text: 'a', w: 2 })).kind, 'stored');
  let found: unknown;
  const read = cluster.node(N1).get({ key, r: 1 });
  void read.then((outcome) => (found = told(outcome)));
  await cluster.time.advance(500);
  t.equal(found, undefined, 'its copy is not on the disk');
  t.same(told(await teller.get(N1, key, { r: 2 })), ['a'], 'a majority does not wait for it');
  release();
  await cluster.settle(read);
  t.same(found, ['a']);
});

t.test('a replica that fails is passed over at once', async (t) => {
  const teller = await begin();
  const { cluster } = teller;
  const key = keyAt(teller);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.link(N1, N2, { kind: 'cut' });
  const startMs = cluster.time.nowMs;
  t.same(told(await teller.get(N1, key)), ['a']);
  t.ok(cluster.time.nowMs - startMs < 20, 'without waiting for a time-out');
});

t.test('a replica that is silent is passed over after the delay for a spare read', async (t) => {
  const teller = await begin({ timings: { spareDelayMs: 30 } });
  const { cluster } = teller;
  const key = keyAt(teller);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.link(N1, N2, { kind: 'silent' });
  const startMs = cluster.time.nowMs;
  t.same(told(await teller.get(N1, key, { timeoutMs: 5_000 })), ['a']);
  const tookMs = cluster.time.nowMs - startMs;
  t.ok(tookMs >= 30 && tookMs < 60, `${tookMs} ms`);
  t.equal(cluster.counted(N1, 'widened_reads_total'), 1);
});

t.test(
  'a node that keeps reads waiting is asked last, until it answers in time again',
  async (t) => {
    const teller = await begin({ timings: { spareDelayMs: 30 } });
    const { cluster } = teller;
    const key = keyAt(teller);
    await teller.put(N1, key, { text: 'a', w: 3 });
    cluster.link(N1, N2, { kind: 'silent' });
    for (let count = 0; count < 3; count += 1) await teller.get(N1, key, { timeoutMs: 200 });
    t.equal(cluster.counted(N1, 'late_nodes'), 1);
    t.same(await askedIn(teller, () => teller.get(N1, key)), [N3]);
    cluster.heal();
    t.same(
      await askedIn(teller, () => teller.get(N1, key)),
      [N3],
      'nothing has been heard of it yet',
    );
    // As a read that asks everyone does.
    for (let count = 0; count < 3; count += 1) await teller.get(N1, key, { r: 3 });
    t.same(await askedIn(teller, () => teller.get(N1, key)), [N2]);
  },
);

t.test('a read that waits long counts each node as late once', async (t) => {
  const teller = await begin({ timings: { spareDelayMs: 30 } });
  const { cluster } = teller;
  const key = keyAt(teller);
  await teller.put(N1, key, { text: 'a', w: 3 });
  for (const id of [N2, N3]) cluster.link(N1, id, { kind: 'silent' });
  for (let count = 0; count < 2; count += 1) {
    t.equal(told(await teller.get(N1, key, { timeoutMs: 500 })), 'timeout');
  }
  t.equal(cluster.counted(N1, 'late_nodes'), 0, 'twice is not often');
});
