/**
 * Reads and writes while nodes are down, silent, slow or cut off.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { TestCluster } from './cluster-harness.ts';
import { content, N1, N2, N3, Teller, told } from './told.ts';

const STORED = { kind: 'stored', object: undefined };

/** The nodes of a key's preference list, and of the others one that is in none. */
function partsOf(cluster: TestCluster, key: ObjectKey): { primaries: NodeId[]; others: NodeId[] } {
  const anyNode = cluster.node(cluster.ids[0] as NodeId);
  const primaries = (anyNode.preferenceList(key) ?? []).map(({ node }) => node);
  return { primaries, others: cluster.ids.filter((id) => !primaries.includes(id)) };
}

t.test('a quorum is met while one node is down, noticed or not', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(N3);
  t.same(told(await teller.get(N1, key)), ['a']);
  t.same(await teller.put(N2, key, { text: 'b' }), STORED);
  await cluster.untilUp(N1, N2);
  t.same(told(await teller.get(N1, key)), ['b']);
  t.same(await teller.put(N2, key, { text: 'c', w: 3 }), STORED, 'a node of the list stands in');
});

t.test('strict quorums count the primaries that are up', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
  const [lost] = partsOf(cluster, key).primaries;
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(lost as NodeId);
  await cluster.untilUp(...cluster.ids.filter((id) => id !== lost));
  t.same(await teller.get(N1, key, { pr: 3 }), {
    kind: 'unsatisfied',
    quorum: 'pr',
    needed: 3,
    got: 2,
  });
  t.same(await teller.put(N1, key, { text: 'b', pw: 3 }), {
    kind: 'unsatisfied',
    quorum: 'pw',
    needed: 3,
    got: 2,
  });
  t.same(await teller.get(N1, key, { r: 3, sloppyQuorum: false }), {
    kind: 'insufficient-replicas',
    needed: 3,
    got: 2,
  });
  t.same(told(await teller.get(N1, key, { pr: 2 })), ['a']);
  t.same(told(await teller.get(N1, key, { r: 2, sloppyQuorum: false })), ['a']);
  t.same(told(await teller.get(N1, key, { r: 3 })), ['a'], 'a stand-in counts for r');
});

t.test('a replica that was away is repaired by the next read', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  // Cut off from one side only, so that no hint brings the write.
  cluster.link(N1, N3, { kind: 'silent' });
  await teller.put(N1, key, { text: 'b', timeoutMs: 300 });
  cluster.heal();
  t.same(await teller.copyAt(N3, key), ['a']);
  t.same(told(await teller.get(N2, key)), ['b']);
  await cluster.time.advance(20);
  t.same(await teller.copyAt(N3, key), ['b']);
  t.equal(cluster.counted(N2, 'read_repairs'), 1);
  t.same(told(await teller.get(N2, key)), ['b']);
  await cluster.time.advance(20);
  t.equal(cluster.counted(N2, 'read_repairs'), 1, 'what is whole is not repaired');
});

t.test('a stand-in that a read repairs owes its copy to all that it stands in for', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  await teller.makeType('five', { n_val: 5 });
  const key = cluster.keyWhere(() => true, { type: 'five' });
  const [, , ...away] = cluster.ids;
  for (const id of away) cluster.crash(id);
  await cluster.untilUp(N1, N2);
  const owed = new Set<NodeId>();
  // The one stands in for two of them and the other for one.
  for (const [writer, stale] of [
    [N1, N2],
    [N2, N1],
  ] as const) {
    cluster.link(writer, stale, { kind: 'silent' });
    await teller.put(writer, key, { text: `by ${writer}`, w: 1, timeoutMs: 300 });
    cluster.heal();
    const begin = cluster.seen.length;
    await teller.get(writer, key, { r: 5 });
    await cluster.time.advance(20);
    t.equal(cluster.counted(writer, 'read_repairs'), 1);
    for (const { target, request } of cluster.seen.slice(begin)) {
      if (target !== stale || request.verb !== 'merge') continue;
      if (request.hintFor !== undefined) owed.add(request.hintFor);
    }
  }
  t.same([...owed].sort(), away);
});

t.test('a damaged copy says nothing, and is replaced by the next read', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.link(N1, N3, { kind: 'silent' });
  await teller.put(N1, key, { text: 'a', timeoutMs: 300 });
  cluster.heal();
  await cluster.corrupt(N2, key);
  // N2 is damaged and N3 never had it: were both to count, the write would seem lost.
  cluster.link(N1, N2, { kind: 'slow', delayMs: 50 });
  t.same(told(await teller.get(N2, key)), ['a']);
  await cluster.time.advance(200);
  for (const id of [N2, N3]) t.same(await teller.copyAt(id, key), ['a']);
});

t.test('replicas that hold different siblings are each given the others', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  await teller.makeType('siblings', {});
  const key = cluster.keyWhere(() => true, { type: 'siblings' });
  cluster.isolate(N1, 'silent');
  const apart = { w: 1, dw: 1, timeoutMs: 200 };
  await teller.put(N1, key, { text: 'a', ...apart });
  await teller.put(N2, key, { text: 'b', ...apart });
  cluster.heal();
  await cluster.untilUp(N1, N2, N3);
  t.same(told(await teller.get(N3, key, { r: 3 })), ['a', 'b']);
  await cluster.time.advance(20);
  for (const id of [N1, N2, N3]) t.same(await teller.copyAt(id, key), ['a', 'b']);
});

t.test('when two of three die unnoticed, nodes past the list stand in at once', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  const { primaries } = partsOf(cluster, key);
  const [alive, ...dying] = primaries as [NodeId, NodeId, NodeId];
  await teller.put(alive, key, { text: 'a', w: 3 });
  for (const id of dying) cluster.crash(id);
  t.same(await teller.put(alive, key, { text: 'b', w: 3 }), STORED);
  t.equal(cluster.counted(alive, 'stand_ins_total'), 2);
  t.same(told(await teller.get(alive, key, { r: 3 })), ['b']);
  const strict = await teller.put(alive, key, { text: 'c', pw: 2 });
  t.match(strict, { kind: 'unsatisfied', quorum: 'pw', needed: 2 });
});

t.test('a strict quorum has no stand-ins', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  const [alive, ...dying] = partsOf(cluster, key).primaries as [NodeId, NodeId, NodeId];
  for (const id of dying) cluster.crash(id);
  const outcome = await teller.put(alive, key, { text: 'b', sloppyQuorum: false });
  t.match(outcome, { kind: 'unsatisfied', quorum: 'dw', needed: 2 });
});

t.test('where no primary is up a stand-in coordinates', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  const { primaries, others } = partsOf(cluster, key);
  for (const id of primaries) cluster.crash(id);
  await cluster.untilUp(...others);
  const [first, second] = others as [NodeId, NodeId];
  t.same(await teller.put(first, key, { text: 'a' }), STORED);
  t.same(told(await teller.get(second, key)), ['a']);
});

t.test('a write that no replica can take is refused as all nodes down', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
  const { primaries, others } = partsOf(cluster, key);
  for (const id of primaries) cluster.crash(id);
  await cluster.untilUp(...others);
  const strict = { sloppyQuorum: false };
  t.same(await teller.put(N1, key, { text: 'a', ...strict }), { kind: 'all-nodes-down' });
  t.same(await teller.get(N1, key, strict), {
    kind: 'insufficient-replicas',
    needed: 2,
    got: 0,
  });
});

t.test('a slow replica is not waited for: another sends the object', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
  const [slow] = partsOf(cluster, key).primaries as [NodeId];
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.link(slow, N1, { kind: 'slow', delayMs: 700 });
  const startMs = cluster.time.nowMs;
  t.same(told(await teller.get(N1, key)), ['a']);
  t.ok(cluster.time.nowMs - startMs < 100, 'it took less than the slow one');
  t.equal(cluster.counted(N1, 'spare_reads_total'), 1);
});

t.test('silence of too many ends as a timeout', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.isolate(N1, 'silent');
  const startMs = cluster.time.nowMs;
  t.same(await teller.get(N1, key, { timeoutMs: 500 }), { kind: 'timeout' });
  t.same(await teller.put(N1, key, { text: 'a', timeoutMs: 500 }), { kind: 'timeout' });
  t.equal(cluster.time.nowMs - startMs, 1_000);
});

t.test('nobody waits out a deadline for a node that is found to be down', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => nodes[0] === N1);
  const [, second, third] = partsOf(cluster, key).primaries as [NodeId, NodeId, NodeId];
  await teller.put(N1, key, { text: 'a', w: 3 });
  for (const id of [second, third]) cluster.isolate(id, 'silent');
  const startMs = cluster.time.nowMs;
  t.same(await teller.put(N1, key, { text: 'b' }), STORED);
  t.same(told(await teller.get(N1, key)), ['b']);
  t.ok(cluster.time.nowMs - startMs < 3_000, 'both were found to be down, and stood in for');
});

t.test('a replica that does not answer is owed a hint', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.link(N1, N3, { kind: 'silent' });
  t.same(await teller.put(N1, key, { text: 'a', timeoutMs: 400 }), STORED);
  t.equal(cluster.counted(N1, 'hints_left_total'), 0);
  await cluster.time.until(() => cluster.counted(N1, 'hints_left_total') === 1);
});

t.test('a forwarded write goes to the next replica only if the first did nothing', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
  const [first, second] = partsOf(cluster, key).primaries as [NodeId, NodeId];
  cluster.link(N1, first, { kind: 'cut' });
  t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  const forwarded = cluster.seen.filter(({ request }) => request.verb === 'put');
  t.same(
    forwarded.map(({ target }) => target),
    [second],
  );
  cluster.heal();
  await cluster.untilUp(...cluster.ids);

  cluster.seen.length = 0;
  const lost = cluster.node(N1).put({ key, content: content('b'), returning: 'nothing' });
  await cluster.time.until(() => cluster.seen.some(({ request }) => request.verb === 'put'));
  cluster.crash(first);
  t.same(await cluster.settle(lost), { kind: 'timeout' }, 'it may have happened');
  t.equal(cluster.seen.filter(({ request }) => request.verb === 'put').length, 1);
});

t.test('an overloaded replica costs a read another one, and not its answer', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  for (const busy of [N2, N3]) {
    cluster.heal();
    cluster.link(N1, busy, { kind: 'busy' });
    t.same(told(await teller.get(N1, key)), ['a']);
  }
  cluster.link(N1, N2, { kind: 'busy' });
  t.same(await teller.get(N1, key), { kind: 'overload' }, 'where no quorum is left');
});

t.test(
  'a write that no link takes is refused for its size where it is to be passed on',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
    const { cluster } = teller;
    const key = cluster.keyWhere((nodes) => !nodes.includes(N1));
    for (const id of cluster.ids) cluster.link(N1, id, { kind: 'narrow' });
    const text = 'a'.repeat(70_000);
    const outcome = await teller.put(N1, key, { text });
    t.match(outcome, { kind: 'too-large' });
    t.ok('sizeBytes' in outcome && outcome.sizeBytes > 70_000);
    t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  },
);

t.test('a node whose store takes no writes passes them on and is stood in for', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.fence(N1);
  t.notOk(cluster.node(N1).readiness().isReady);
  t.same(await teller.put(N1, key, { text: 'a' }), STORED);
  t.equal(cluster.counted(N1, 'puts_declined_total'), 1);
  const putCounts = cluster.ids.map((id) => cluster.counted(id, 'node_puts'));
  t.equal(putCounts[0], 0);
  const putCount = putCounts.reduce((sum, count) => sum + count);
  t.equal(putCount, 1, 'it is counted once, where it was coordinated');
  t.same(told(await teller.get(N2, key)), ['a']);
  await cluster.time.until(() => !cluster.node(N2).liveMembers().includes(N1));
  cluster.fence(N2);
  cluster.fence(N3);
  t.match(await teller.put(N1, key, { text: 'b' }), { kind: 'unavailable' });
});

t.test(
  'a condition of a write that cannot be is looked at for as long as it may take',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
    const { cluster } = teller;
    const key = cluster.keyWhere(() => true);
    for (const id of [N2, N3]) cluster.link(N1, id, { kind: 'silent' });
    const startMs = cluster.time.nowMs;
    const request = { condition: { kind: 'none-match' }, w: 4, timeoutMs: 200 } as const;
    t.same(await teller.put(N1, key, { text: 'a', ...request }), { kind: 'timeout' });
    t.equal(cluster.time.nowMs - startMs, 200);
  },
);

t.test('both sides notice within the bound that messages pass one way only', async (t) => {
  const [heartbeatMs, missesMax] = [1_000, 3];
  const timings = { heartbeatMs, missesMax };
  const cluster = await TestCluster.start({ nodeCount: 3, timings });
  await cluster.untilUp(N1, N2, N3);
  for (const [source, target] of [
    [N1, N2],
    [N2, N1],
  ] as const) {
    cluster.link(source, target, { kind: 'silent' });
    const startMs = cluster.time.nowMs;
    const sees = (id: NodeId, other: NodeId): boolean =>
      cluster.node(id).liveMembers().includes(other);
    // The silence, the heartbeat at which it is judged, and one that was on its way.
    await cluster.time.until(() => !sees(N1, N2) && !sees(N2, N1), heartbeatMs * (missesMax + 2));
    t.ok(cluster.time.nowMs - startMs > heartbeatMs, 'one lost message is no evidence');
    t.same(cluster.node(N3).liveMembers(), [N1, N2, N3], 'the third sees both');
    cluster.heal();
    await cluster.untilUp(N1, N2, N3);
  }
});

t.test('a request keeps its deadline while its node waits for a newer epoch', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a' });
  for (const other of [N2, N3]) {
    cluster.link(other, N1, { kind: 'cut' });
    cluster.link(N1, other, { kind: 'silent' });
  }
  await cluster.settle(cluster.node(N2).createBucketType(utf8ToByteString('maps'), {}));
  const askedBefore = cluster.seen.length;
  cluster.link(N1, N2, { kind: 'slow', delayMs: 700 });
  await cluster.time.until(() => {
    return cluster.seen.slice(askedBefore).some(({ source }) => source === N1);
  });
  // It hears of the epoch in the answer, and asks for the state.
  await cluster.time.advance(2);
  const startedMs = cluster.time.nowMs;
  t.same(told(await teller.get(N1, key, { timeoutMs: 300, r: 1 })), 'timeout');
  t.equal(cluster.time.nowMs - startedMs, 300);
  t.same(await teller.put(N1, key, { text: 'b', timeoutMs: 200 }), { kind: 'timeout' });
  t.equal(cluster.time.nowMs - startedMs, 500);
  cluster.heal();
  t.same(told(await teller.get(N1, key)), ['a'], 'what was not begun is not done');
});

t.test('a merge is confirmed by the reply to a merge, and by no other', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  for (const id of [N2, N3]) {
    const node = cluster.node(id);
    const handle = node.handle.bind(node);
    node.handle = (source, request, timeoutMs) =>
      request.verb === 'merge'
        ? Promise.resolve({ kind: 'object', record: undefined })
        : handle(source, request, timeoutMs);
  }
  const outcome = await teller.put(N1, key, { text: 'a', w: 3, sloppyQuorum: false });
  t.same(outcome, { kind: 'unsatisfied', quorum: 'w', needed: 3, got: 1 });
  await cluster.time.until(() => cluster.counted(N1, 'hints_left_total') === 2);
});
