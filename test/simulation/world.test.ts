/** A paused process is a stopped one: nothing of it runs, and all that was due is late. */

import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { JoinRequest } from '../../src/peer/join.ts';
import { SimulatedNetwork } from './network.ts';
import { NodeClock, World } from './world.ts';

const ASKER = 'dev1@127.0.0.1' as NodeId;
const TARGET = 'dev2@127.0.0.1' as NodeId;
const ADDRESS = { host: '127.0.0.1', port: 10_001 };

async function pass(world: World, ms: number): Promise<void> {
  await world.runUntil(() => false, world.nowMs + ms);
}

t.test('what came due in a pause comes late, at once, and by its kind in order', async (t) => {
  const orders = new Set<string>();
  for (let seed = 1; seed <= 10; seed += 1) {
    const world = new World(seed);
    const clock = new NodeClock(world, 0);
    const seen: string[] = [];
    const note = (what: string): void => {
      seen.push(`${what}@${clock.monotonicMs()}`);
    };
    const cancel = clock.after(30, () => note('cancelled'));
    clock.after(10, () => note('timer'));
    clock.after(20, () => {
      note('canceller');
      cancel();
    });
    clock.after(200, () => note('later'));
    clock.pause();
    world.after(15, () => clock.whenRunning(() => note('message')));
    await pass(world, 100);
    t.same(seen, [], 'nothing runs meanwhile');
    clock.resume();
    await pass(world, 1_000);
    t.same(seen.toSorted(), ['canceller@100', 'later@200', 'message@100', 'timer@100']);
    t.ok(seen.indexOf('timer@100') < seen.indexOf('canceller@100'));
    orders.add(seen.join());
  }
  t.equal(orders.size, 2, 'messages come before the timers or after them');
});

t.test('a process that is killed in its pause never goes on', async (t) => {
  const world = new World(1);
  const clock = new NodeClock(world, 0);
  clock.after(10, () => t.fail('a timer fired'));
  clock.pause();
  await pass(world, 100);
  clock.resume();
  clock.stop();
  await pass(world, 100);
  t.equal(world.nowMs, 200);
});

const REQUEST: JoinRequest = {
  purpose: 'join',
  clusterName: 'simulation',
  lineage: 'one',
  ringSize: 8,
  newcomer: {
    id: ASKER,
    host: '127.0.0.1',
    peerPort: 10_000,
    httpPort: 20_000,
    pbcPort: 30_000,
    location: '',
  },
};

t.test('to join takes both ways of the link, and a node that runs', async (t) => {
  const world = new World(3);
  const network = new SimulatedNetwork(world, {
    latencyMaxMs: 5,
    dropRate: 0,
    duplicateRate: 0,
    hasLinks: false,
  });
  const [asker, target] = [new NodeClock(world, 0), new NodeClock(world, 0)];
  let askedCount = 0;
  const handler = {
    admit: async () => {
      askedCount += 1;
      return { kind: 'refused', reason: 'not-ready', text: 'so it is' } as const;
    },
    handle: () => Promise.reject(new Error('nobody asks')),
    handleStream: () => {
      throw new Error('nobody asks');
    },
  };
  network.attach(TARGET, handler, target);
  const port = network.joinPortOf(ASKER, asker);
  const join = async (): Promise<string> => {
    const asking = port.askToJoin(ADDRESS, REQUEST, 1_000).then(
      ({ kind }) => kind,
      (error: unknown) => (isFault(error) ? error.code : 'bug'),
    );
    return world.drive(asking, 5_000);
  };
  t.equal(await join(), 'refused');
  network.cut(ASKER, TARGET);
  t.equal(await join(), 'timeout');
  t.equal(askedCount, 1, 'it was not asked');
  network.heal();
  network.cut(TARGET, ASKER);
  t.equal(await join(), 'timeout');
  t.equal(askedCount, 2, 'its answer was lost');
  network.heal();
  target.pause();
  t.equal(await join(), 'timeout');
  t.equal(askedCount, 2);
  target.resume();
  await pass(world, 10);
  t.equal(askedCount, 3, 'it hears of it when it goes on');
});
