/**
 * Bucket types and properties: agreed by the cluster and known everywhere before the call returns.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type ObjectKey } from '../../src/base/names.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, told } from './told.ts';

const BUCKET = utf8ToByteString('b');
const MAPS = utf8ToByteString('maps');
const KEY: ObjectKey = { type: MAPS, bucket: BUCKET, key: utf8ToByteString('k') };

t.test('a type made on one node is known on all when the call returns', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  t.same(await cluster.settle(cluster.node(N2).createBucketType(MAPS, { n_val: 2 })), {
    kind: 'changed',
  });
  for (const id of cluster.ids) {
    const node = cluster.node(id);
    t.equal(node.bucketTypeProperties(MAPS), undefined, 'not active yet');
    t.same(
      node.bucketTypes().map(({ name, isActive }) => [name, isActive]),
      [
        ['default', true],
        ['maps', false],
      ],
    );
  }
  await cluster.settle(cluster.node(N3).activateBucketType(MAPS));
  for (const id of cluster.ids) {
    t.equal(cluster.node(id).bucketTypeProperties(MAPS)?.n_val, 2);
    t.equal(cluster.node(id).state().epoch, 3);
  }
});

t.test('refusals come back as they are', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const node = cluster.node(N1);
  t.match(
    await cluster.settle(node.setBucketProperties(DEFAULT_BUCKET_TYPE, BUCKET, { n_val: 0 })),
    {
      kind: 'refused',
      refusals: [{ property: 'n_val' }],
    },
  );
  t.same(await cluster.settle(node.setBucketProperties(MAPS, BUCKET, {})), {
    kind: 'unknown-bucket-type',
  });
  t.same(await cluster.settle(node.setBucketTypeProperties(DEFAULT_BUCKET_TYPE, { n_val: 2 })), {
    kind: 'no-default-update',
  });
  t.equal(node.state().epoch, 1);
});

t.test('properties of a bucket are set, act at once, and are reset', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const set = { allow_mult: true };
  await cluster.settle(cluster.node(N1).setBucketProperties(DEFAULT_BUCKET_TYPE, BUCKET, set));
  const key = cluster.keyWhere(() => true);
  await teller.put(N2, key, { text: 'a' });
  await teller.put(N3, key, { text: 'b' });
  t.same(told(await teller.get(N1, key)), ['a', 'b']);
  await cluster.settle(cluster.node(N2).resetBucketProperties(DEFAULT_BUCKET_TYPE, BUCKET));
  t.equal(cluster.node(N3).bucketProperties(DEFAULT_BUCKET_TYPE, BUCKET)?.allow_mult, false);
  t.same(told(await teller.get(N1, key)), ['b']);
});

t.test('changes made on several nodes at once all take effect', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const outcomes = await cluster.settle(
    Promise.all(
      cluster.ids.map((id, index) => {
        const bucket = utf8ToByteString(`bucket-${index}`);
        return cluster.node(id).setBucketProperties(DEFAULT_BUCKET_TYPE, bucket, { n_val: 2 });
      }),
    ),
  );
  t.same(
    outcomes.map(({ kind }) => kind),
    ['changed', 'changed', 'changed'],
  );
  for (const id of cluster.ids) t.equal(cluster.node(id).state().bucketProperties.size, 3);
});

t.test('a minority changes nothing, and learns what the majority did', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  cluster.isolate(N3);
  t.same(await cluster.settle(cluster.node(N3).createBucketType(MAPS, {})), { kind: 'timeout' });
  await teller.makeType('maps', {});
  t.same(await teller.get(N3, KEY), { kind: 'unknown-bucket-type', type: 'maps' });
  cluster.heal();
  await cluster.time.until(() => cluster.node(N3).bucketTypeProperties(MAPS) !== undefined);
  t.same(cluster.node(N3).state(), cluster.node(N1).state());
});

t.test(
  'a replica asked about a type it has not heard of learns it, and never guesses',
  async (t) => {
    // Heartbeats so slow that only the request itself can bring the news.
    const timings = { heartbeatMs: 3_600_000 };
    const teller = new Teller(await TestCluster.start({ nodeCount: 3, timings }));
    const { cluster } = teller;
    for (const id of [N1, N2]) cluster.link(id, N3, { kind: 'silent' });
    const node = cluster.node(N1);
    await cluster.settle(node.createBucketType(MAPS, { n_val: 3 }));
    await cluster.settle(node.activateBucketType(MAPS));
    t.equal(cluster.node(N3).state().epoch, 1);
    cluster.heal();
    t.same(await teller.put(N1, KEY, { text: 'a', w: 3, pw: 3 }), {
      kind: 'stored',
      object: undefined,
    });
    t.equal(cluster.node(N3).state().epoch, 3);
    t.same(await teller.copyAt(N3, KEY), ['a']);
  },
);

t.test('what was agreed outlives a restart of every node', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  await teller.makeType('maps', { allow_mult: false });
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of cluster.ids) await cluster.restart(id);
  t.equal(cluster.node(N2).bucketTypeProperties(MAPS)?.allow_mult, false);
});
