/**
 * Who may vote again after its record of promises was lost: rule by rule, and the shortest histories
 * in which a wrong rule made two states of one epoch.
 */

import t, { type Test } from 'tap';
import type { Epoch } from '../../src/base/names.ts';
import type { AgreementRecord, Ballot, Vote } from '../../src/membership/agreement.ts';
import type { ClusterState, MemberStatus } from '../../src/membership/cluster-state.ts';
import { successorOf } from '../../src/membership/lineage.ts';
import { recoverVote, surveyedBy, type Surveyed } from '../../src/membership/vote-recovery.ts';
import { startAll } from './agreement-histories.ts';
import { AgreementWorld, tokensOf, type WorldNode } from './agreement-world.ts';
import { nodeOf, stateOf } from './states.ts';

const [SELF, OTHER] = [nodeOf(0), nodeOf(1)];

function recordOf(state: ClusterState, vote: Vote = 'unsure'): AgreementRecord {
  return { state, promised: undefined, accepted: undefined, round: 0, life: 1, vote };
}

/** The second epoch: promises of an older one may still be on their way. */
function secondOf(memberCount: number): AgreementRecord {
  return recordOf(successorOf(stateOf(memberCount, 8), {}));
}

/** A vote alone stands for who holds the asker's state and has promised nothing. */
type Said = Vote | Partial<Surveyed> | undefined;

/** The vote after the others have answered so, in their order, when old rounds have timed out. */
function voteAfter(record: AgreementRecord, said: readonly Said[], isPastOldRounds = true) {
  const { epoch } = record.state;
  const quiet = { kind: 'surveyed', epoch, promised: undefined, accepted: undefined } as const;
  const replies = surveyedBy(record, SELF).map((node, index) => {
    const each = said[index];
    const fields = typeof each === 'string' ? { vote: each } : each;
    const reply: Surveyed = { ...quiet, hasProposed: false, vote: 'free', ...fields };
    return [node, each === undefined ? undefined : reply] as const;
  });
  return recoverVote(record, { replies: new Map(replies), isPastOldRounds });
}

function voteOf(record: AgreementRecord, said: readonly Said[], isPastOldRounds = true) {
  return voteAfter(record, said, isPastOldRounds)?.vote;
}

t.test('those who are sure must meet every majority that it may have been part of', (t) => {
  t.equal(voteOf(secondOf(2), ['free']), 'free');
  t.equal(voteOf(secondOf(3), ['free', 'free']), 'free');
  t.equal(voteOf(secondOf(3), ['free', undefined]), undefined);
  t.equal(voteOf(secondOf(4), ['free', 'free', undefined]), 'free');
  t.equal(voteOf(secondOf(5), ['free', 'free', undefined, undefined]), undefined);
  t.equal(voteOf(secondOf(5), ['free', 'free', 'free', undefined]), 'free');
  t.end();
});

t.test('when a majority has forgotten it stays mute, though all answer', (t) => {
  t.equal(voteOf(secondOf(3), ['unsure', 'free']), undefined);
  t.equal(voteOf(secondOf(3), ['founding', 'free']), 'free');
  t.equal(voteOf(secondOf(5), ['unsure', 'unsure', 'free', 'free']), undefined);
  t.equal(voteOf(secondOf(5), ['unsure', 'free', 'free', 'free']), 'free');
  t.end();
});

t.test('who regained its vote answers for the epoch that it asked about only', (t) => {
  t.equal(voteOf(secondOf(3), ['regained', 'free']), 'free');
  const earlier = { vote: 'regained', epoch: 1 as Epoch } as const;
  t.equal(voteOf(secondOf(3), [earlier, 'free']), undefined, 'of the next it may have forgotten');
  t.equal(voteOf(secondOf(3), [{ epoch: 1 as Epoch }, 'free']), 'free', 'who is behind has not');
  t.equal(voteOf(secondOf(3), [{ epoch: 3 as Epoch }, 'free']), undefined, 'first that is learnt');
  t.end();
});

t.test('it takes over the highest promise and acceptance of the epoch', (t) => {
  const record = secondOf(3);
  const ballot = (round: number): Ballot => ({ round, node: OTHER, life: 1 });
  const accepted = (round: number) => ({
    ballot: ballot(round),
    state: successorOf(record.state, { defaultProperties: { n_val: round } }),
  });
  const said = [
    { promised: ballot(7), accepted: accepted(2) },
    { promised: ballot(5), accepted: accepted(4) },
  ];
  t.match(voteAfter(record, said), {
    vote: 'regained',
    promised: ballot(7),
    accepted: { ballot: ballot(4) },
  });
  t.equal(voteOf(record, said, false), undefined, 'a promise it gave may still be counted on');
  t.end();
});

t.test('a cluster is founded when nobody remembers anything', (t) => {
  const founder = recordOf(stateOf(3, 8), 'founding');
  const first = recordOf(stateOf(3, 8));
  t.equal(voteOf(first, ['unsure', 'unsure'], false), 'founding');
  t.equal(voteOf(first, ['founding', 'unsure'], false), 'founding');
  t.equal(voteOf(first, ['founding', 'founding'], false), undefined);
  t.equal(voteOf(first, ['unsure', undefined]), undefined);
  t.equal(voteOf(first, [{ vote: 'founding', hasProposed: true }, 'unsure'], false), undefined);
  t.equal(voteOf(first, [{ vote: 'founding', hasProposed: true }, 'unsure']), 'founding');
  t.equal(voteOf(founder, ['founding', 'unsure']), undefined);
  t.equal(voteOf(founder, ['founding', undefined]), undefined);
  t.equal(voteOf(founder, ['founding', 'free']), 'free');
  t.equal(voteOf(recordOf(stateOf(1, 8)), [], false), 'free', 'alone at once');
  t.end();
});

t.test('all who were restored begin again when old rounds have timed out', (t) => {
  t.equal(voteOf(secondOf(3), ['unsure', 'unsure'], false), undefined);
  t.equal(voteOf(secondOf(3), ['unsure', 'unsure']), 'founding');
  t.end();
});

t.test('members without a vote are asked, but for those removed by force', (t) => {
  const withStatus = (status: MemberStatus) => {
    const { state } = secondOf(2);
    const members = state.members.map((each) => (each.id === OTHER ? { ...each, status } : each));
    return recordOf({ ...state, members });
  };
  t.equal(voteOf(withStatus('down'), ['free']), undefined, 'it knows of what it was not told');
  t.equal(voteOf(withStatus('down'), [undefined]), undefined);
  t.equal(voteOf(withStatus('down'), ['unsure']), 'founding');
  t.equal(voteOf(withStatus('invalid'), []), 'free');
  t.end();
});

/** Runs the world until the proposer has its outcome, and returns what became of it. */
async function outcomeOf(
  world: AgreementWorld,
  node: WorldNode,
  wish: { readonly token: string; readonly voters?: ReadonlySet<number> },
) {
  let kind: string | undefined;
  void world
    .proposeAndWait(node, wish.token, { timeoutMs: 5_000, voters: wish.voters })
    .then((outcome) => (kind = outcome?.kind));
  await world.run(6_000, () => kind !== undefined);
  return kind;
}

/** A world whose nodes all vote; the last of them alone after one change. */
async function worldOfLoneVoter(nodeCount: number): Promise<AgreementWorld> {
  const world = new AgreementWorld(nodeCount, 7);
  await startAll(world);
  await world.run(1_000, () => world.nodes.every(({ keeper }) => keeper?.vote() === 'free'));
  const [first] = world.nodes as [WorldNode];
  const voters = new Set([nodeCount - 1]);
  await outcomeOf(world, first, { token: 'alone', voters });
  world.exchangeEpochs();
  await world.run(500);
  return world;
}

/**
 * The last node alone decides an epoch in which `voters` vote, nobody hears of it, and its disk is
 * lost. The others still are in the epoch that it decides alone; were it to vote again, there would
 * be a second state of the next.
 */
async function loseLoneVoter(t: Test, nodeCount: number, voters: ReadonlySet<number>) {
  const world = await worldOfLoneVoter(nodeCount);
  const others = world.nodes.slice(0, -1);
  const lone = world.nodes.at(-1) as WorldNode;
  for (const other of others) world.cut(lone, other);
  t.equal(await outcomeOf(world, lone, { token: 'unheard', voters }), 'changed');
  world.crash(lone, true);
  world.healLinks();
  await startAll(world);
  const [first] = others as [WorldNode];
  t.equal(await outcomeOf(world, first, { token: 'second' }), 'timeout');
  t.equal(lone.keeper?.vote(), 'unsure');
  t.same(tokensOf(lone.keeper?.state() as ClusterState), ['alone'], 'it has learnt what they know');
  t.same(world.violations, []);
}

t.test('a lone voter that lost its disk stays mute (seed 90037 of three nodes)', async (t) => {
  await loseLoneVoter(t, 3, new Set([0, 1, 2]));
});

t.test('so it does if it gave the vote to one other (seed 20020 of four nodes)', async (t) => {
  await loseLoneVoter(t, 4, new Set([1, 3]));
});

t.test('two of three that lose their disks at once stay mute; two of four recover', async (t) => {
  for (const [nodeCount, expected] of [
    [3, 'timeout'],
    [4, 'changed'],
  ] as const) {
    const world = new AgreementWorld(nodeCount, 7);
    await startAll(world);
    await world.run(1_000, () => world.nodes.every(({ keeper }) => keeper?.vote() === 'free'));
    const [first, second, third] = world.nodes as [WorldNode, WorldNode, WorldNode];
    for (const node of [first, second]) world.crash(node, true);
    await startAll(world);
    t.equal(await outcomeOf(world, third, { token: 'later' }), expected, `${nodeCount} nodes`);
    t.same(world.violations, []);
  }
});
