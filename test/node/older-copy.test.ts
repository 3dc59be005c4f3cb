/**
 * A disk that is put back from an older copy, and nobody is told.
 */

import t from 'tap';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import { TestCluster } from './cluster-harness.ts';
import { contextOf, N1, N2, N3, Teller, told } from './told.ts';

interface Restored {
  readonly teller: Teller;
  readonly cluster: TestCluster;
  readonly key: ObjectKey;
  /** As the disk that was replaced had it, under its last start. */
  readonly lastMark: string | undefined;
}

/** Three nodes; the disk of the first is as it was before its last start, which wrote 'b'. */
async function putBack(
  { isStopped = false, starts = 1 },
  beforeReturn: (cluster: TestCluster) => Promise<void> = async () => {},
): Promise<Restored> {
  const teller = new Teller(
    await TestCluster.start({ nodeCount: 3, defaultProperties: { allow_mult: true } }),
  );
  const { cluster } = teller;
  await cluster.time.until(() => cluster.ids.every((id) => cluster.node(id).readiness().isReady));
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a' });
  if (isStopped) await cluster.stop(N1);
  const copy = await cluster.copy(N1);
  if (!isStopped) cluster.crash(N1);
  for (let start = 0; start < starts; start += 1) {
    if (start > 0) cluster.crash(N1);
    await cluster.restart(N1);
    await cluster.untilUp(N1, N2, N3);
  }
  const context = contextOf(await teller.get(N1, key));
  await teller.put(N1, key, { text: 'b', context });
  const lastMark = cluster.node(N1).introduction()?.identity;
  cluster.crash(N1);
  await beforeReturn(cluster);
  cluster.replaceDisk(N1, copy);
  return { teller, cluster, key, lastMark };
}

/** Until every node holds a copy that is as wanted; refill and anti-entropy take virtual minutes. */
async function untilCopies(
  { teller, cluster, key }: Restored,
  isWanted: (siblings: readonly string[]) => boolean,
): Promise<void> {
  for (const id of cluster.ids) {
    for (let minute = 0; !isWanted((await teller.copyAt(id, key)) ?? []); minute += 1) {
      if (minute === 60) throw new Error(`${id} holds ${(await teller.copyAt(id, key))?.join()}`);
      await cluster.time.advance(60_000);
    }
  }
}

/** As whoever supervises it does. */
async function startAgain(cluster: TestCluster, node: NodeId): Promise<void> {
  await cluster.time.until(() => cluster.outdated.has(node));
  cluster.crash(node);
  await cluster.restart(node);
}

async function findsAll(
  t: { same(found: unknown, wanted: unknown): unknown },
  restored: Restored,
): Promise<void> {
  const { teller, cluster, key } = restored;
  await cluster.untilUp(N1, N2, N3);
  await untilCopies(restored, (siblings) => siblings.join() === 'b');
  const context = contextOf(await teller.get(N1, key));
  await teller.put(N1, key, { text: 'c', context });
  for (const id of cluster.ids) t.same(told(await teller.get(id, key)), ['c']);
}

for (const isStopped of [true, false]) {
  for (const starts of [1, 3]) {
    const how = isStopped ? 'stands still' : 'runs';
    t.test(`a copy of a disk that ${how}, and has begun ${starts} times since`, async (t) => {
      const restored = await putBack({ isStopped, starts });
      const { cluster } = restored;
      await cluster.restart(N1);
      await cluster.time.until(() => cluster.outdated.has(N1));
      const node = cluster.node(N1);
      t.same(node.readiness(), { isReady: false, reason: 'the node is outdated' });
      t.match(await node.get({ key: restored.key }), { kind: 'unavailable' });
      await t.rejects(node.handle(N2, { verb: 'agree', message: Buffer.alloc(0) }, 100), {
        code: 'closed',
      });
      await startAgain(cluster, N1);
      const { lineage } = cluster.node(N1).introduction() ?? {};
      t.equal(lineage?.starts.length, 1, 'it begins a new lineage');
      t.equal(cluster.counted(N1, 'older_copies_found'), 1);
      await findsAll(t, restored);
      cluster.crash(N1);
      await cluster.restart(N1);
      await cluster.untilUp(N1, N2, N3);
      t.notOk(cluster.outdated.has(N1), 'once');
    });
  }
}

t.test('peers that have been restarted since remember it too', async (t) => {
  const restored = await putBack({}, async (cluster) => {
    for (const id of [N2, N3]) {
      cluster.crash(id);
      await cluster.restart(id);
    }
  });
  const { cluster } = restored;
  await cluster.restart(N1);
  await startAgain(cluster, N1);
  await findsAll(t, restored);
});

for (const { isStopped, starts } of [
  { isStopped: true, starts: 1 },
  // More often than the real disk, so that its count is beyond what the others remember.
  { isStopped: false, starts: 4 },
]) {
  const name = 'whom nobody refuses loses nothing, and is found out when one returns';
  t.test(name, async (t) => {
    const restored = await putBack({ isStopped }, async (cluster) => {
      for (const id of [N2, N3]) cluster.crash(id);
    });
    const { teller, cluster, key, lastMark } = restored;
    await cluster.restart(N1);
    t.ok(cluster.node(N1).readiness().isReady, 'nobody could tell');
    for (let start = 1; start < starts; start += 1) {
      cluster.crash(N1);
      await cluster.restart(N1);
    }
    const context = contextOf(await teller.get(N1, key, { r: 1 }));
    const put = { text: 'x', context, w: 1, returning: 'head' } as const;
    const own = contextOf(await teller.put(N1, key, put));
    t.notOk([...own.keys()].some((actor) => actor.startsWith(lastMark ?? '')));
    for (const id of [N2, N3]) await cluster.restart(id);
    await startAgain(cluster, N1);
    await cluster.untilUp(N1, N2, N3);
    await untilCopies(restored, (siblings) => siblings.length === 2);
    t.same(told(await teller.get(N2, key)), ['b', 'x'], 'both were acknowledged');
  });
}
