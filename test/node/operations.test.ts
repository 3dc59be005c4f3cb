/** What an operator sees and starts: repair, hints, tombstones. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { AdminCommand } from '../../src/admin/admin-server.ts';
import { repairCommands } from '../../src/admin/repair-commands.ts';
import { encodeIndexKey } from '../../src/storage/keys.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller } from './told.ts';

function commandsOf(cluster: TestCluster, id: NodeId) {
  const node = cluster.node(id);
  const commands = repairCommands(node, node.operations());
  return (name: string, options: Readonly<Record<string, unknown>> = {}): Promise<unknown> => {
    return cluster.settle((commands.get(name) as AdminCommand)(options));
  };
}

t.test('a repair that is asked for heals now, and tells how far it is', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  cluster.link(N1, N3, { kind: 'silent' });
  await teller.put(N1, key, { text: 'a', timeoutMs: 300 });
  cluster.crash(N1);
  cluster.heal();
  await cluster.restart(N1);
  await cluster.untilUp(N1, N2, N3);
  const ask = commandsOf(cluster, N3);
  const partition = cluster.node(N1).preferenceList(key)?.[0]?.partition;
  t.match(await ask('repair run', { partitions: [partition] }), /has begun/);
  await t.rejects(ask('repair run'), { message: /under way/ });
  await cluster.time.until(() => {
    return cluster.node(N3).operations().repairStatus().job.state === 'done';
  });
  t.same(await teller.copyAt(N3, key), ['a']);
  t.match(await ask('repair status'), { job: { progress: { done: 2, total: 2, pulled: 1 } } });
  for (const partitions of [[16], ['x'], [-1], []]) {
    await t.rejects(ask('repair run', { partitions }), { name: 'AdminRefusal' });
  }
  await ask('repair run', { isFull: true });
  t.match(await ask('repair cancel'), { state: 'cancelled' });
});

t.test('a scrub that is asked for finds what has rotted', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  await cluster.corrupt(N2, key);
  const ask = commandsOf(cluster, N2);
  await ask('repair scrub');
  const { scrub } = { scrub: () => cluster.node(N2).operations().repairStatus().scrub };
  await cluster.time.until(() => scrub().walkCount === 1);
  t.match(scrub().lastWalk, { damaged: 1, repaired: 1 });
  t.same(await teller.copyAt(N2, key), ['a']);
});

const ENTRY = { field: utf8ToByteString('ward_bin'), term: utf8ToByteString('7') };

/** A node that is down lacks the one index entry that there is; and where that belongs. */
async function withLostEntry(id: NodeId): Promise<{ cluster: TestCluster; entry: Buffer }> {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const key = cluster.keyWhere(() => true);
  const content = { metadata: { indexes: [ENTRY] }, value: Buffer.from('v'), isTombstone: false };
  await cluster.settle(cluster.node(N1).put({ key, content, returning: 'nothing', w: 3 }));
  const partition = cluster.node(N1).preferenceList(key)?.[0]?.partition;
  if (partition === undefined) throw new Error('a key has a partition');
  const entry = encodeIndexKey(partition, key, ENTRY);
  await cluster.stop(id);
  const disk = await cluster.copy(id);
  await disk.write([{ kind: 'remove', key: entry }]);
  cluster.replaceDisk(id, disk);
  return { cluster, entry };
}

t.test('index entries that are gone are written again when an operator asks', async (t) => {
  const { cluster, entry } = await withLostEntry(N2);
  await cluster.restart(N2);
  await cluster.untilUp(N1, N2, N3);
  const operations = cluster.node(N2).operations();
  const status = () => operations.repairStatus().indexes;
  await cluster.time.until(() => operations.transfers().isFilled);
  const ask = commandsOf(cluster, N2);
  t.match(await ask('repair status'), { indexes: { state: 'none' } });
  await t.rejects(ask('repair indexes', { partitions: [16] }), { name: 'AdminRefusal' });
  const commands = repairCommands(cluster.node(N2), operations);
  const repair = () => (commands.get('repair indexes') as AdminCommand)({});
  const both = cluster.settle(Promise.allSettled([repair(), repair()]));
  t.equal(operations.transfers().isFilled, true, 'queries are answered');
  t.match(await both, [
    { value: /repair status/ },
    { reason: { name: 'AdminRefusal', message: /under way/ } },
  ]);
  await cluster.time.until(() => status().state === 'done');
  t.match(status().progress, { cause: 'asked', restored: 1 });
  t.equal((await (await cluster.copy(N2)).get(entry))?.length, 0);
});

t.test(
  'a mended node looks for its index entries by itself, and until then queries go round it',
  async (t) => {
    const { cluster, entry } = await withLostEntry(N2);
    cluster.mended.add(N2);
    await cluster.restart(N2);
    t.equal(cluster.node(N2).operations().transfers().isFilled, false);
    await cluster.untilUp(N1, N2, N3);
    const status = () => cluster.node(N2).operations().repairStatus().indexes;
    await cluster.time.until(() => status().state === 'done');
    t.match(status().progress, { cause: 'damage', restored: 1 });
    t.equal((await (await cluster.copy(N2)).get(entry))?.length, 0);
    await cluster.time.until(() => cluster.node(N2).operations().transfers().isFilled);
    await cluster.stop(N2);
    await cluster.restart(N2);
    t.equal(status().state, 'none', 'once');
  },
);

t.test('hints say whom they are for', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  t.same(await commandsOf(cluster, N1)('hints'), { total: 0, targets: [] });
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  await teller.put(
    N1,
    cluster.keyWhere(() => true),
    { text: 'a' },
  );
  const all = await Promise.all([N1, N2].map((id) => commandsOf(cluster, id)('hints')));
  t.ok(all.some((each) => JSON.stringify(each).includes('"target":"n3","count":1,"isUp":false')));
});

t.test('tombstones are counted, and reaped when all replicas have them', async (t) => {
  const repair = { reaper: { deleteMode: 'keep' as const } };
  const teller = new Teller(await TestCluster.start({ nodeCount: 3, repair }));
  const { cluster } = teller;
  const key = cluster.keyWhere(([first]) => first === N1);
  await teller.put(N1, key, { text: 'a', w: 3 });
  cluster.crash(N3);
  await cluster.untilUp(N1, N2);
  await teller.delete(N1, key);
  const ask = commandsOf(cluster, N1);
  const reap = async (): Promise<unknown> => {
    await ask('tombstones reap');
    await cluster.time.until(() => cluster.node(N1).operations().reapStatus().state !== 'running');
    return ask('tombstones status');
  };
  t.match(await ask('tombstones count'), { total: 1, owned: 1, waiting: 0 });
  t.match(await reap(), { progress: { looked: 1, reaped: 0, kept: 1 } }, 'a member is away');

  await cluster.restart(N3);
  await cluster.untilUp(N1, N2, N3);
  await cluster.time.advance(200_000);
  t.match(await ask('tombstones count'), { total: 1 }, 'kept, as delete_mode says');
  t.match(await reap(), { state: 'done', progress: { looked: 1, reaped: 1, kept: 0 } });
  for (const id of cluster.ids) t.equal(await teller.copyAt(id, key), undefined);
  t.match(await ask('tombstones cancel'), { state: 'done' });
});
