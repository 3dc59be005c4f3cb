/**
 * A disk that fills up: new data is refused in time, everything else goes on, and so does the data
 * when there is room again.
 */

import t from 'tap';
import { DISK_GUARD_DEFAULTS, DiskGuard, type DiskSpace } from '../../src/node/disk-guard.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N2, N3, Teller, content, told } from './told.ts';

const GIB = 2 ** 30;
const STORED = { kind: 'stored', object: undefined };

t.test('the states of a disk have hysteresis', async (t) => {
  const host = new VirtualHost();
  let space: DiskSpace | undefined;
  const guard = new DiskGuard(host, async () => space, DISK_GUARD_DEFAULTS);
  const steps: readonly (readonly [freeGib: number | undefined, state: string])[] = [
    [50, 'ample'],
    [1.9, 'low'],
    [1.1, 'low'],
    [0.9, 'full'],
    [1.1, 'full'],
    [undefined, 'full'],
    [1.2, 'full'],
    [1.3, 'low'],
    [3, 'ample'],
    [0, 'full'],
    [50, 'ample'],
  ];
  await guard.start();
  t.equal(guard.state, 'ample', 'as long as nothing is known');
  for (const [freeGib, state] of steps) {
    space = freeGib === undefined ? undefined : { freeBytes: freeGib * GIB, totalBytes: 99 * GIB };
    await host.advance(DISK_GUARD_DEFAULTS.intervalMs);
    t.equal(guard.state, state, `${freeGib} GiB`);
  }
  t.same(host.logged, [
    'disk.low',
    'disk.full',
    'disk.resumed',
    'disk.ample',
    'disk.full',
    'disk.resumed',
  ]);
  guard.stop();
  await host.advance(5_000);
  t.equal(host.timerCount, 0);
});

t.test('a disk that does not say how full it is holds up no start, and is asked on', async (t) => {
  const host = new VirtualHost();
  const answers: ((space: DiskSpace) => void)[] = [];
  const ask = (): Promise<DiskSpace> => new Promise((resolve) => answers.push(resolve));
  const guard = new DiskGuard(host, ask, DISK_GUARD_DEFAULTS);
  let hasStarted = false;
  void guard.start().then(() => {
    hasStarted = true;
  });
  await host.advance(30_000);
  t.ok(hasStarted);
  t.equal(answers.length, 1, 'one question at a time');
  t.same(host.logged, ['disk.unanswered']);
  answers[0]?.({ freeBytes: 0, totalBytes: 99 * GIB });
  await host.advance(DISK_GUARD_DEFAULTS.intervalMs);
  t.equal(guard.state, 'full');
  t.equal(answers.length, 2);
  guard.stop();
  await host.advance(30_000);
  t.equal(host.timerCount, 0);
});

t.test('of a small disk a quarter is the reserve', async (t) => {
  const host = new VirtualHost();
  const space = { freeBytes: 20 * 2 ** 20, totalBytes: 64 * 2 ** 20 };
  const guard = new DiskGuard(host, async () => space, DISK_GUARD_DEFAULTS);
  await guard.start();
  t.equal(guard.state, 'low');
  guard.stop();
});

t.test('a full node takes no data, and others stand in for it', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 5 }));
  const { cluster } = teller;
  const key = cluster.keyWhere((nodes) => nodes[0] === N1);
  t.same(await teller.put(N1, key, { text: 'before', w: 3 }), STORED);
  cluster.freeBytesByNode.set(N1, 0);
  await cluster.time.until(() => !cluster.node(N1).readiness().isReady);
  t.match(cluster.node(N1).readiness(), { reason: /disk is nearly full/ });

  t.same(await teller.put(N1, key, { text: 'meanwhile', w: 3 }), STORED, 'through another replica');
  t.same(await teller.copyAt(N1, key), ['before']);
  t.ok(cluster.counted(N1, 'disk_refused_total') > 0);
  t.same(told(await teller.get(N1, key)), ['meanwhile'], 'reads go on');
  t.same(cluster.node(N2).liveMembers(), cluster.ids, 'it is not down');
  t.match(await teller.put(N1, key, { text: 'x', pw: 3 }), { kind: 'unsatisfied', quorum: 'pw' });

  cluster.freeBytesByNode.delete(N1);
  await cluster.time.until(() => cluster.node(N1).readiness().isReady);
  await cluster.time.advance(120_000);
  t.same(await teller.copyAt(N1, key), ['x'], 'what it missed reaches it');
});

t.test('when every disk is full clients are told so; deletes make room', async (t) => {
  const teller = new Teller(await TestCluster.start({ nodeCount: 3 }));
  const { cluster } = teller;
  const key = cluster.keyWhere(() => true);
  await teller.put(N1, key, { text: 'a', w: 3 });
  for (const id of cluster.ids) cluster.freeBytesByNode.set(id, 0);
  await cluster.time.until(() => cluster.ids.every((id) => !cluster.node(id).readiness().isReady));
  // A client may mark as deleted what has a value all the same.
  for (const isTombstone of [false, true]) {
    const marked = { ...content('b'), isTombstone };
    t.match(await teller.put(N2, key, { text: 'b', content: marked }), {
      kind: 'unavailable',
      reason: 'the disk is nearly full: no new data is taken',
    });
  }
  t.same(told(await teller.get(N3, key)), ['a']);
  t.same(await teller.delete(N1, key), { kind: 'deleted' });
  await cluster.time.advance(10_000);
  for (const id of cluster.ids) t.equal(await teller.copyAt(id, key), undefined, 'reaped');
});
