/** Hinted handoff: what was taken in for a node reaches it, and is then forgotten. */

import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import { HANDOFF_DEFAULTS, HintedHandoff } from '../../src/repair/hinted-handoff.ts';
import type { HandoffOptions } from '../../src/repair/hinted-handoff.ts';
import { Reaper } from '../../src/repair/reaper.ts';
import type { ObjectKey } from '../../src/base/names.ts';
import { objectKey, partitionFor, TOMBSTONE, valuesOf } from '../replica/replica-world.ts';
import { RepairCluster } from './repair-cluster.ts';
import type { RepairNode } from './repair-cluster.ts';

const KEYS = Array.from({ length: 40 }, (_, index) => objectKey(`key ${index}`));

/** Four nodes, and each key written at its first replica while the second is down. */
async function clusterWithDebts(options: Partial<HandoffOptions> = {}) {
  const cluster = await RepairCluster.open(4);
  for (const key of KEYS) {
    const [first, second, third] = cluster.primaries(key);
    const [fallback] = cluster.others(key);
    const object = await must(first).write(key, `value of ${key.key}`);
    await must(third).merge(key, object);
    await must(fallback).merge(key, object, must(second).id);
  }
  const handoffs = cluster.nodes.map(
    (node) => new HintedHandoff(node.ports, { ...HANDOFF_DEFAULTS, ...options }),
  );
  return { cluster, handoffs };
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}

/** Whether a hint for it comes before one for the first of KEYS, from the same node to the same. */
function isNeighbour(cluster: RepairCluster, key: ObjectKey): boolean {
  const first = must(KEYS[0]);
  const isSame = cluster.primaries(key)[1] === cluster.primaries(first)[1];
  const isFrom = cluster.others(key)[0] === cluster.others(first)[0];
  return isSame && isFrom && partitionFor(key) < partitionFor(first);
}

function hintCount(node: RepairNode): number {
  return [...node.replica.hintCounts().values()].reduce((sum, count) => sum + count, 0);
}

t.test('hints reach their targets, and the stand-ins keep nothing', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts();
  t.equal(
    cluster.nodes.map(hintCount).reduce((sum, count) => sum + count),
    KEYS.length,
  );
  await Promise.all(handoffs.map((handoff) => handoff.drain()));
  for (const key of KEYS) {
    for (const node of cluster.primaries(key)) {
      t.same(valuesOf(await node.get(key)), [`value of ${key.key}`]);
    }
    for (const node of cluster.others(key)) t.equal(await node.get(key), undefined);
  }
  t.same(cluster.nodes.map(hintCount), [0, 0, 0, 0]);
  await cluster.truths();
});

t.test('a hint kept by a replica goes, and its copy stays', async (t) => {
  const cluster = await RepairCluster.open(3);
  const key = objectKey('k');
  const [first, second] = cluster.primaries(key).map(must);
  const object = await must(first).write(key, 'v');
  await must(first).replica.addHint({ target: must(second).id, key, partition: partitionFor(key) });
  await new HintedHandoff(must(first).ports).drain();
  t.same(valuesOf(await must(second).get(key)), ['v']);
  t.same(await must(first).get(key), object);
  t.equal(hintCount(must(first)), 0);
});

t.test('what is deleted and reaped while it waits for its turn is not given away', async (t) => {
  const cluster = await RepairCluster.open(4);
  const [key, other] = [must(KEYS[0]), must(KEYS.find((each) => isNeighbour(cluster, each)))];
  const [first, second, third] = cluster.primaries(key).map(must);
  const fallback = must(cluster.others(key)[0]);
  const live = await must(first).write(key, 'live');
  for (const node of [must(second), must(third)]) await node.merge(key, live);
  const large = await must(first).write(other, 'x'.repeat(5_000));
  // The first in the order of hints goes at once, and the other has to wait until it is paid for.
  await fallback.merge(other, large, must(second).id);
  await fallback.merge(key, live, must(second).id);
  const handoff = new HintedHandoff(fallback.ports, { ...HANDOFF_DEFAULTS, bytesPerSecond: 1 });
  const drained = handoff.drain();
  await cluster.host.advance(1_000);
  t.equal(hintCount(fallback), 1);

  const dead = await must(first).write(key, TOMBSTONE, live.context);
  for (const node of [must(second), must(third), fallback]) await node.merge(key, dead);
  t.ok(await new Reaper(must(first).ports).reap(key));
  // So long that nobody remembers it.
  for (let minute = 0; minute < 120; minute += 1) await cluster.host.advance(60_000);
  await drained;
  t.same(await Promise.all(cluster.nodes.map((node) => node.get(key))), Array(4).fill(undefined));
});

t.test('a target that is down is left in peace', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts();
  const down = must(cluster.nodes[0]);
  down.isUp = false;
  const asked: string[] = [];
  cluster.onRequest = (_source, target) => {
    asked.push(target);
  };
  await Promise.all(handoffs.map((handoff) => handoff.drain()));
  t.notOk(asked.includes(down.id));
  const owed = KEYS.filter((key) => cluster.primaries(key)[1] === down).length;
  t.ok(owed > 0);
  t.equal(
    cluster.nodes.map(hintCount).reduce((sum, count) => sum + count),
    owed,
  );
});

t.test('cut off anywhere it goes on where it stopped, after a rest that grows', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts({
    backoffMs: 1000,
    backoffMaxMs: 2000,
    objectsMax: 1,
  });
  const link = { asked: 0, carries: 3 };
  cluster.onRequest = () => {
    link.asked += 1;
    if (link.asked > link.carries) throw new Fault('peer-closed', 'the link broke');
  };
  const giver = must(cluster.nodes.find((node) => hintCount(node) > 6));
  const handoff = must(handoffs[cluster.nodes.indexOf(giver)]);
  const before = hintCount(giver);
  await handoff.drain();
  t.ok(hintCount(giver) < before && hintCount(giver) >= before - 3);

  const rests = async (): Promise<number> => {
    let waitedMs = 0;
    Object.assign(link, { asked: 0, carries: 0 });
    while (link.asked === 0) {
      waitedMs += 100;
      await cluster.host.advance(100);
      await handoff.drain();
    }
    return waitedMs;
  };
  t.equal(await rests(), 1000);
  t.equal(await rests(), 2000);
  t.equal(await rests(), 2000, 'and no longer than that');
  link.carries = Infinity;
  await cluster.host.advance(2000);
  await handoff.drain();
  t.equal(hintCount(giver), 0);
});

t.test('an object that the target refuses does not hold up the others', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts();
  const poisoned = must(KEYS[7]);
  cluster.onRequest = (_source, _target, request) => {
    if (request.verb === 'merge' && request.key.key === poisoned.key) {
      throw new Fault('malformed', 'not sound');
    }
  };
  await Promise.all(handoffs.map((handoff) => handoff.drain()));
  t.equal(
    cluster.nodes.map(hintCount).reduce((sum, count) => sum + count),
    1,
  );
  t.equal(cluster.host.counters.get('handoff_refused'), 1);
});

t.test('a copy that changes while it is handed off is handed off again', async (t) => {
  const cluster = await RepairCluster.open(4);
  const key = objectKey('k');
  const [target] = cluster.primaries(key).map(must);
  const fallback = must(cluster.others(key)[0]);
  const first = await fallback.write(key, 'v1');
  await fallback.replica.addHint({ target: must(target).id, key, partition: partitionFor(key) });
  let isFirst = true;
  const handoff = new HintedHandoff(fallback.ports);
  const answer = must(target).answer.bind(target);
  must(target).answer = async (request) => {
    const reply = await answer(request);
    if (isFirst) await fallback.write(key, 'v2', first.context);
    isFirst = false;
    return reply;
  };
  await handoff.drain();
  t.equal(hintCount(fallback), 1);
  t.same(valuesOf(await must(target).get(key)), ['v1']);
  await handoff.drain();
  t.equal(hintCount(fallback), 0);
  t.same(valuesOf(await must(target).get(key)), ['v2']);
  t.equal(await fallback.get(key), undefined);
});

t.test('a stand-in that becomes a replica while it hands off keeps its copy', async (t) => {
  const cluster = await RepairCluster.open(4);
  const key = objectKey('k');
  const [target, leaving] = cluster.primaries(key).map(must);
  const fallback = must(cluster.others(key)[0]);
  await fallback.write(key, 'v');
  await fallback.replica.addHint({ target: must(target).id, key, partition: partitionFor(key) });
  const answer = must(target).answer.bind(target);
  must(target).answer = (request) => {
    const owners = cluster.nodes.filter((node) => node !== leaving).map(({ id }) => id);
    if (cluster.jointRing === undefined) cluster.openStep(owners);
    return answer(request);
  };
  await new HintedHandoff(fallback.ports).drain();
  t.same(valuesOf(await must(target).get(key)), ['v']);
  t.equal(hintCount(fallback), 0);
  t.same(valuesOf(await fallback.get(key)), ['v']);
});

t.test('a hint whose copy is gone is dropped', async (t) => {
  const cluster = await RepairCluster.open(3);
  const key = objectKey('k');
  const [first, second] = cluster.primaries(key).map(must);
  await must(first).replica.addHint({ target: must(second).id, key, partition: partitionFor(key) });
  await new HintedHandoff(must(first).ports).drain();
  t.equal(hintCount(must(first)), 0);
});

t.test('what was owed to a node that is no replica any more goes to those who are', async (t) => {
  const cluster = await RepairCluster.open(4);
  const key = objectKey('k');
  const fallback = must(cluster.others(key)[0]);
  await fallback.write(key, 'v');
  const stranger = 'gone@host' as typeof fallback.id;
  await fallback.replica.addHint({ target: stranger, key, partition: partitionFor(key) });
  await new HintedHandoff(fallback.ports).drain();
  for (const node of cluster.primaries(key)) t.same(valuesOf(await node.get(key)), ['v']);
  t.equal(await fallback.get(key), undefined);
});

t.test('a copy that only some replicas could be given stays, without its hint', async (t) => {
  const cluster = await RepairCluster.open(4);
  const key = objectKey('k');
  const fallback = must(cluster.others(key)[0]);
  await fallback.write(key, 'v');
  const stranger = 'gone@host' as typeof fallback.id;
  await fallback.replica.addHint({ target: stranger, key, partition: partitionFor(key) });
  const [first, ...others] = cluster.primaries(key).map(must);
  for (const node of others) node.isUp = false;
  await new HintedHandoff(fallback.ports).drain();
  t.same(valuesOf(await must(first).get(key)), ['v']);
  t.equal(hintCount(fallback), 0);
  t.same(valuesOf(await fallback.get(key)), ['v'], 'two copies were promised, and there are two');
});

t.test('it drains by itself, at once when a node returns, and stops', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts({ restMs: 10_000 });
  for (const node of cluster.nodes) node.isUp = false;
  for (const handoff of handoffs) handoff.start();
  await cluster.host.advance(25_000);
  t.equal(
    cluster.nodes.map(hintCount).reduce((sum, count) => sum + count),
    KEYS.length,
  );
  for (const node of cluster.nodes) node.isUp = true;
  for (const handoff of handoffs) for (const { id } of cluster.nodes) handoff.nodeReturned(id);
  await cluster.host.advance(100);
  t.same(cluster.nodes.map(hintCount), [0, 0, 0, 0]);
  await Promise.all(handoffs.map((handoff) => handoff.stop()));
  await Promise.all(handoffs.map((handoff) => handoff.stop()));
  t.equal(cluster.host.timerCount, 0);
});

t.test('it keeps to its pace', async (t) => {
  const { cluster, handoffs } = await clusterWithDebts({ bytesPerSecond: 1000 });
  const giver = must(cluster.nodes.find((node) => hintCount(node) > 6));
  const before = hintCount(giver);
  let isDone = false;
  const drained = must(handoffs[cluster.nodes.indexOf(giver)])
    .drain()
    .then(() => {
      isDone = true;
    });
  await cluster.host.advance(500);
  const halfway = hintCount(giver);
  t.ok(halfway > 0 && halfway < before, 'some, and not all');
  t.notOk(isDone);
  await cluster.host.advance(60_000);
  await drained;
  t.equal(hintCount(giver), 0);
});
