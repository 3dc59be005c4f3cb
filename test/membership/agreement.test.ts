/**
 * The epoch agreement under faults: at most one state for an epoch, each change made once, and
 * progress when a majority can talk. Each seed is a whole history; a failing one is printed.
 */

import t, { type Test } from 'tap';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import {
  AgreementWorld,
  CALM,
  tokensOf,
  type PlantedBug,
  type WorldNode,
} from './agreement-world.ts';

interface History {
  readonly nodeCount: number;
  readonly wipes: boolean;
  /** Whether the voters change too. */
  readonly revotes?: boolean;
  readonly plantedBug?: PlantedBug;
}

function mayVote({ keeper }: WorldNode): boolean {
  return keeper !== undefined && keeper.vote() !== 'unsure';
}

/** Whether losing this node's disk loses no promise that another relies on. */
function mayWipe(world: AgreementWorld, node: WorldNode): boolean {
  return world.nodes.every((each) => each === node || mayVote(each));
}

async function startAll(world: AgreementWorld): Promise<void> {
  const started = Promise.all(world.nodes.map((node) => world.start(node)));
  await world.run(100);
  await started;
}

/** One random fault or repair. */
function disturb(world: AgreementWorld, history: History): void {
  const node = world.nodes[world.random(world.nodes.length)] as WorldNode;
  const other = world.nodes[world.random(world.nodes.length)] as WorldNode;
  switch (world.random(8)) {
    case 0:
    case 1:
      world.crash(node, history.wipes && world.chance(400) && mayWipe(world, node));
      break;
    case 2:
    case 3:
      if (node.keeper === undefined) void world.start(node);
      break;
    case 4:
      world.cut(node, other);
      break;
    case 5:
      for (const each of world.nodes) {
        world.cut(node, each);
        world.cut(each, node);
      }
      break;
    case 6:
      world.healLinks();
      break;
    default:
      world.faults = {
        lost: world.random(300),
        doubled: world.random(300),
        delayMaxMs: world.random(120),
        saveMaxMs: world.random(30),
      };
  }
}

/** Who is to vote from some epoch on: anyone, but at least one. */
function drawVoters(world: AgreementWorld): ReadonlySet<number> {
  const voters = [...world.nodes.keys()].filter(() => world.chance(600));
  return new Set([...voters, world.random(world.nodes.length)]);
}

/** 60 disturbed steps, then calm; returns what the judges found and how much was agreed. */
async function play(seed: number, history: History): Promise<{ found: string[]; agreed: number }> {
  const world = new AgreementWorld(history.nodeCount, seed);
  world.plantedBug = history.plantedBug;
  await startAll(world);
  await world.run(500, () => world.nodes.every(mayVote));
  for (let step = 0; step < 60; step += 1) {
    if (world.chance(350)) disturb(world, history);
    if (world.chance(700)) {
      const node = world.nodes[world.random(world.nodes.length)] as WorldNode;
      const voters = history.revotes === true ? drawVoters(world) : undefined;
      world.propose(node, `token${step}`, { timeoutMs: 50 + world.random(1_500), voters });
    }
    if (world.chance(300)) world.exchangeEpochs();
    await world.run(world.random(80));
  }
  await settle(world);
  return { found: world.violations, agreed: world.acknowledgedCount };
}

/** Ends all faults, and sees whether a last change gets through and all nodes come to one state. */
async function settle(world: AgreementWorld): Promise<void> {
  world.healLinks();
  world.faults = CALM;
  await world.run(2_000);
  await startAll(world);
  const first = world.nodes[0] as WorldNode;
  let outcome: string | undefined;
  void world
    .proposeAndWait(first, 'last', { timeoutMs: 20_000 })
    .then((settled) => {
      outcome = settled?.kind;
    })
    .catch((error: unknown) => {
      outcome = String(error);
    });
  await world.run(20_000, () => outcome !== undefined);
  if (outcome !== 'changed') world.violations.push(`no progress in calm: ${outcome}`);
  for (let round = 0; round < 5; round += 1) {
    world.exchangeEpochs();
    await world.run(500);
  }
  const states = world.nodes.map(({ keeper }) => keeper?.state() as ClusterState);
  if (new Set(states.map(({ epoch }) => epoch)).size !== 1) world.violations.push('no one epoch');
  world.judgeTokens(states[0] as ClusterState);
}

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
  const agreed = await playMany(t, 1, 30, { nodeCount: 3, wipes: false });
  t.ok(agreed > 150, `${agreed} changes were agreed, so the histories are no idle ones`);
});

t.test('so do two, four and five', async (t) => {
  await playMany(t, 1000, 8, { nodeCount: 2, wipes: false });
  await playMany(t, 2000, 8, { nodeCount: 4, wipes: false });
  await playMany(t, 3000, 10, { nodeCount: 5, wipes: false });
});

t.test('a lost disk makes a node ask before it votes again', async (t) => {
  await playMany(t, 4000, 15, { nodeCount: 3, wipes: true });
  await playMany(t, 5000, 8, { nodeCount: 5, wipes: true });
});

t.test('each epoch is decided by the voters of the one before, whoever they are', async (t) => {
  const agreed = await playMany(t, 6000, 8, { nodeCount: 5, wipes: false, revotes: true });
  t.ok(agreed > 20, `${agreed} changes were agreed`);
  await playMany(t, 7000, 5, { nodeCount: 4, wipes: true, revotes: true });
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
  const history = { nodeCount: 3, wipes: false, plantedBug: 'early-acknowledgement' } as const;
  const seeds = await seedsToCatch(history);
  t.ok(seeds <= 100, `caught by seed ${seeds}`);
});

t.test('the judges catch a lost disk that votes at once', async (t) => {
  const history = { nodeCount: 3, wipes: true, plantedBug: 'forgetful-vote' } as const;
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
  await world.run(2_000, () => world.nodes.every(mayVote));
  t.same(
    world.nodes.map(({ keeper }) => keeper?.vote()),
    ['free', 'free', 'free'],
  );
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
