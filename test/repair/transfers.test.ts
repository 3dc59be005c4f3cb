/** Replicas move from node to node: filled, confirmed, and only then given away. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { Epoch, NodeId, ObjectKey, Partition } from '../../src/base/names.ts';
import type { PeerStreamRequest } from '../../src/peer/messages.ts';
import { recordCausalHash } from '../../src/object/record.ts';
import { openIdentity } from '../../src/replica/identity.ts';
import { encodeMetaKey, encodeObjectKey } from '../../src/storage/keys.ts';
import { STORE_REPLICA_DEFAULTS, StoreReplica } from '../../src/replica/store-replica.ts';
import { Reaper } from '../../src/repair/reaper.ts';
import { findRefill, refillNote } from '../../src/repair/refill.ts';
import { TransferProgress } from '../../src/repair/transfer-progress.ts';
import { TRANSFER_DEFAULTS, Transfers } from '../../src/repair/transfers.ts';
import {
  objectKey,
  partitionFor,
  placementOf,
  record,
  TOMBSTONE,
  valuesOf,
} from '../replica/replica-world.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { RepairCluster, type RepairNode } from './repair-cluster.ts';

const OPTIONS = { ...TRANSFER_DEFAULTS, settleMs: 0 };
const [A, B, C, D] = ['a@host', 'b@host', 'c@host', 'd@host'] as [NodeId, NodeId, NodeId, NodeId];
const IDENTITY = encodeMetaKey(utf8ToByteString('identity'));
const KEYS = Array.from({ length: 60 }, (_, index) => objectKey(`key ${index}`));

/** Runs the rounds of every node that is up until `isDone`, or throws. */
async function move(
  cluster: RepairCluster,
  isDone: () => boolean | Promise<boolean>,
  limitMs = 120_000,
): Promise<void> {
  const running = cluster.nodes.map((node) => new Transfers(node.ports, OPTIONS, undefined));
  for (const transfers of running) transfers.start();
  try {
    for (let turn = 0; turn < limitMs / 250; turn += 1) {
      if (await isDone()) return;
      await cluster.host.advance(250);
    }
    throw new Error('it never came to that');
  } finally {
    await Promise.all(running.map((transfers) => transfers.stop()));
  }
}

/** A cluster of four, three of which own the ring and hold every key. */
async function openFilled(): Promise<RepairCluster> {
  const cluster = await RepairCluster.open(4, {}, 3);
  for (const key of KEYS) {
    const [first, ...others] = cluster.primaries(key) as [RepairNode, ...RepairNode[]];
    const object = await first.write(key, `value of ${key.key}`);
    for (const other of others) await other.merge(key, object);
  }
  return cluster;
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}

async function holdersOf(cluster: RepairCluster, key: ObjectKey): Promise<NodeId[]> {
  const holders: NodeId[] = [];
  for (const node of cluster.nodes) {
    if ((await node.get(key)) !== undefined) holders.push(node.id);
  }
  return holders;
}

function ringHolders(cluster: RepairCluster, key: ObjectKey): NodeId[] {
  return cluster
    .primaries(key)
    .map(({ id }) => id)
    .sort();
}

async function isInPlace(cluster: RepairCluster, key: ObjectKey): Promise<boolean> {
  return (await holdersOf(cluster, key)).join() === ringHolders(cluster, key).join();
}

async function areAllInPlace(cluster: RepairCluster): Promise<boolean> {
  for (const key of KEYS) {
    if (!(await isInPlace(cluster, key))) return false;
  }
  return true;
}

function recordStreams(cluster: RepairCluster): Extract<PeerStreamRequest, { verb: 'records' }>[] {
  return cluster.streamed.flatMap(({ request }) => (request.verb === 'records' ? [request] : []));
}

t.test('a node that joins is filled, and what others gave up they drop', async (t) => {
  const cluster = await openFilled();
  cluster.openStep([A, B, C, D]);
  t.ok(cluster.state.step?.unfilled.includes(D));
  await move(cluster, () => cluster.state.step === undefined);
  for (const key of KEYS) {
    for (const node of cluster.primaries(key)) {
      t.same(valuesOf(await node.get(key)), [`value of ${key.key}`]);
    }
  }
  await move(cluster, () => areAllInPlace(cluster));
  await cluster.truths();
});

t.test('nothing is given away while a step is open', async (t) => {
  const cluster = await openFilled();
  cluster.openStep([A, B, C, D]);
  cluster.node(D).ports.propose = () => Promise.resolve();
  const before = await Promise.all(KEYS.map((key) => holdersOf(cluster, key)));
  await t.rejects(move(cluster, () => cluster.state.step === undefined, 10_000));
  for (const [index, key] of KEYS.entries()) {
    const holders = await holdersOf(cluster, key);
    t.ok(
      before[index]?.every((id) => holders.includes(id)),
      'those before',
    );
    t.ok(
      cluster.jointRing
        ?.preferenceList(partitionFor(key), 3)
        .replicas.every(({ node }) => holders.includes(node)),
      'those after',
    );
  }
});

t.test(
  'what is deleted and reaped while it waits to be taken in is not brought back',
  async (t) => {
    const cluster = await openFilled();
    cluster.openStep([A, B, C, D]);
    const options = { ...OPTIONS, bytesPerSecond: 0.01 };
    const transfers = new Transfers(cluster.node(D).ports, options, undefined);
    transfers.start();
    await cluster.host.advance(5_000);
    const reaper = new Reaper(cluster.node(A).ports);
    for (const key of KEYS) {
      const [first] = cluster.primaries(key);
      const context = (await must(first).get(key))?.context;
      const dead = await must(first).write(key, TOMBSTONE, context);
      for (const node of cluster.nodes) await node.merge(key, dead);
      t.ok(await reaper.reap(key));
    }
    // So long that nobody remembers it.
    for (let hour = 0; hour < 48; hour += 1) await cluster.host.advance(3_600_000);
    await transfers.stop();
    for (const key of KEYS) t.same(await holdersOf(cluster, key), []);
  },
);

t.test('a fold goes on from another source, and after a restart, where it stopped', async (t) => {
  const cluster = await openFilled();
  cluster.openStep([A, B, C, D]);
  let breaks = 0;
  cluster.onItem = (_source, item) => {
    if (item.kind !== 'records' || item.records.length === 0 || breaks === 6) return;
    breaks += 1;
    throw new Fault('peer-closed', 'the link broke');
  };
  // What runs here ends with each of these, as at a restart, and the next begins with the stores.
  for (const count of [2, 4, 6]) await move(cluster, () => breaks >= count);
  await move(cluster, () => cluster.state.step === undefined);
  const resumed = recordStreams(cluster).filter(({ after }) => after !== undefined);
  t.ok(resumed.length >= 6, `${resumed.length} streams went on`);
  await move(cluster, () => areAllInPlace(cluster));
});

t.test('what a source lacks comes from the others', async (t) => {
  const cluster = await openFilled();
  const written: ObjectKey[] = [];
  for (let index = 0; index < 30; index += 1) {
    const key = objectKey(`only ${index}`);
    const [first, second, third] = cluster.primaries(key);
    await [first, second, third][index % 3]?.write(key, 'one copy');
    written.push(key);
  }
  cluster.openStep([A, B, C, D]);
  await move(cluster, () => cluster.state.step === undefined);
  for (const key of written) {
    const gained = cluster.node(D);
    if (!cluster.primaries(key).includes(gained)) continue;
    t.same(valuesOf(await gained.get(key)), ['one copy']);
  }
});

t.test('a step waits for sources that may come back, not for those given up', async (t) => {
  const cluster = await openFilled();
  cluster.node(A).isUp = false;
  cluster.node(B).isUp = false;
  cluster.openStep([A, B, C, D]);
  await t.rejects(move(cluster, () => cluster.state.step?.phase !== 'filling', 10_000));
  cluster.adopt({
    ...cluster.state,
    members: cluster.state.members.map((member) =>
      member.id === A || member.id === B ? { ...member, status: 'down' } : member,
    ),
    step: cluster.state.step && { ...cluster.state.step, unfilled: [C, D] },
  });
  await move(cluster, () => cluster.state.step === undefined);
});

t.test(
  'what a late writer brings to a former replica reaches those who hold the key',
  async (t) => {
    const cluster = await openFilled();
    cluster.openStep([A, B, C, D]);
    await move(cluster, () => cluster.state.step === undefined);
    await move(cluster, () => areAllInPlace(cluster));
    const key = KEYS.find((each) => cluster.others(each)[0]?.id !== D) as ObjectKey;
    const [former] = cluster.others(key) as [RepairNode];
    await former.write(key, 'late');
    await move(cluster, () => areAllInPlace(cluster));
    for (const node of cluster.primaries(key)) {
      t.same(valuesOf(await node.get(key)), ['late', `value of ${key.key}`].sort());
    }
  },
);

t.test('nothing is dropped while one of its replicas is away, or has changed since', async (t) => {
  const cluster = await RepairCluster.open(4, {}, 3);
  const [key] = KEYS as [ObjectKey];
  const stranded = cluster.node(D);
  await stranded.write(key, 'stranded');
  cluster.node(B).isUp = false;
  await t.rejects(move(cluster, async () => (await stranded.get(key)) === undefined, 40_000));
  t.same(await holdersOf(cluster, key), [D]);
  cluster.node(B).isUp = true;
  let more = 0;
  cluster.onRequest = (_source, target, { verb }) => {
    if (verb !== 'merge' || target !== C || more === 3) return;
    more += 1;
    void stranded.write(key, `written meanwhile ${more}`);
  };
  await move(cluster, () => isInPlace(cluster, key), 300_000);
  for (const node of cluster.primaries(key)) t.equal((await node.get(key))?.siblings.length, 4);
});

t.test('a last copy that the disk refuses to read stays until it can be read', async (t) => {
  const cluster = await RepairCluster.open(4, {}, 3);
  const [key] = KEYS as [ObjectKey];
  const stranded = cluster.node(D);
  await stranded.write(key, 'stranded');
  stranded.store.bodilessKey = encodeObjectKey(partitionFor(key), key);
  stranded.store.isDiskRefusing = true;
  stranded.replica.doubt(key);
  await t.rejects(move(cluster, async () => !(await stranded.replica.holdsCopies()), 40_000));
  stranded.store.bodilessKey = undefined;
  await move(cluster, () => isInPlace(cluster, key));
  for (const node of cluster.primaries(key)) t.same(valuesOf(await node.get(key)), ['stranded']);
});

t.test('a copy that the disk reads as rubbish is dropped where it does not belong', async (t) => {
  const cluster = await RepairCluster.open(4, {}, 3);
  const [key] = KEYS as [ObjectKey];
  const stranded = cluster.node(D);
  await stranded.write(key, 'rubbish');
  stranded.store.bodilessKey = encodeObjectKey(partitionFor(key), key);
  stranded.replica.doubt(key);
  await move(cluster, async () => !(await stranded.replica.holdsCopies()));
  t.same(await holdersOf(cluster, key), [], 'nobody else held it');
});

t.test(
  'a former replica that a higher n_val makes one again meanwhile keeps its copy',
  async (t) => {
    const cluster = await RepairCluster.open(4);
    const [key] = KEYS as [ObjectKey];
    const stranded = must(cluster.others(key)[0]);
    await stranded.write(key, 'v');
    const last = must(cluster.primaries(key).at(-1)).id;
    let properties = placementOf(key).properties;
    cluster.onRequest = (_source, target, { verb }) => {
      if (verb === 'merge' && target === last) properties = { ...properties, n_val: 4 };
    };
    const place = () => ({ ...placementOf(key), properties });
    stranded.ports.view = { ...stranded.ports.view, place };
    const transfers = new Transfers(stranded.ports, OPTIONS, undefined);
    transfers.start();
    await cluster.host.advance(40_000);
    await transfers.stop();
    t.equal(properties.n_val, 4);
    t.equal((await holdersOf(cluster, key)).length, 4);
  },
);

t.test('a key that is placed elsewhere by now is not dropped where it belongs', async (t) => {
  const cluster = await RepairCluster.open(4);
  const key = must(KEYS.find((each) => partitionFor(each) === 0));
  const stranded = must(cluster.others(key)[0]);
  const object = await stranded.write(key, 'v');
  for (const node of cluster.primaries(key)) await node.merge(key, object);
  // By the new rule of its bucket the key lies where this node is a replica.
  const partition = must(cluster.ring.partitionsHeldBy(stranded.id, 3)[0]);
  t.not(partition, partitionFor(key));
  const place = { ...placementOf(key), partition };
  await stranded.replica.merge(key, place, record(object), undefined);
  stranded.ports.view = { ...stranded.ports.view, place: () => place };
  const transfers = new Transfers(stranded.ports, OPTIONS, undefined);
  transfers.start();
  await cluster.host.advance(30_000);
  await transfers.stop();
  t.same(valuesOf(await stranded.replica.get(key, partition)), ['v']);
});

t.test('an exiting member that has nothing left is a member no more', async (t) => {
  const cluster = await openFilled();
  const status = 'leaving' as const;
  cluster.adopt({
    ...cluster.state,
    members: cluster.state.members.map((member) =>
      member.id === A ? { ...member, status } : member,
    ),
  });
  cluster.openStep([B, C, D]);
  await move(cluster, () => !cluster.state.members.some(({ id }) => id === A));
  t.equal(await cluster.node(A).replica.holdsAny(partitionFor(KEYS[0] as ObjectKey), 3), false);
  t.ok(await areAllInPlace(cluster));
});

t.test(
  'an exiting member hands over what no tree in use counts, and leaves with what is damaged',
  async (t) => {
    // Those that remain are replicas of everything already: nobody is filled.
    const cluster = await RepairCluster.open(3);
    const key = objectKey('counted by an n_val that has gone');
    const leaving = cluster.node(A);
    // What the n_vals of now are is noted, so that nobody counts anew.
    await t.rejects(move(cluster, () => false, 10_000));
    const { partition, properties } = placementOf(key);
    const object = await cluster.node(B).write(key, 'v');
    const before = { ...properties, n_val: 5 };
    const identity = await openIdentity(leaving.store, cluster.host);
    const ports = { store: leaving.store, identity, properties: () => before };
    const replica = await StoreReplica.open(cluster.host, ports, STORE_REPLICA_DEFAULTS);
    await replica.merge(key, { partition, properties: before }, record(object), undefined);
    const hash = recordCausalHash(record(object));
    await cluster.node(B).replica.drop(key, placementOf(key), hash);
    t.same(await holdersOf(cluster, key), [A]);
    const damaged = encodeObjectKey(partition, objectKey('damaged'));
    await leaving.store.write([{ kind: 'put', key: damaged, head: Buffer.from('no head') }]);
    const status = 'leaving' as const;
    cluster.adopt({
      ...cluster.state,
      members: cluster.state.members.map((member) =>
        member.id === A ? { ...member, status } : member,
      ),
    });
    cluster.openStep([B, C]);
    await move(cluster, () => !cluster.state.members.some(({ id }) => id === A));
    t.same(await holdersOf(cluster, key), [B, C]);
    t.equal(await leaving.replica.holdsCopies(), true);
  },
);

t.test('an exiting member looks again where an n_val changed while it looked', async (t) => {
  const cluster = await RepairCluster.open(3);
  const key = objectKey('counted by an n_val that has gone');
  const leaving = cluster.node(A);
  await t.rejects(move(cluster, () => false, 10_000));
  const { partition, properties } = placementOf(key);
  const object = await cluster.node(B).write(key, 'v');
  const identity = await openIdentity(leaving.store, cluster.host);
  let nVal = 5;
  const isExiting = (): boolean =>
    cluster.state.members.find(({ id }) => id === A)?.status === 'exiting';
  const nValNow = (): number => {
    const before = nVal;
    // Back to the n_val of the others, when the copy has just been passed over.
    if (isExiting() && nVal === 5) {
      nVal = 3;
      cluster.adopt({ ...cluster.state, epoch: (cluster.state.epoch + 1) as Epoch });
    }
    return before;
  };
  const ports = {
    store: leaving.store,
    identity,
    properties: () => ({ ...properties, n_val: nValNow() }),
  };
  const replica = await StoreReplica.open(cluster.host, ports, STORE_REPLICA_DEFAULTS);
  leaving.ports.replica = replica;
  const placement = { partition, properties: { ...properties, n_val: 5 } };
  await replica.merge(key, placement, record(object), undefined);
  const hash = recordCausalHash(record(object));
  await cluster.node(B).replica.drop(key, placementOf(key), hash);
  const status = 'leaving' as const;
  cluster.adopt({
    ...cluster.state,
    members: cluster.state.members.map((member) =>
      member.id === A ? { ...member, status } : member,
    ),
  });
  cluster.openStep([B, C]);
  await move(cluster, () => !cluster.state.members.some(({ id }) => id === A));
  t.equal(nVal, 3);
  for (const node of [B, C]) t.same(valuesOf(await cluster.node(node).get(key)), ['v']);
});

for (const lost of ['empty', 'older'] as const) {
  t.test(`a node whose disk came back ${lost} is filled again`, async (t) => {
    const cluster = await openFilled();
    const node = cluster.node(B);
    for (const [index, key] of KEYS.entries()) {
      if (lost === 'older' && index % 3 !== 0) continue;
      const record = await node.replica.getRecord(key, partitionFor(key), false);
      const hint = { partition: partitionFor(key), key, target: node.id };
      await node.replica.settleHint(hint, record, true);
    }
    if (lost === 'empty') await node.store.write([{ kind: 'remove', key: IDENTITY }]);
    await openIdentity(node.store, cluster.host, {
      mayHaveForgotten: lost === 'older',
      withNew: (isEmpty) => [refillNote(cluster.host, isEmpty)],
    });
    const note = await findRefill(node.store);
    t.equal(note?.lost, lost === 'older' ? 'older' : 'empty');
    const transfers = new Transfers(node.ports, OPTIONS, note);
    transfers.start();
    for (let turn = 0; turn < 400 && !node.isFilled; turn += 1) await cluster.host.advance(250);
    t.ok(node.isFilled);
    await transfers.stop();
    t.ok(await areAllInPlace(cluster));
    t.equal(await findRefill(node.store), undefined);
    t.equal(recordStreams(cluster).length > 0, lost === 'empty', 'an older disk is only compared');
  });
}

t.test('progress says what moves, how fast, and what went wrong', async (t) => {
  const cluster = await openFilled();
  cluster.openStep([A, B, C, D]);
  cluster.node(A).isUp = false;
  const node = cluster.node(D);
  let breaks = 0;
  cluster.onItem = (_source, item) => {
    breaks += item.kind === 'records' ? 1 : 0;
    if (breaks === 3) throw new Fault('peer-closed', 'the link broke');
  };
  const transfers = new Transfers(node.ports, OPTIONS, undefined);
  transfers.start();
  await cluster.host.advance(3_000);
  const { totals, lastFailure, bytesPerSecond, keysPerSecond } = transfers.status();
  await transfers.stop();
  t.equal(lastFailure?.code, 'peer-closed');
  t.ok(keysPerSecond > 0 && bytesPerSecond > keysPerSecond);
  const [fill] = totals;
  t.match(fill, { kind: 'fill', trees: Number, keys: Number });
  t.ok(fill !== undefined && fill.treesDone <= fill.trees && fill.bytes > 0);
  t.equal(transfers.fillBytesPerSecond, undefined, 'so little tells nothing of the rate');
});

t.test('the rate of a fill is known when it has moved enough', async (t) => {
  const host = new VirtualHost();
  const progress = new TransferProgress(host.clock, 60_000);
  progress.beginWork('fill', 1);
  const note = progress.begin('fill', { partition: 0 as Partition, nVal: 3 }, [A]);
  await host.advance(2_000);
  note.add(1_000, 4 * 1024 * 1024);
  note.end();
  t.equal(progress.fillBytesPerSecond, 2 * 1024 * 1024);
  progress.beginWork('hand-over', 1);
  progress.begin('hand-over', { partition: 0 as Partition, nVal: 3 }, [A]).end();
  t.equal(progress.fillBytesPerSecond, 2 * 1024 * 1024, 'and stays known');
});
