/**
 * A store belongs to one node: whoever is started on that of another is refused.
 */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { findStoreOwner } from '../../src/node/store-owner.ts';
import { encodeMetaKey } from '../../src/storage/keys.ts';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, told } from './told.ts';

const NOTE_KEY = encodeMetaKey(utf8ToByteString('owner'));
const NONE = Buffer.from([]);

/** Three nodes that hold a key, of which the first two have been stopped, or crashed. */
async function twoDown({ isStopped }: { readonly isStopped: boolean }) {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const teller = new Teller(cluster);
  const key = cluster.keyWhere(() => true);
  await teller.put(N3, key, { text: 'a' });
  for (const id of [N1, N2]) {
    if (isStopped) await cluster.stop(id);
    else cluster.crash(id);
  }
  const disks = { n1: await cluster.copy(N1), n2: await cluster.copy(N2) };
  return { cluster, teller, key, disks };
}

for (const isStopped of [true, false]) {
  const how = isStopped ? 'a clean stop' : 'a crash';
  t.test(`the disks of two nodes that were swapped after ${how} are refused`, async (t) => {
    const { cluster, teller, key, disks } = await twoDown({ isStopped });
    cluster.replaceDisk(N1, disks.n2);
    cluster.replaceDisk(N2, disks.n1);
    const starts: [NodeId, NodeId][] = [
      [N1, N2],
      [N2, N1],
    ];
    for (const [id, owner] of starts) {
      const before = await entriesOf(cluster, id);
      const message = new RegExp(`the data folder of ${id} holds the store of ${owner}: `);
      await t.rejects(cluster.restart(id), { code: 'config', message });
      t.same(await entriesOf(cluster, id), before, 'nothing in it was touched');
      cluster.crash(id);
    }

    cluster.replaceDisk(N1, disks.n1);
    cluster.replaceDisk(N2, disks.n2);
    await Promise.all([cluster.restart(N1), cluster.restart(N2)]);
    await cluster.untilUp(N1, N2, N3);
    t.same(told(await teller.get(N1, key)), ['a'], 'each under its own name again');
  });
}

async function entriesOf(cluster: TestCluster, id: NodeId): Promise<string[]> {
  const copy = await cluster.copy(id);
  const entries: string[] = [];
  const all = { from: Buffer.from([0]), to: Buffer.from([0xff]) };
  for await (const page of copy.scan(all)) {
    for (const { key, value } of page)
      entries.push(`${key.toString('hex')} ${value.toString('hex')}`);
  }
  return entries;
}

t.test('a store of a build that noted no name belongs to who starts on it first', async (t) => {
  const { cluster, disks } = await twoDown({ isStopped: true });
  await disks.n1.write([{ kind: 'remove', key: NOTE_KEY }]);
  cluster.replaceDisk(N1, disks.n1);
  await cluster.restart(N1);
  t.equal(await findStoreOwner(await cluster.copy(N1)), N1);
});

t.test('but not to a node that it knows as another', async (t) => {
  const { cluster, teller, key, disks } = await twoDown({ isStopped: false });
  for (const disk of [disks.n1, disks.n2]) await disk.write([{ kind: 'remove', key: NOTE_KEY }]);
  cluster.replaceDisk(N1, disks.n2);
  const before = await entriesOf(cluster, N1);
  const message = /the data folder of n1 holds the store of a node that knows n1 as another: /;
  await t.rejects(cluster.restart(N1), { code: 'config', message });
  t.same(await entriesOf(cluster, N1), before, 'nothing in it was touched');
  cluster.crash(N1);
  cluster.replaceDisk(N1, disks.n1);
  cluster.replaceDisk(N2, disks.n2);
  await Promise.all([cluster.restart(N1), cluster.restart(N2)]);
  await cluster.untilUp(N1, N2, N3);
  t.same(told(await teller.get(N1, key)), ['a']);
});

t.test('a note that is damaged names nobody, and is made anew', async (t) => {
  const { cluster, disks } = await twoDown({ isStopped: true });
  const note = Buffer.from((await disks.n1.get(NOTE_KEY)) ?? NONE);
  for (let at = 0; at < note.length; at += 1) {
    const damaged = Buffer.from(note);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    await disks.n1.write([{ kind: 'put', key: NOTE_KEY, head: damaged }]);
    t.equal(await findStoreOwner(disks.n1), undefined, `a bit of byte ${at}`);
  }
  cluster.replaceDisk(N1, disks.n1);
  await cluster.restart(N1);
  t.equal(await findStoreOwner(await cluster.copy(N1)), N1);
});

t.test('who lost its disk starts on an empty one, which is its own then', async (t) => {
  const { cluster } = await twoDown({ isStopped: false });
  cluster.wipe(N1);
  await cluster.restart(N1);
  t.equal(await findStoreOwner(await cluster.copy(N1)), N1);
});
