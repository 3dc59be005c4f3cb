/**
 * The epoch agreement under faults: at most one state for an epoch, each change made once, and
 * progress when a majority can talk. Each seed is a whole history; a failing one is printed.
 */

import t, { type Test } from 'tap';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { mayVote, play, startAll, type History } from './agreement-histories.ts';
import { AgreementWorld, tokensOf, type WorldNode } from './agreement-world.ts';

async function playMany(t: Test, from: number, count: number, history: History) {
  let agreed = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const played = await play(seed, history);
    t.same(played.found, [], `seed ${seed}`);
    agreed += played.agreed;
  }
  return agreed;
}

t.test('three nodes agree whatever crashes, cuts, loss and disorder', async (t) => {
  const agreed = await playMany(t, 1, 30, { nodeCount: 3, wipes: 'none' });
  t.ok(agreed > 150, `${agreed} changes were agreed, so the histories are no idle ones`);
});

t.test('so do two, four and five', async (t) => {
  await playMany(t, 1000, 8, { nodeCount: 2, wipes: 'none' });
  await playMany(t, 2000, 8, { nodeCount: 4, wipes: 'none' });
  await playMany(t, 3000, 10, { nodeCount: 5, wipes: 'none' });
});

t.test('a lost disk makes a node ask before it votes again', async (t) => {
  await playMany(t, 4000, 15, { nodeCount: 3, wipes: 'some' });
  await playMany(t, 5000, 8, { nodeCount: 5, wipes: 'some' });
});

t.test('each epoch is decided by the voters of the one before, whoever they are', async (t) => {
  const agreed = await playMany(t, 6000, 8, { nodeCount: 5, wipes: 'none', revotes: true });
  t.ok(agreed > 20, `${agreed} changes were agreed`);
  await playMany(t, 7000, 5, { nodeCount: 4, wipes: 'some', revotes: true });
});

t.test('whatever disks are lost, there are no two states of an epoch', async (t) => {
  await playMany(t, 8000, 4, { nodeCount: 3, wipes: 'any', revotes: true });
  await playMany(t, 9000, 2, { nodeCount: 5, wipes: 'any', revotes: true });
});

/** How many of the first seeds it takes until the judges find the planted bug; at most 100. */
async function seedsToCatch(history: History): Promise<number> {
  for (let seed = 1; seed <= 100; seed += 1) {
    const { found } = await play(seed, history);
    if (found.some((each) => each.includes('two states'))) return seed;
  }
  return Number.POSITIVE_INFINITY;
}

t.test('the judges catch a vote that leaves before it is saved', async (t) => {
  const history = { nodeCount: 3, wipes: 'none', plantedBug: 'early-acknowledgement' } as const;
  const seeds = await seedsToCatch(history);
  t.ok(seeds <= 100, `caught by seed ${seeds}`);
});

t.test('the judges catch a lost disk that votes at once', async (t) => {
  const history = { nodeCount: 3, wipes: 'any', plantedBug: 'forgetful-vote' } as const;
  const seeds = await seedsToCatch(history);
  t.ok(seeds <= 100, `caught by seed ${seeds}`);
});

async function calmWorld(nodeCount: number): Promise<AgreementWorld> {
  const world = new AgreementWorld(nodeCount, 7);
  await startAll(world);
  await world.run(1_000, () => world.nodes.every(mayVote));
  return world;
}

/** Proposes, and runs the world until the proposer has its outcome. */
async function outcomeOf(world: AgreementWorld, node: WorldNode, token: string, timeoutMs: number) {
  let settled: Awaited<ReturnType<AgreementWorld['proposeAndWait']>>;
  const waiting = world.proposeAndWait(node, token, { timeoutMs }).then((outcome) => {
    settled = outcome;
  });
  await world.run(30_000, () => settled !== undefined);
  await waiting;
  return settled;
}

t.test('a node alone agrees with itself', async (t) => {
  const world = await calmWorld(1);
  const [node] = world.nodes as [WorldNode];
  t.match(await outcomeOf(world, node, 'a', 1_000), { kind: 'changed', state: { epoch: 2 } });
});

t.test('changes of three nodes at once all take effect, once each', async (t) => {
  const world = await calmWorld(3);
  for (const [index, node] of world.nodes.entries())
    world.propose(node, `token${index}`, { timeoutMs: 10_000 });
  await world.run(10_000, () => world.acknowledgedCount === 3);
  world.exchangeEpochs();
  await world.run(500);
  for (const { keeper } of world.nodes) {
    const state = keeper?.state() as ClusterState;
    t.same(tokensOf(state).sort(), ['token0', 'token1', 'token2']);
    t.equal(state.epoch, 4);
  }
});

t.test(
  'a minority agrees on nothing and says that nothing happened; a majority goes on',
  async (t) => {
    const world = await calmWorld(3);
    const [a, b, c] = world.nodes as [WorldNode, WorldNode, WorldNode];
    for (const other of [a, b]) {
      world.cut(c, other);
      world.cut(other, c);
    }
    const denied = await outcomeOf(world, c, 'minority', 1_000);
    t.same(denied, { kind: 'timeout', mayTakeEffect: false });
    t.match(await outcomeOf(world, a, 'majority', 1_000), { kind: 'changed' });
    world.healLinks();
    world.exchangeEpochs();
    await world.run(500);
    t.same(tokensOf(c.keeper?.state() as ClusterState), ['majority'], 'and the others catch up');
  },
);

t.test(
  'that there is nothing to change is said of the newest state, and by a majority',
  async (t) => {
    const world = await calmWorld(3);
    const [a, b, c] = world.nodes as [WorldNode, WorldNode, WorldNode];
    t.match(await outcomeOf(world, a, 'granted', 1_000), { kind: 'changed' });
    world.exchangeEpochs();
    await world.run(500);
    for (const other of [a, b]) {
      world.cut(c, other);
      world.cut(other, c);
    }
    t.match(await outcomeOf(world, a, 'since', 1_000), { kind: 'changed' });
    const seen: string[][] = [];
    const nothing = async (node: WorldNode): Promise<unknown> => {
      let outcome: unknown;
      void node.proposer
        ?.propose((state) => {
          seen.push(tokensOf(state));
          return { kind: 'unchanged' } as const;
        }, 1_000)
        .then((settled) => {
          outcome = settled;
        });
      await world.run(30_000, () => outcome !== undefined);
      return outcome;
    };
    t.same(await nothing(c), { kind: 'timeout', mayTakeEffect: false }, 'it may be behind');
    world.healLinks();
    t.same(await nothing(c), { kind: 'unchanged' });
    t.same(seen.at(-1), ['granted', 'since'], 'it has caught up before it says so');
    t.equal(c.keeper?.state().epoch, 3, 'and no epoch was spent');
  },
);

t.test('a change that was voted on without a majority may yet take effect', async (t) => {
  const world = await calmWorld(3);
  const [a, b, c] = world.nodes as [WorldNode, WorldNode, WorldNode];
  const waiting = world.proposeAndWait(a, 'open', { timeoutMs: 300 });
  // Promises come back, then the ways out of A are cut: it votes for its own state alone.
  await world.run(100, () => a.disk.saved?.includes('open') === true);
  const state = a.keeper?.state();
  for (const other of [b, c]) world.cut(a, other);
  await world.run(1_000);
  if (state === a.keeper?.state()) t.match(await waiting, { kind: 'timeout', mayTakeEffect: true });
  world.healLinks();
  t.match(await outcomeOf(world, b, 'next', 5_000), { kind: 'changed' });
  const tokens = tokensOf(b.keeper?.state() as ClusterState);
  t.ok(tokens.includes('next'));
  t.equal(new Set(tokens).size, tokens.length);
});

t.test('what was agreed is there after all have crashed', async (t) => {
  const world = await calmWorld(3);
  const [a] = world.nodes as [WorldNode];
  t.match(await outcomeOf(world, a, 'kept', 1_000), { kind: 'changed' });
  await world.run(100);
  for (const node of world.nodes) world.crash(node);
  await startAll(world);
  for (const { keeper } of world.nodes) {
    t.same(tokensOf(keeper?.state() as ClusterState), ['kept']);
    t.equal(keeper?.vote(), 'free', 'and nobody has to ask for its vote');
  }
});

t.test('a new cluster votes when all of its nodes have met', async (t) => {
  const world = new AgreementWorld(3, 7);
  const [a, b, c] = world.nodes as [WorldNode, WorldNode, WorldNode];
  void world.start(a);
  void world.start(b);
  await world.run(2_000);
  t.equal(a.keeper?.vote(), 'unsure');
  void world.start(c);
  t.ok(await world.run(2_000, () => world.nodes.every(({ keeper }) => keeper?.vote() === 'free')));
});

t.test('a proposal among nodes that still meet does not keep them from voting', async (t) => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const world = new AgreementWorld(5, seed);
    for (const node of world.nodes) void world.start(node);
    await world.run(5_000, () => world.nodes.some(mayVote));
    const outcome = await outcomeOf(world, world.nodes[0] as WorldNode, 'early', 20_000);
    t.equal(outcome?.kind, 'changed', `seed ${seed}`);
  }
});

t.test(
  'who has asked what it forgot votes on when the voters change and one is lost',
  async (t) => {
    const world = await calmWorld(5);
    const [a, b, , d, e] = world.nodes as [WorldNode, WorldNode, WorldNode, WorldNode, WorldNode];
    t.match(await outcomeOf(world, a, 'first', 5_000), { kind: 'changed' });
    for (const node of [d, e]) {
      world.crash(node, true);
      void world.start(node);
      await world.run(20_000, () => mayVote(node));
    }
    world.crash(b);
    let voters: string | undefined;
    void world
      .proposeAndWait(a, 'others', { timeoutMs: 20_000, voters: new Set([0, 1, 3, 4]) })
      .then((outcome) => {
        voters = outcome?.kind;
      });
    await world.run(20_000, () => voters !== undefined);
    t.equal(voters, 'changed');
    world.exchangeEpochs();
    await world.run(1_000);
    t.match(await outcomeOf(world, a, 'without b', 20_000), { kind: 'changed' });
  },
);
