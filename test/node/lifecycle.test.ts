/**
 * Starting and stopping: when a node serves, and what its next start goes on with.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { TestCluster } from './cluster-harness.ts';
import { MemorySpoolFolder } from './memory-spool-folder.ts';
import { content, contextOf, N1, N2, N3, Teller, told } from './told.ts';

t.test(
  'after a clean stop a node goes on with its actor, after a crash with a new one',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
    const { cluster } = teller;
    const key = cluster.keyWhere(() => true);
    const begun = cluster.node(N1).introduction()?.incarnation ?? NaN;
    const sizeAfter = async (text: string): Promise<number> => {
      return contextOf(await teller.put(N1, key, { text, returning: 'head' })).size;
    };
    t.equal(await sizeAfter('a'), 1);
    await cluster.stop(N1);
    await cluster.restart(N1);
    t.equal(await sizeAfter('b'), 1);
    // Who was down remembers what it knew, and one of two vouches for the third no more.
    cluster.crash(N3);
    await cluster.restart(N3);
    await cluster.untilUp(N1, N2, N3);
    await cluster.stop(N1);
    cluster.crash(N2);
    await cluster.restart(N1);
    t.equal(await sizeAfter('c'), 2, 'a majority of the others must know it');
    await cluster.restart(N2);
    cluster.crash(N1);
    await cluster.restart(N1);
    t.equal(await sizeAfter('d'), 3);
    t.same(told(await teller.get(N1, key)), ['d']);
    t.equal(cluster.node(N1).introduction()?.incarnation, begun + 3);
  },
);

t.test(
  'a node that is alone has nobody to vouch for it: each start has its own actor',
  async (t) => {
    const teller = new Teller(await TestCluster.start({ nodeCount: 1 }));
    const { cluster } = teller;
    const key = cluster.keyWhere(() => true);
    const [first] = contextOf(await teller.put(N1, key, { text: 'a', returning: 'head' })).keys();
    await cluster.stop(N1);
    await cluster.restart(N1);
    const context = contextOf(await teller.put(N1, key, { text: 'b', returning: 'head' }));
    t.equal(context.size, 2);
    t.ok(context.has(first ?? ('' as never)));
  },
);

t.test('until it knows which actors are its own a start coordinates nothing', async (t) => {
  const { cluster } = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const key = cluster.keyWhere(() => true);
  await cluster.stop(N1);
  cluster.isolate(N1);
  const returning = cluster.restart(N1);
  await cluster.time.until(() => cluster.node(N1).introduction() !== undefined);
  const put = { key, content: content('a'), returning: 'nothing' } as const;
  const ask = () => cluster.node(N1).handle(N2, { verb: 'put', request: put }, 1_000);
  await t.rejects(ask(), { code: 'peer-refused' });
  await returning;
  t.match(await cluster.settle(ask()), { kind: 'stored' }, 'nobody has vouched: it begins afresh');
});

t.test('a node that comes back serves only after it has caught up', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  await teller.makeType('late', { n_val: 1 });
  await cluster.restart(N3);
  t.equal(cluster.node(N3).bucketTypeProperties(utf8ToByteString('late'))?.n_val, 1);
  t.same(cluster.node(N3).readiness(), { isReady: true, reason: 'serving' });
});

t.test('a node that starts at another address tells the others, who cannot call it', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N3, key, { text: 'a' });
  await cluster.stop(N3);
  cluster.hostByNode.set(N3, 'elsewhere');
  for (const id of [N1, N2]) cluster.link(id, N3, { kind: 'cut' });
  await cluster.restart(N3);
  await cluster.time.until(() => {
    return [N1, N2].every((id) => {
      const known = cluster
        .node(id)
        .state()
        .members.find((member) => member.id === N3);
      return known?.host === 'elsewhere' && known.status === 'valid';
    });
  });
  // Now they call it where it is.
  cluster.heal();
  await cluster.untilUp(N1, N2, N3);
  const { epoch } = cluster.node(N3).state();
  t.same(told(await teller.get(N3, key)), ['a']);
  await cluster.stop(N3);
  await cluster.restart(N3);
  t.equal(cluster.node(N3).state().epoch, epoch, 'who is where it was has nothing to tell');
});

t.test('a node that finds nobody serves after a moment of grace', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  for (const id of cluster.ids) cluster.crash(id);
  const startMs = cluster.time.nowMs;
  await cluster.restart(N2);
  t.ok(cluster.time.nowMs - startMs <= 1_100);
  t.ok(cluster.node(N2).readiness().isReady);
  t.same(cluster.node(N2).liveMembers(), [N2]);
});

t.test('a stop lets requests under way finish, and refuses new ones', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const key = cluster.keyWhere(() => true);
  const node = cluster.node(N1);
  for (const id of [N2, N3]) cluster.link(id, N1, { kind: 'slow', delayMs: 200 });
  const underWay = node.put({ key, content: content('a'), returning: 'nothing' });
  const stopping = node.stop();
  t.match(await node.put({ key, content: content('b'), returning: 'nothing' }), {
    kind: 'unavailable',
  });
  t.notOk(node.readiness().isReady);
  t.same(await cluster.settle(underWay), { kind: 'stored', object: undefined });
  await cluster.settle(stopping);
  await cluster.settle(node.stop());
  t.match(await node.get({ key }), { kind: 'unavailable' });
  await t.rejects(node.handle(N2, { verb: 'get', key, headOnly: true }, 100), { code: 'closed' });
});

t.test('a stop does not wait for ever', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3, timings: { drainTimeoutMs: 500 } });
  const key = cluster.keyWhere(() => true);
  cluster.isolate(N1, 'silent');
  const stuck = cluster.node(N1).get({ key });
  const startMs = cluster.time.nowMs;
  await cluster.settle(cluster.node(N1).stop());
  t.equal(cluster.time.nowMs - startMs, 500);
  t.match(await cluster.settle(stuck), { kind: 'unsatisfied', quorum: 'r', got: 1 });
});

t.test('a stop does not wait for a peer that has just become silent', async (t) => {
  const timings = { drainTimeoutMs: 500, heartbeatMs: 1_000, missesMax: 3 };
  const antiEntropy = { restMs: 20, pauseMs: 0 };
  const cluster = await TestCluster.start({ nodeCount: 3, timings, repair: { antiEntropy } });
  cluster.isolate(N1, 'silent');
  // What the round under way asks now has no answer.
  await cluster.time.advance(200);
  t.same(cluster.node(N1).liveMembers(), [N1, N2, N3], 'nobody has noticed yet');
  t.ok(cluster.node(N1).operations().repairStatus().antiEntropy.isRunning);
  const startMs = cluster.time.nowMs;
  await cluster.stop(N1);
  t.ok(cluster.time.nowMs - startMs <= 2_500, `it took ${cluster.time.nowMs - startMs} ms`);
  cluster.heal();
  await cluster.restart(N1);
  await cluster.untilUp(N1, N2, N3);
});

t.test('a write that a stop does not wait for is on its queue at the next start', async (t) => {
  const folder = new MemorySpoolFolder();
  const replication = {
    queueMaxBytes: 100_000,
    queueDiskMaxBytes: 100_000,
    folderOf: () => folder,
    queues: [{ name: 'q', buckets: 'any' as const }],
  };
  const timings = { drainTimeoutMs: 500 };
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, timings, replication }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => nodes[0] === N1);
  cluster.isolate(N1, 'silent');
  const node = cluster.node(N1);
  const stuck = node.put({ key, content: content('a'), w: 3, returning: 'nothing' });
  await cluster.stop(N1);
  await cluster.settle(stuck);
  cluster.heal();
  await cluster.restart(N1);
  t.match(cluster.node(N1).replication.status(), [{ realTime: 1, isOverflowed: false }]);
});

t.test('a node starts once', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 1 });
  await t.rejects(cluster.node(N1).start(), { code: 'closed' });
});

t.test('a node that returns to links that all stay shut waits out its whole grace', async (t) => {
  const grace = 1_000;
  const cluster = await TestCluster.start({ nodeCount: 3, timings: { startGraceMs: grace } });
  for (const kind of ['cut', 'silent'] as const) {
    cluster.crash(N3);
    cluster.isolate(N3, kind);
    const startMs = cluster.time.nowMs;
    const restarted = cluster.restart(N3);
    await cluster.time.until(() => cluster.node(N3).readiness().isReady);
    const waitedMs = cluster.time.nowMs - startMs;
    await restarted;
    t.ok(waitedMs >= grace && waitedMs <= grace + 100, `${kind}: ready after ${waitedMs} ms`);
    t.same(cluster.node(N3).liveMembers(), [N3]);
    cluster.heal();
    await cluster.untilUp(N1, N2, N3);
  }
});

t.test('a node that is stopped while it opens leaves nothing running', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 2 });
  // Wherever in its opening it is.
  for (let depth = 0; depth < 120; depth += 6) {
    await cluster.stop(N2);
    const restarted = cluster.restart(N2).catch(() => undefined);
    for (let step = 0; step < depth; step += 1) await Promise.resolve();
    const node = cluster.node(N2);
    await cluster.settle(node.stop());
    await cluster.settle(restarted);
    t.notOk(node.readiness().isReady);
    const sentBefore = cluster.seen.filter(({ source }) => source === N2).length;
    await cluster.time.advance(3_000);
    const sent = cluster.seen.filter(({ source }) => source === N2).length;
    if (sent > sentBefore) t.fail(`after a stop at ${depth} it sends ${sent - sentBefore} pings`);
  }
  await cluster.restart(N2);
  await cluster.untilUp(N1, N2);
});
