/** A node that had joined later lost its disk: by its configuration it is alone, by all others a member. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { DEFAULT_BUCKET_TYPE, type NodeId, type ObjectKey } from '../../src/base/names.ts';
import { findMember } from '../../src/membership/staging.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, Teller } from './told.ts';

const N4 = 'n4@host' as NodeId;
const AT_N1 = { host: N1, port: 9 };
const KEYS = 40;

async function listed(cluster: TestCluster, at: NodeId): Promise<number> {
  const names = new Set<string>();
  const list = async (): Promise<void> => {
    const bucket = utf8ToByteString('b');
    const options = { timeoutMs: 10_000 };
    for await (const keys of cluster.node(at).listKeys(DEFAULT_BUCKET_TYPE, bucket, options)) {
      for (const key of keys) names.add(key);
    }
  };
  await cluster.settle(list(), 60_000);
  return names.size;
}

async function holds(cluster: TestCluster, key: ObjectKey): Promise<boolean> {
  const request = { verb: 'get', key, headOnly: true } as const;
  const reply = await cluster.settle(cluster.node(N4).handle(N1, request, 1_000));
  return reply.kind === 'object' && reply.record !== undefined;
}

t.test('lists go round it until it is filled, though it was full when it was alone', async (t) => {
  const antiEntropy = { restMs: 24 * 3_600_000 };
  const cluster = await TestCluster.start({ nodeCount: 4, repair: { antiEntropy } });
  const node = await cluster.startAlone(N4);
  await cluster.settle(node.cluster().joining.join(AT_N1));
  await cluster.settle(cluster.node(N1).cluster().clusterChanges.commit(undefined), 60_000);
  await cluster.time.until(() => {
    const state = cluster.node(N1).state();
    return state.step === undefined && findMember(state, N4)?.status === 'valid';
  });
  const teller = new Teller(cluster);
  const key = cluster.keyWhere((nodes) => nodes.includes(N4));
  await teller.put(N1, key, { text: 'v' });
  for (let index = 0; index < KEYS; index += 1) {
    const own = { type: DEFAULT_BUCKET_TYPE, bucket: utf8ToByteString('b') };
    await teller.put(N1, { ...own, key: utf8ToByteString(`k${index}`) }, { text: 'v' });
  }
  t.equal(await listed(cluster, N4), KEYS + 1);
  cluster.crash(N4);
  cluster.wipe(N4);
  await cluster.restart(N4);
  await cluster.time.advance(10_000);
  const { joining } = cluster.node(N4).cluster();
  t.same(await cluster.settle(joining.join(AT_N1)), { kind: 'joined' });
  const all = [...cluster.ids, N4];
  await cluster.time.until(() => all.every((id) => cluster.node(id).liveMembers().length === 5));
  for (const id of cluster.ids) t.equal(await listed(cluster, id), KEYS + 1);
  t.equal(await listed(cluster, N4), KEYS + 1);
  const deadlineMs = cluster.time.nowMs + 300_000;
  while (!(await holds(cluster, key)) && cluster.time.nowMs < deadlineMs) {
    await cluster.time.advance(1_000);
  }
  t.ok(await holds(cluster, key), 'it is filled at once, not by anti-entropy');
});
