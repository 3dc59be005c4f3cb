/**
 * Absorbing: records of another cluster, merged into the copies of this one.
 */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { AbsorbOutcome } from '../../src/coordinator/absorb.ts';
import { decodeRecord } from '../../src/object/record.ts';
import { TestCluster, type ClusterOptions } from './cluster-harness.ts';
import { contextOf, N1, N2, N3, Teller, told } from './told.ts';

const [N4, N5] = ['n4', 'n5'] as string[] as [NodeId, NodeId];
const MERGED = { kind: 'merged' };

async function clusterOf(options: ClusterOptions): Promise<Teller> {
  const teller = new Teller(await TestCluster.start(options));
  await teller.makeType('siblings', {});
  await teller.makeType('sets', { datatype: 'set' });
  return teller;
}

/** Two clusters of other sizes. */
async function twoClusters(here: Partial<ClusterOptions> = {}): Promise<[Teller, Teller]> {
  const there = await clusterOf({ nodeCount: 1, ringSize: 8, seed: 77 });
  return [await clusterOf({ nodeCount: 3, ...here }), there];
}

/** What one node holds of the key, as it is stored. */
async function recordOf({ cluster }: Teller, key: ObjectKey, at = N1): Promise<Buffer> {
  const asked = { verb: 'get', key, headOnly: false } as const;
  const reply = await cluster.settle(cluster.node(at).handle(at, asked, 1_000));
  if (reply.kind !== 'object' || reply.record === undefined) throw new Error('no copy');
  return reply.record;
}

function absorb(
  { cluster }: Teller,
  key: ObjectKey,
  {
    at = N1,
    record,
    ...options
  }: { at?: NodeId; record: Buffer; timeoutMs?: number; keepsTombstone?: boolean },
): Promise<AbsorbOutcome> {
  const request = { key, record, ...options };
  return cluster.settle(cluster.node(at).absorb(request));
}

function keyIn({ cluster }: Teller, type = 'siblings'): ObjectKey {
  return cluster.keyWhere(() => true, { type });
}

t.test('a record of another cluster is the same object here, on every replica', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a' });
  const record = await recordOf(there, key);
  t.same(await absorb(here, key, { record }), MERGED);
  t.same(await absorb(here, key, { record, at: N2 }), MERGED, 'twice is the same as once');
  await here.cluster.time.advance(100);
  for (const at of [N1, N2, N3]) t.same(await recordOf(here, key, at), record);
  t.same(contextOf(await here.get(N3, key)), contextOf(await there.get(N1, key)));
});

t.test('what was written on both sides is siblings, and the same on both', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here);
  await there.put(N1, key, { text: 'there' });
  await here.put(N2, key, { text: 'here' });
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), MERGED);
  t.same(told(await here.get(N1, key)), ['here', 'there']);
  t.same(await absorb(there, key, { record: await recordOf(here, key) }), MERGED);
  t.same(told(await there.get(N1, key)), ['here', 'there']);
  t.same(contextOf(await here.get(N1, key)), contextOf(await there.get(N1, key)));
  const context = contextOf(await there.get(N1, key));
  await there.put(N1, key, { text: 'resolved', context });
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), MERGED);
  t.same(told(await here.get(N3, key)), ['resolved']);
});

t.test('an older record changes nothing', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a' });
  const old = await recordOf(there, key);
  await there.put(N1, key, { text: 'b', context: contextOf(await there.get(N1, key)) });
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), MERGED);
  t.same(await absorb(here, key, { record: old }), MERGED);
  t.same(told(await here.get(N1, key)), ['b']);
});

t.test('updates of a data type on both sides come together', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here, 'sets');
  const add = async ({ cluster }: Teller, element: string): Promise<void> => {
    const operation = { kind: 'set', adds: [utf8ToByteString(element)], removes: [] } as const;
    const request = { key, operation, returning: 'nothing' } as const;
    const outcome = await cluster.settle(cluster.node(N1).updateDatatype(request));
    t.equal(outcome.kind, 'updated');
  };
  await add(here, 'x');
  await add(there, 'y');
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), MERGED);
  const found = await here.cluster.settle(here.cluster.node(N2).fetchDatatype({ key }));
  t.same(found.kind === 'found' && found.shown.value, { kind: 'set', elements: ['x', 'y'] });
});

t.test('a tombstone deletes what it has seen, and is not stored where nothing is', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a' });
  const live = await recordOf(there, key);
  await there.delete(N1, key);
  const record = await recordOf(there, key);
  t.same(await absorb(here, key, { record }), { kind: 'unchanged-tombstone' });
  for (const at of [N1, N2, N3]) t.equal(await here.copyAt(at, key), undefined);
  t.same(await absorb(here, key, { record: live }), MERGED);
  t.same(await absorb(here, key, { record }), MERGED);
  const gone = await here.get(N2, key);
  t.equal(told(gone), 'not-found');
  t.same(contextOf(gone), contextOf(await there.get(N1, key)));
  t.same(await absorb(here, key, { record: live }), MERGED);
  t.equal(told(await here.get(N2, key)), 'not-found', 'the deleted stays deleted');
});

t.test('a value that comes after its deletion stays dead', async (t) => {
  const [here, there] = await twoClusters();
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a' });
  const late = await recordOf(there, key);
  await there.delete(N1, key);
  const record = await recordOf(there, key);
  t.same(await absorb(here, key, { record, keepsTombstone: true }), MERGED);
  t.same(await absorb(here, key, { record: late }), MERGED);
  t.equal(told(await here.get(N1, key)), 'not-found');
});

t.test('a replica that was down gets it when it is back', async (t) => {
  for (const kind of ['cut', 'silent'] as const) {
    const [here, there] = await twoClusters({ nodeCount: 5 });
    const { cluster } = here;
    // The node that absorbs holds no replica, so that it has no copy to owe.
    const key = cluster.keyWhere((nodes) => !nodes.includes(N1) && nodes.includes(N4), {
      type: 'siblings',
    });
    await there.put(N1, key, { text: 'a' });
    cluster.isolate(N4, kind);
    const record = await recordOf(there, key);
    t.same(await absorb(here, key, { record, timeoutMs: 2_000 }), MERGED);
    cluster.heal();
    await cluster.untilUp(...cluster.ids);
    await cluster.time.until(() => cluster.counted(N4, 'vnode_puts') > 0);
    await cluster.time.advance(10_000);
    t.same(await here.copyAt(N4, key), ['a'], kind);
    for (const at of [N1, N5]) {
      const holds = (cluster.node(at).preferenceList(key) ?? []).some(({ node }) => node === at);
      if (!holds) t.equal(await here.copyAt(at, key), undefined, `${kind}: handed on by ${at}`);
    }
  }
});

t.test('without its quorum it fails as a write does, and may be asked again', async (t) => {
  const [here, there] = await twoClusters();
  const { cluster } = here;
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a' });
  const record = await recordOf(there, key);
  cluster.isolate(N1, 'silent');
  t.same(await absorb(here, key, { record, timeoutMs: 500 }), { kind: 'timeout' });
  cluster.heal();
  await cluster.untilUp(N1, N2, N3);
  t.same(await absorb(here, key, { record }), MERGED);
});

t.test('what is no sound record, or too much, is not sent to anyone', async (t) => {
  const [here, there] = await twoClusters({
    limits: { objectSizeMaxBytes: 10_000, siblingsMax: 2 },
  });
  const key = keyIn(here);
  await there.put(N1, key, { text: 'a'.repeat(100) });
  const record = await recordOf(there, key);
  const damaged = Buffer.from(record);
  damaged.writeUInt8(damaged.readUInt8(record.length - 1) ^ 1, record.length - 1);
  const { cluster } = here;
  cluster.seen.length = 0;
  for (const bytes of [damaged, record.subarray(0, 50), Buffer.alloc(0), Buffer.alloc(40_000)]) {
    t.same(await absorb(here, key, { record: bytes }), { kind: 'damaged' });
  }
  const nameless = { ...key, key: utf8ToByteString('') };
  t.same(await absorb(here, nameless, { record }), { kind: 'damaged' });
  t.same(await absorb(here, key, { record: Buffer.alloc(40_001) }), {
    kind: 'too-large',
    sizeBytes: 40_001,
  });
  for (let number = 1; number <= 8; number += 1) await there.put(N1, key, { text: `${number}` });
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), {
    kind: 'too-many-siblings',
    count: 9,
  });
  const stranger = { ...key, type: utf8ToByteString('nowhere') };
  t.same(await absorb(here, stranger, { record }), {
    kind: 'unknown-bucket-type',
    type: 'nowhere',
  });
  t.same(
    cluster.seen.filter(({ request }) => request.verb === 'merge'),
    [],
  );
  t.same(await absorb(here, key, { record }), MERGED);
});

t.test('while a key came back with dots of this cluster, none is given twice', async (t) => {
  const [here, there] = await twoClusters();
  const { cluster } = here;
  const key = cluster.keyWhere((nodes) => nodes[0] === N1, { type: 'siblings' });
  await here.put(N1, key, { text: 'a' });
  await here.put(N1, key, { text: 'b', context: contextOf(await here.get(N1, key)) });
  t.same(await absorb(there, key, { record: await recordOf(here, key) }), MERGED);
  // The first cluster loses its disks, and what it wrote comes back from the second one.
  for (const id of cluster.ids) cluster.crash(id);
  for (const id of cluster.ids) cluster.wipe(id);
  await cluster.settle(Promise.all(cluster.ids.map((id) => cluster.restart(id))));
  await cluster.untilUp(...cluster.ids);
  await here.makeType('siblings', {});
  await here.put(N1, key, { text: 'new' });
  t.same(await absorb(here, key, { record: await recordOf(there, key) }), MERGED);
  t.same(told(await here.get(N2, key)), ['b', 'new']);
  const dots = decodeRecord(await recordOf(here, key))?.siblings.map(({ dot }) => dot.actor);
  t.equal(new Set(dots).size, 2);
});
