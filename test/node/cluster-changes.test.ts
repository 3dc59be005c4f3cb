/** Changes of a running cluster: joins, removals, marks, and what each node makes of them. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import { findMember, stageForceRemove, stageLeave } from '../../src/membership/staging.ts';
import type { ClusterChanges, ClusterChangeOutcome } from '../../src/node/cluster-changes.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, told } from './told.ts';

const [N4, N5, N6, N7] = ['n4@host', 'n5@host', 'n6@host', 'n7@host'] as NodeId[] as [
  NodeId,
  NodeId,
  NodeId,
  NodeId,
];
const AT_N1 = { host: N1, port: 9 };

function changesOf(cluster: TestCluster, id: NodeId): ClusterChanges {
  return cluster.node(id).cluster().clusterChanges;
}

async function settled(
  cluster: TestCluster,
  change: Promise<ClusterChangeOutcome>,
): Promise<ClusterChangeOutcome> {
  return cluster.settle(change, 60_000);
}

t.test('a node that is alone and empty is taken in and sees the cluster', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const node = await cluster.startAlone(N4);
  t.equal(node.state().members.length, 1);
  t.same(await cluster.settle(node.cluster().joining.join(AT_N1)), { kind: 'joined' });
  t.equal(findMember(node.state(), N4)?.status, 'joining');
  t.same(node.state(), cluster.node(N3).state());
  await cluster.time.until(() => node.liveMembers().length === 4);
  t.ok(node.readiness().isReady);
  const teller = new Teller(cluster);
  const key = cluster.keyWhere((nodes) => !nodes.includes(N4));
  t.match(await teller.put(N4, key, { text: 'v' }), { kind: 'stored' });
  t.same(told(await teller.get(N1, key)), ['v'], 'it serves clients and holds nothing itself');
});

t.test('a join is refused by whoever sees that it cannot be', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  const outcomeOf = async (id: NodeId, own: object): Promise<unknown> => {
    const node = await cluster.startAlone(id, own);
    return cluster.settle(node.cluster().joining.join(AT_N1));
  };
  t.match(await outcomeOf('a@h' as NodeId, { clusterName: 'other' }), {
    kind: 'refused',
    text: 'this is cluster test, not other',
  });
  t.match(await outcomeOf('b@h' as NodeId, { ringSize: 32 }), {
    kind: 'refused',
    text: 'the ring has 16 partitions here, 32 at b@h',
  });
  t.match(await outcomeOf('nameless' as NodeId, {}), { kind: 'refused' });
  const member = cluster.node(N2).cluster().joining;
  t.match(await cluster.settle(member.join(AT_N1)), { kind: 'not-able', reason: 'not-alone' });
  const full = await cluster.startAlone('c@h' as NodeId);
  await new Teller(cluster).put(
    'c@h' as NodeId,
    cluster.keyWhere(() => true),
    { text: 'v' },
  );
  t.match(await cluster.settle(full.cluster().joining.join(AT_N1)), {
    kind: 'not-able',
    reason: 'not-empty',
  });
  t.equal(cluster.node(N1).state().members.length, 2);
});

t.test(
  'who is about to join takes nobody in, and who takes somebody in does not join',
  async (t) => {
    const cluster = await TestCluster.start({ nodeCount: 2 });
    const [first, second] = [await cluster.startAlone(N4), await cluster.startAlone(N5)];
    const atFirst = { host: N4, port: 9 };
    const joins = [first.cluster().joining.join(AT_N1), second.cluster().joining.join(atFirst)];
    // Or the second would be left in a cluster that the first has gone from, and could join no other.
    t.match(await cluster.settle(Promise.all(joins)), [{ kind: 'joined' }, { kind: 'refused' }]);
    t.equal(second.state().members.length, 1);
    t.same(await cluster.settle(second.cluster().joining.join(atFirst)), { kind: 'joined' });
    await cluster.time.until(() => cluster.node(N1).state().epoch === second.state().epoch);
    t.same(second.state(), cluster.node(N1).state());

    const [third, fourth] = [await cluster.startAlone(N6), await cluster.startAlone(N7)];
    const taken = fourth.cluster().joining.join({ host: N6, port: 9 });
    await cluster.time.advance(0);
    const left = third.cluster().joining.join(AT_N1);
    t.match(await cluster.settle(Promise.all([taken, left])), [
      { kind: 'joined' },
      { kind: 'not-able', reason: 'not-alone' },
    ]);
    t.same(fourth.state(), third.state());
  },
);

t.test('a member that lost its disk is given the state again', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  const node = await cluster.startAlone(N4);
  await cluster.settle(node.cluster().joining.join(AT_N1));
  cluster.crash(N4);
  cluster.wipe(N4);
  await cluster.restart(N4);
  const again = cluster.node(N4);
  t.equal(again.state().members.length, 1, 'it knows its configuration and nothing else');
  t.same(await cluster.settle(again.cluster().joining.join(AT_N1)), { kind: 'joined' });
  t.same(again.state(), cluster.node(N1).state());
});

t.test('a plan is committed by its hash, at whichever node', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const node = await cluster.startAlone(N4);
  await cluster.settle(node.cluster().joining.join(AT_N1));
  const shown = await cluster.settle(changesOf(cluster, N2).plan());
  if (shown.kind !== 'planned') throw new Error(shown.reason);
  t.same(shown.silent, []);
  t.same(
    shown.fills.map(({ node: id }) => id),
    [N4],
  );
  t.match(await settled(cluster, changesOf(cluster, N3).commit('0000')), {
    kind: 'not-planned',
    reason: 'stale-plan',
  });
  t.same(await settled(cluster, changesOf(cluster, N3).commit(shown.plan.hash)), {
    kind: 'changed',
  });
  t.equal(findMember(node.state(), N4)?.status, 'valid');
  t.same(node.state().step?.unfilled, [N4]);
});

t.test('a node that was removed says so and serves nobody', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const node = await cluster.startAlone(N4);
  await cluster.settle(node.cluster().joining.join(AT_N1));
  t.same(
    await settled(
      cluster,
      changesOf(cluster, N1).stage((state) => stageLeave(state, N4)),
    ),
    {
      kind: 'changed',
    },
  );
  await cluster.time.until(() => !node.readiness().isReady);
  t.match(node.readiness().reason, /was removed from cluster test/);
  const key = cluster.keyWhere(() => true);
  const outcome = await new Teller(cluster).put(N4, key, { text: 'v' });
  t.match(outcome, { kind: 'unavailable' });
  const type = utf8ToByteString('default');
  t.throws(() => node.listBuckets(type, { timeoutMs: 100 }), { code: 'closed' });
  const get = { verb: 'trace', key } as const;
  await t.rejects(cluster.settle(node.handle(N1, get, 100)), { code: 'peer-refused' });
  t.same(await cluster.settle(node.cluster().joining.join(AT_N1)), { kind: 'joined' });
  t.ok(node.readiness().isReady, 'empty as it is, it may come back');
});

t.test('a dead node marked as down has no vote, and gets it back when it returns', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 4 });
  const down = (id: NodeId): Promise<ClusterChangeOutcome> =>
    settled(cluster, changesOf(cluster, N1).markDown(id));
  t.match(await down(N2), { kind: 'not-staged', reason: 'is-up' });
  cluster.crash(N2);
  await cluster.untilUp(N1, N3, 'n4' as NodeId);
  t.same(await down(N2), { kind: 'changed' });
  cluster.crash(N3);
  await cluster.untilUp(N1, 'n4' as NodeId);
  t.same(
    await down(N3),
    { kind: 'changed' },
    'two of the three that vote are a majority, two of four were none',
  );
  await cluster.restart(N2);
  await cluster.time.until(() => findMember(cluster.node(N1).state(), N2)?.status === 'valid');
});

t.test('a node removed by force is not waited for, and reads go on', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 5 });
  const teller = new Teller(cluster);
  const key = cluster.keyWhere((nodes) => nodes.includes(N2));
  await teller.put(N1, key, { text: 'v' });
  cluster.crash(N2);
  const changes = changesOf(cluster, N1);
  await settled(
    cluster,
    changes.stage((state) => stageForceRemove(state, N2)),
  );
  t.same(await settled(cluster, changes.commit(undefined)), { kind: 'changed' });
  t.equal(findMember(cluster.node(N3).state(), N2)?.status, 'invalid');
  await cluster.restart(N2);
  await cluster.time.until(() => !cluster.node(N2).readiness().isReady);
  t.same(told(await teller.get(N3, key)), ['v']);
});
