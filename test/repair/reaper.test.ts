/** The reaper: a tombstone goes when all have it, and what it held down stays dead. */

import fc from 'fast-check';
import t from 'tap';
import { Fault } from '../../src/base/fault.ts';
import type { StoredObject } from '../../src/object/stored-object.ts';
import { ANTI_ENTROPY_DEFAULTS, AntiEntropy } from '../../src/repair/anti-entropy.ts';
import { compareKeys } from '../../src/repair/differing-keys.ts';
import { HintedHandoff } from '../../src/repair/hinted-handoff.ts';
import { Reaper, REAPER_DEFAULTS } from '../../src/repair/reaper.ts';
import type { ReaperOptions } from '../../src/repair/reaper.ts';
import { objectKey, partitionFor, TOMBSTONE, valuesOf } from '../replica/replica-world.ts';
import { RepairCluster } from './repair-cluster.ts';
import type { RepairNode } from './repair-cluster.ts';

const KEY = objectKey('k');

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is there');
  return value;
}

function reaperOf(node: RepairNode | undefined, options: Partial<ReaperOptions> = {}): Reaper {
  return new Reaper(must(node).ports, { ...REAPER_DEFAULTS, ...options });
}

/** A cluster of four in which the replicas of KEY hold its tombstone. */
async function clusterWithTombstone() {
  const cluster = await RepairCluster.open(4);
  const [first, ...others] = cluster.primaries(KEY);
  const live = await must(first).write(KEY, 'v');
  const dead = await must(first).write(KEY, TOMBSTONE, live.context);
  for (const node of others) await node.merge(KEY, dead);
  return { cluster, live, dead, first: must(first), others };
}

async function holders(cluster: RepairCluster): Promise<RepairNode[]> {
  const copies = await Promise.all(cluster.nodes.map((node) => node.get(KEY)));
  return cluster.nodes.filter((_, index) => copies[index] !== undefined);
}

t.test('a tombstone that all replicas hold goes after its time', async (t) => {
  const { cluster, first } = await clusterWithTombstone();
  const reaper = reaperOf(first);
  reaper.considerReap(KEY);
  reaper.considerReap(KEY);
  await cluster.host.advance(2_999);
  t.equal((await holders(cluster)).length, 3);
  await cluster.host.advance(1);
  t.equal((await holders(cluster)).length, 0);
  t.equal(cluster.host.counters.get('reaper_reaped'), 1);
  t.equal(cluster.host.timerCount, 0);
  await cluster.truths();
});

t.test('at once, or never, if that is how deletes are set', async (t) => {
  const { cluster, first } = await clusterWithTombstone();
  const keeper = reaperOf(first, { deleteMode: 'keep' });
  keeper.considerReap(KEY);
  keeper.start();
  await cluster.host.advance(200_000);
  t.equal((await holders(cluster)).length, 3);
  reaperOf(first, { deleteMode: 'immediate' }).considerReap(KEY);
  await cluster.host.advance(0);
  t.equal((await holders(cluster)).length, 0);
});

t.test('it waits a moment for an epoch to spread, and not for a sweep', async (t) => {
  const { cluster, first } = await clusterWithTombstone();
  cluster.hasSpread = false;
  const reaper = reaperOf(first);
  reaper.considerReap(KEY);
  await cluster.host.advance(4_000);
  t.equal((await holders(cluster)).length, 3);
  cluster.hasSpread = true;
  await cluster.host.advance(250);
  t.equal((await holders(cluster)).length, 0);
});

t.test('it stays while a replica has another copy, or none', async (t) => {
  const { cluster, first, others, live } = await clusterWithTombstone();
  const last = must(others[1]);
  const concurrent = await last.write(KEY, 'concurrent', live.context);
  reaperOf(first).considerReap(KEY);
  await cluster.host.advance(60_000);
  t.equal((await holders(cluster)).length, 3);
  t.equal(cluster.host.counters.get('reaper_kept'), 1);
  t.same(valuesOf(await last.get(KEY)), valuesOf(concurrent));

  const next = await clusterWithTombstone();
  const lacking = must(next.others[0]);
  const hint = { target: lacking.id, key: KEY, partition: partitionFor(KEY) };
  const record = await lacking.replica.getRecord(KEY, hint.partition, false);
  await lacking.replica.settleHint(hint, record, true);
  reaperOf(next.first).considerReap(KEY);
  await next.cluster.host.advance(3_000);
  t.equal((await holders(next.cluster)).length, 2);
});

t.test('a replica that takes it in a moment later does not keep it for a sweep', async (t) => {
  const cluster = await RepairCluster.open(4);
  const [first, ...others] = cluster.primaries(KEY).map(must);
  const live = await must(first).write(KEY, 'v');
  for (const node of others) await node.merge(KEY, live);
  const dead = await must(first).write(KEY, TOMBSTONE, live.context);
  const [soon, late] = others.map(must);
  await must(soon).merge(KEY, dead);
  const reaper = reaperOf(first, { deleteMode: 'immediate' });
  reaper.considerReap(KEY);
  await cluster.host.advance(40);
  t.equal((await holders(cluster)).length, 3);
  await must(late).merge(KEY, dead);
  await cluster.host.advance(10);
  t.equal((await holders(cluster)).length, 0);
  t.equal(cluster.host.timerCount, 0);
});

t.test('it is looked at again a few times, later each time, while it is somewhere', async (t) => {
  const { cluster, first, others, live } = await clusterWithTombstone();
  await must(others[1]).write(KEY, 'concurrent', live.context);
  let looks = 0;
  cluster.onRequest = (_source, target, { verb }) => {
    if (verb === 'get' && target === must(others[1]).id) looks += 1;
  };
  reaperOf(first, { deleteMode: 'immediate' }).considerReap(KEY);
  const seen: number[] = [];
  for (const ms of [0, 49, 1, 199, 1, 799, 1, 3_199, 1, 100_000]) {
    await cluster.host.advance(ms);
    seen.push(looks);
  }
  t.same(seen, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  t.equal(cluster.host.timerCount, 0);
  t.equal(cluster.host.counters.get('reaper_kept'), 1, 'and counted once');
});

t.test('it stays while a stand-in holds what it deleted', async (t) => {
  const { cluster, first, others, live } = await clusterWithTombstone();
  const fallback = must(cluster.others(KEY)[0]);
  await fallback.merge(KEY, live, must(others[0]).id);
  const reaper = reaperOf(first);
  reaper.considerReap(KEY);
  await cluster.host.advance(3_000);
  t.equal((await holders(cluster)).length, 4);

  await new HintedHandoff(fallback.ports).drain();
  reaper.considerReap(KEY);
  await cluster.host.advance(3_000);
  t.equal((await holders(cluster)).length, 0);
});

t.test('it stays while any member is down', async (t) => {
  const { cluster, first } = await clusterWithTombstone();
  const away = must(cluster.others(KEY)[0]);
  away.isUp = false;
  const reaper = reaperOf(first);
  for (const status of ['valid', 'down'] as const) {
    const members = cluster.state.members.map((member) =>
      member.id === away.id ? { ...member, status } : member,
    );
    cluster.adopt({ ...cluster.state, members });
    reaper.considerReap(KEY);
    await cluster.host.advance(3_000);
    t.equal((await holders(cluster)).length, 3, status);
    t.same(reaper.awaited(), [away.id]);
  }
  // Taken out by force, it is not waited for.
  const members = cluster.state.members.filter(({ id }) => id !== away.id);
  const ownerByPartition = cluster.state.ownerByPartition.map((_, index) => index % members.length);
  cluster.adopt({ ...cluster.state, members, ownerByPartition });
  for (const node of cluster.primaries(KEY)) {
    const object = must(await first.get(KEY));
    await node.merge(KEY, object);
  }
  reaper.considerReap(KEY);
  await cluster.host.advance(3_000);
  t.same(await holders(cluster), []);
  t.same(reaper.awaited(), []);
});

t.test('a write that comes between the question and the reap survives', async (t) => {
  const { cluster, first, others } = await clusterWithTombstone();
  const writer = must(others[0]);
  let written: StoredObject | undefined;
  let isWriting = false;
  const answer = writer.answer.bind(writer);
  writer.answer = async (request) => {
    if (request.verb === 'reap' && !isWriting) {
      isWriting = true;
      written = await writer.write(KEY, 'new');
    }
    return answer(request);
  };
  reaperOf(first).considerReap(KEY);
  await cluster.host.advance(3_000);
  t.ok(written);
  t.same(valuesOf(await writer.get(KEY)), ['new']);
  for (const node of [first, must(others[1])]) await node.merge(KEY, must(written));
  const options = { ...ANTI_ENTROPY_DEFAULTS, pauseMs: 0, settleMs: 0 };
  for (const node of cluster.nodes) await new AntiEntropy(node.ports, options).runRound();
  for (const node of cluster.primaries(KEY)) t.same(valuesOf(await node.get(KEY)), ['new']);
  await cluster.truths();
});

t.test('a reap that reached some only is finished by anti-entropy and a sweep', async (t) => {
  const { cluster, first, others } = await clusterWithTombstone();
  cluster.onRequest = (_source, target, { verb }) => {
    if (verb === 'reap' && target === must(others[0]).id) throw new Fault('peer-closed', 'broke');
  };
  reaperOf(first).considerReap(KEY);
  await cluster.host.advance(3_000);
  t.same(await holders(cluster), [must(others[0])]);
  t.equal(cluster.host.counters.get('reaper_failed'), 1);

  cluster.onRequest = () => {};
  const options = { ...ANTI_ENTROPY_DEFAULTS, pauseMs: 0, settleMs: 0 };
  for (const node of cluster.nodes) await new AntiEntropy(node.ports, options).runRound();
  t.equal((await holders(cluster)).length, 3);
  const reapers = cluster.nodes.map((node) => reaperOf(node));
  for (const reaper of reapers) await reaper.sweep();
  await cluster.host.advance(3_000);
  t.equal((await holders(cluster)).length, 0);
});

t.test('sweeps find the tombstones that nobody asked about, each once', async (t) => {
  const cluster = await RepairCluster.open(4);
  const keys = Array.from({ length: 30 }, (_, index) => objectKey(`key ${index}`));
  for (const key of keys) {
    const [first, ...others] = cluster.primaries(key);
    const live = await must(first).write(key, 'v');
    const dead = await must(first).write(key, TOMBSTONE, live.context);
    for (const node of others) await node.merge(key, dead);
  }
  const reapers = cluster.nodes.map((node) => reaperOf(node, { sweepRestMs: 1_000, queueMax: 5 }));
  for (const reaper of reapers) reaper.start();
  await cluster.host.advance(60_000);
  t.equal(cluster.host.counters.get('reaper_reaped'), 30);
  for (const truth of await cluster.truths()) t.equal(truth.objects.size, 0);
  t.ok((cluster.host.counters.get('reaper_refused') ?? 0) > 0, 'the queue was too short');
  await Promise.all(reapers.map((reaper) => reaper.stop()));
  t.equal(cluster.host.timerCount, 0);
});

t.test('those that must stay do not keep the others from being swept', async (t) => {
  const cluster = await RepairCluster.open(4);
  const sweeper = must(cluster.nodes[0]);
  const owned = new Set(sweeper.ports.view.ring().partitionsOf(sweeper.id));
  const keys = Array.from({ length: 200 }, (_, index) => objectKey(`key ${index}`))
    .filter((key) => owned.has(partitionFor(key)))
    .sort((left, right) => partitionFor(left) - partitionFor(right) || compareKeys(left, right));
  const last = must(keys.at(-1));
  for (const key of keys) {
    const [first, ...others] = cluster.primaries(key);
    const live = await must(first).write(key, 'v');
    const dead = await must(first).write(key, TOMBSTONE, live.context);
    // Of all but the last one replica has nothing yet.
    const hasAll = key === last;
    for (const node of hasAll ? others : others.slice(1)) await node.merge(key, dead);
  }
  const reaper = reaperOf(sweeper, { sweepRestMs: 1_000, queueMax: 5 });
  reaper.start();
  t.ok(keys.length > 20, `${keys.length} tombstones`);
  await cluster.host.advance(1_000 * keys.length);
  t.equal(await must(cluster.primaries(last)[0]).get(last), undefined);
  t.equal(cluster.host.counters.get('reaper_reaped'), 1);
  await reaper.stop();
});

t.test('a stopped reaper waits for what is under way and takes nothing more', async (t) => {
  const { cluster, first } = await clusterWithTombstone();
  const reaper = reaperOf(first, { deleteMode: 'immediate' });
  reaper.considerReap(KEY);
  const advanced = cluster.host.advance(0);
  await reaper.stop();
  await advanced;
  reaper.considerReap(KEY);
  await cluster.host.advance(10_000);
  t.equal(cluster.host.timerCount, 0);
});

type Late = { readonly node: number; readonly state: number; readonly hinted: boolean };

t.test('whatever comes late, the deleted stays deleted', async (t) => {
  const late: fc.Arbitrary<Late> = fc.record({
    node: fc.nat({ max: 3 }),
    state: fc.nat({ max: 3 }),
    hinted: fc.boolean(),
  });
  const before = fc.array(late, { maxLength: 4 });
  const after = fc.array(late, { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(before, after, async (early, lates) => {
      const cluster = await RepairCluster.open(4);
      const [first, ...others] = cluster.primaries(KEY).map(must);
      const states = [await must(first).write(KEY, 'v0')];
      for (const value of ['v1', 'v2']) {
        states.push(await must(first).write(KEY, value, must(states.at(-1)).context));
      }
      const arrive = async ({ node: index, state, hinted }: Late): Promise<void> => {
        const node = must([...cluster.primaries(KEY), ...cluster.others(KEY)][index]);
        const object = must(states[state % states.length]);
        await node.merge(KEY, object, hinted ? must(others[0]).id : undefined);
      };
      for (const each of early) await arrive(each);
      const dead = await must(first).write(KEY, TOMBSTONE, must(states.at(-1)).context);
      for (const node of others) await node.merge(KEY, dead);
      states.push(dead);

      const options = { ...ANTI_ENTROPY_DEFAULTS, pauseMs: 0, settleMs: 0 };
      const heal = async (): Promise<void> => {
        for (const node of cluster.nodes) await new HintedHandoff(node.ports).drain();
        for (const node of cluster.nodes) await new AntiEntropy(node.ports, options).runRound();
        for (const node of cluster.nodes) await reaperOf(node).sweep();
        await cluster.host.advance(3_000);
      };
      await heal();
      for (const each of lates) await arrive(each);
      await heal();
      for (const node of cluster.primaries(KEY)) {
        if (valuesOf(await node.get(KEY)).length > 0) return false;
      }
      await cluster.truths();
      return true;
    }),
    { numRuns: 60 },
  );
  t.pass('in every history');
});
