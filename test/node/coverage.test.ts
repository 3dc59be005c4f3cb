/**
 * Listings and index queries over the whole cluster.
 */

import t from 'tap';
import { utf8ToByteString, type ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId, type Partition } from '../../src/base/names.ts';
import { stageLeave } from '../../src/membership/staging.ts';
import { failedStream } from '../../src/node/routing-peer.ts';
import type { IndexScan } from '../../src/peer/messages.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller } from './told.ts';

const BUCKET = utf8ToByteString('b');
const OPTIONS = { timeoutMs: 5_000 };
const AGES = ['-10', '-9', '0', '7', '10', '100', '12345678901234567890'];

async function all<T>(
  cluster: TestCluster,
  query: AsyncIterableIterator<readonly T[]>,
): Promise<T[]> {
  const items: T[] = [];
  for (;;) {
    const batch = await cluster.settle(query.next());
    if (batch.done === true) return items;
    items.push(...batch.value);
  }
}

/** Stores keys k-0000 … with an age each, at all replicas. */
async function filled(
  count: number,
  nodeCount = 5,
  notInCoverage: readonly number[] = [],
  nameEnd = '',
): Promise<{ teller: Teller; keys: string[] }> {
  const teller = new Teller(await TestCluster.start({ nodeCount, notInCoverage }));
  const { cluster } = teller;
  const keys = Array.from({ length: count }, (_, index) => {
    return `k-${String(index).padStart(4, '0')}${nameEnd}`;
  });
  const writes = keys.map((name, index) => {
    const id = cluster.ids[index % nodeCount] as NodeId;
    const age = AGES[index % AGES.length] as string;
    return cluster.node(id).put({
      key: { type: DEFAULT_BUCKET_TYPE, bucket: BUCKET, key: utf8ToByteString(name) },
      content: {
        metadata: {
          indexes: [{ field: utf8ToByteString('age_int'), term: utf8ToByteString(age) }],
        },
        value: Buffer.from(name),
        isTombstone: false,
      },
      returning: 'nothing',
      w: 3,
    });
  });
  await cluster.settle(Promise.all(writes));
  return { teller, keys };
}

function ages(more: Partial<IndexScan> = {}): IndexScan {
  return {
    type: DEFAULT_BUCKET_TYPE,
    bucket: BUCKET,
    field: utf8ToByteString('age_int'),
    from: utf8ToByteString('-10'),
    to: utf8ToByteString('12345678901234567890'),
    after: undefined,
    limit: undefined,
    ...more,
  };
}

t.test('a time-out is kept for what the asked node holds itself', async (t) => {
  const { teller, keys } = await filled(20, 3);
  const { cluster } = teller;
  const list = (timeoutMs: number) =>
    all(cluster, cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, { timeoutMs }));
  t.same(await list(5_000), keys);
  await t.rejects(list(0), { code: 'timeout' });
  await t.rejects(list(1), { code: 'timeout' }, 'which nothing can be in time for');
});

t.test('every key is listed once, in order, from any node', async (t) => {
  const { teller, keys } = await filled(300);
  const { cluster } = teller;
  for (const id of [N1, N2]) {
    const query = cluster.node(id).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
    t.same(await all(cluster, query), keys);
  }
});

t.test('a bucket that lies on all nodes is listed once', async (t) => {
  const { teller } = await filled(50);
  const { cluster } = teller;
  for (const bucket of ['a', 'z']) {
    const key = { type: DEFAULT_BUCKET_TYPE, bucket: utf8ToByteString(bucket), key: BUCKET };
    await teller.put(N1, key, { text: 'x', w: 3 });
  }
  const query = cluster.node(N3).listBuckets(DEFAULT_BUCKET_TYPE, OPTIONS);
  t.same(await all(cluster, query), ['a', 'b', 'z']);
});

t.test('index entries come by term, integers by value, and then by key', async (t) => {
  const { teller, keys } = await filled(100);
  const { cluster } = teller;
  const expected = AGES.flatMap((age, at) => {
    return keys.filter((_, index) => index % AGES.length === at).map((key) => [age, key]);
  });
  t.same(await all(cluster, cluster.node(N1).index(ages(), OPTIONS)), expected);
  const page = await all(cluster, cluster.node(N2).index(ages({ limit: 33 }), OPTIONS));
  t.same(page, expected.slice(0, 33));
  const [term, key] = page.at(-1) as readonly [ByteString, ByteString];
  const rest = ages({ after: { term, key } });
  t.same(await all(cluster, cluster.node(N3).index(rest, OPTIONS)), expected.slice(33));
});

t.test('nothing is missed while a node is down', async (t) => {
  const { teller, keys } = await filled(200);
  const { cluster } = teller;
  cluster.crash(N2);
  const unnoticed = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  t.same(await all(cluster, unnoticed), keys);
  await cluster.untilUp(...cluster.ids.filter((id) => id !== N2));
  const query = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  t.same(await all(cluster, query), keys);
});

t.test('a bucket of fewer replicas does not keep the others from being listed', async (t) => {
  const { teller } = await filled(10);
  const { cluster } = teller;
  const node = cluster.node(N1);
  const lone = utf8ToByteString('lone');
  await cluster.settle(node.setBucketProperties(DEFAULT_BUCKET_TYPE, lone, { n_val: 1 }));
  for (let index = 0; index < 30; index += 1) {
    const key = utf8ToByteString(`${index}`);
    await teller.put(N1, { type: DEFAULT_BUCKET_TYPE, bucket: lone, key }, { text: 'x', w: 1 });
  }
  cluster.crash(N2);
  const unnoticed = node.listBuckets(DEFAULT_BUCKET_TYPE, OPTIONS);
  t.same(await all(cluster, unnoticed), [BUCKET, lone]);
  await cluster.untilUp(...cluster.ids.filter((id) => id !== N2));
  t.same(await all(cluster, node.listBuckets(DEFAULT_BUCKET_TYPE, OPTIONS)), [BUCKET, lone]);
  const query = node.listKeys(DEFAULT_BUCKET_TYPE, lone, OPTIONS);
  await t.rejects(all(cluster, query), { code: 'peer-unreachable' });
});

t.test('a node that dies on the way is replaced, and nothing comes twice', async (t) => {
  const { teller, keys } = await filled(1_500);
  const { cluster } = teller;
  const query = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  const first = await cluster.settle(query.next());
  t.notOk(first.done);
  t.ok((first.value ?? []).length < keys.length);
  const asked = cluster.streamed.filter(({ source }) => source === N1).map(({ target }) => target);
  cluster.crash(asked[0] as NodeId);
  const rest = await all(cluster, query);
  t.same([...(first.value ?? []), ...rest], keys);
  t.equal(cluster.counted(N1, 'coverage_restarts_total'), 1);
});

t.test(
  'a node that gives its copies away on the way is replaced, and nothing is missed',
  async (t) => {
    // Of long names few are read ahead.
    const { teller, keys } = await filled(600, 5, [], 'x'.repeat(16 * 1024));
    const { cluster } = teller;
    const query = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
    const first = await cluster.settle(query.next());
    const leaver = cluster.streamed.find(({ source }) => source === N1)?.target as NodeId;
    const { clusterChanges } = cluster.node(N1).cluster();
    const stage = clusterChanges.stage((state) => stageLeave(state, leaver));
    t.same(await cluster.settle(stage), { kind: 'changed' });
    t.same(await cluster.settle(clusterChanges.commit(undefined), 60_000), { kind: 'changed' });
    await cluster.time.until(() => cluster.counted(leaver, 'transfer_dropped') > 300);
    const rest = await all(cluster, query);
    const listed = new Set([...(first.value ?? []), ...rest]);
    t.same(
      keys.filter((key) => !listed.has(utf8ToByteString(key))).map((key) => key.slice(0, 6)),
      [],
    );
    t.equal(listed.size, (first.value ?? []).length + rest.length, 'each comes once');
  },
);

t.test('where an n_val is lowered on the way nothing is missed', async (t) => {
  const { teller, keys } = await filled(600, 5, [], 'x'.repeat(16 * 1024));
  const { cluster } = teller;
  const node = cluster.node(N1);
  const query = node.listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  const first = await cluster.settle(query.next());
  const lower = node.setBucketProperties(DEFAULT_BUCKET_TYPE, BUCKET, { n_val: 1 });
  t.same(await cluster.settle(lower), { kind: 'changed' });
  const dropped = (): number => {
    return cluster.ids.reduce((sum, id) => sum + cluster.counted(id, 'transfer_dropped'), 0);
  };
  await cluster.time.until(() => dropped() >= 2 * keys.length);
  const rest = await all(cluster, query);
  const listed = new Set([...(first.value ?? []), ...rest]);
  t.same(
    keys.filter((key) => !listed.has(utf8ToByteString(key))).map((key) => key.slice(0, 6)),
    [],
  );
  t.equal(listed.size, (first.value ?? []).length + rest.length, 'each comes once');
});

t.test('who asks a node for more than it holds is refused, not told too little', async (t) => {
  const { teller } = await filled(10);
  const { cluster } = teller;
  const partitions = Array.from({ length: 8 }, (_, partition) => partition as Partition);
  const share = { partitions };
  for (const source of [N1, N2]) {
    for (const request of [
      { verb: 'list-keys', share, type: DEFAULT_BUCKET_TYPE, bucket: BUCKET },
      { verb: 'list-buckets', share, type: DEFAULT_BUCKET_TYPE },
    ] as const) {
      const items = cluster.node(N2).handleStream(source, request);
      await t.rejects(cluster.settle(items.next()), { code: 'peer-refused' });
    }
  }
});

t.test('a node that takes no part in coverage is asked by none, itself included', async (t) => {
  const { teller, keys } = await filled(100, 5, [2]);
  const { cluster } = teller;
  for (const id of cluster.ids) {
    const query = cluster.node(id).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
    t.same(await all(cluster, query), keys);
  }
  t.ok(cluster.streamed.length > 0);
  t.notOk(cluster.streamed.some(({ target }) => target === N2));
});

t.test('partitions without a replica in coverage end the query with a fault', async (t) => {
  const { teller } = await filled(10, 3, [1, 2, 3]);
  const { cluster } = teller;
  const query = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  await t.rejects(all(cluster, query), { code: 'peer-unreachable' });
});

t.test('partitions without a live replica end the query with a fault', async (t) => {
  const { teller } = await filled(10);
  const { cluster } = teller;
  const lost = cluster.ids.slice(1, 4);
  for (const id of lost) cluster.crash(id);
  await cluster.untilUp(...cluster.ids.filter((id) => !lost.includes(id)));
  const query = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
  await t.rejects(all(cluster, query), { code: 'peer-unreachable' });
});

t.test(
  'a query that nodes have no room for ends with an overload, not as if they were away',
  async (t) => {
    const { cluster } = (await filled(0)).teller;
    for (const id of cluster.ids.filter((each) => each !== N1)) {
      const fault = new Fault('overload', 'too many streams');
      cluster.node(id).handleStream = () => failedStream(fault);
    }
    const listing = cluster.node(N1).listKeys(DEFAULT_BUCKET_TYPE, BUCKET, OPTIONS);
    await t.rejects(all(cluster, listing), { code: 'overload' });
  },
);

t.test('queries past the limit wait, and past that are refused until one has ended', async (t) => {
  const limits = { coverageMax: 1, coverageWaitingMax: 1 };
  const cluster = await TestCluster.start({ nodeCount: 3, limits });
  const list = (): AsyncIterableIterator<readonly ByteString[]> => {
    return cluster.node(N1).listBuckets(DEFAULT_BUCKET_TYPE, OPTIONS);
  };
  const first = list();
  const second = all(cluster, list());
  t.throws(list, { code: 'overload' });
  await first.return?.();
  t.same(await second, []);
  t.same(await all(cluster, list()), []);
  t.same(await all(cluster, list()), []);
});
