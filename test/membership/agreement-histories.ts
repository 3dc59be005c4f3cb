/**
 * Random histories of the epoch agreement, and how they are judged. A seed is a whole history.
 *
 * Disks are lost in two ways. `some`: only while enough others remember everything, so that whoever
 * lost its vote can get it back and all must go on in the end. `any`: whatever may then never be
 * agreed again, as long as one remembers; two states of an epoch there must not be.
 */

import { majorityOf, type AgreementRecord } from '../../src/membership/agreement.ts';
import { decodeRecord } from '../../src/membership/agreement-codec.ts';
import type { ClusterState } from '../../src/membership/cluster-state.ts';
import { AgreementWorld, CALM, type PlantedBug, type WorldNode } from './agreement-world.ts';

export interface History {
  readonly nodeCount: number;
  readonly wipes: 'none' | 'some' | 'any';
  /** Whether the voters change too. */
  readonly revotes?: boolean;
  readonly plantedBug?: PlantedBug;
}

export function mayVote({ keeper }: WorldNode): boolean {
  return keeper !== undefined && keeper.vote() !== 'unsure';
}

/** Whether this node's disk may be lost now. */
function mayWipe(world: AgreementWorld, node: WorldNode, history: History): boolean {
  const others = world.nodes.filter((each) => each !== node);
  const freeCount = others.filter(({ keeper }) => keeper?.vote() === 'free').length;
  // As long as the voters stay the same several may ask at once, if enough others remember.
  const { nodeCount, revotes } = history;
  const freeMin = revotes === true ? nodeCount - 1 : nodeCount - majorityOf(nodeCount) + 1;
  switch (history.wipes) {
    case 'none':
      return false;
    case 'some':
      return freeCount >= freeMin;
    case 'any':
      return others.some((each) => recordOf(each)?.vote === 'free');
  }
}

function recordOf({ disk }: WorldNode): AgreementRecord | undefined {
  return disk.saved === undefined ? undefined : decodeRecord(disk.saved);
}

export async function startAll(world: AgreementWorld): Promise<void> {
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
      world.crash(node, world.chance(400) && mayWipe(world, node, history));
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

/**
 * Who is to vote from some epoch on: anyone, but at least one; two where all must go on though disks
 * are lost, for what a lone voter forgets nobody else need have heard of.
 */
function drawVoters(world: AgreementWorld, wipes: History['wipes']): ReadonlySet<number> {
  const voters = new Set([...world.nodes.keys()].filter(() => world.chance(600)));
  const votersMin = wipes === 'some' ? 2 : 1;
  while (voters.size < votersMin) voters.add(world.random(world.nodes.length));
  return voters;
}

/** 60 disturbed steps, then calm; returns what the judges found and how much was agreed. */
export async function play(
  seed: number,
  history: History,
): Promise<{ found: string[]; agreed: number }> {
  const world = new AgreementWorld(history.nodeCount, seed);
  world.plantedBug = history.plantedBug;
  await startAll(world);
  await world.run(500, () => world.nodes.every(({ keeper }) => keeper?.vote() === 'free'));
  for (let step = 0; step < 60; step += 1) {
    if (world.chance(350)) disturb(world, history);
    if (world.chance(700)) {
      const node = world.nodes[world.random(world.nodes.length)] as WorldNode;
      const voters = history.revotes === true ? drawVoters(world, history.wipes) : undefined;
      world.propose(node, `token${step}`, { timeoutMs: 50 + world.random(1_500), voters });
    }
    if (world.chance(300)) world.exchangeEpochs();
    await world.run(world.random(80));
  }
  await settle(world);
  if (history.wipes !== 'any') await judgeEnd(world);
  return { found: world.violations, agreed: world.acknowledgedCount };
}

/** Ends all faults and lets all nodes tell each other what they know. */
async function settle(world: AgreementWorld): Promise<void> {
  world.healLinks();
  world.faults = CALM;
  await world.run(2_000);
  await startAll(world);
  await propose(world, 'calm', 2_000);
  for (let round = 0; round < 5; round += 1) {
    world.exchangeEpochs();
    await world.run(500);
  }
}

/** Whether a last change gets through and all nodes have come to one state. */
async function judgeEnd(world: AgreementWorld): Promise<void> {
  const outcome = await propose(world, 'last', 20_000);
  if (outcome !== 'changed') world.violations.push(`no progress in calm: ${outcome}`);
  world.exchangeEpochs();
  await world.run(500);
  const states = world.nodes.map(({ keeper }) => keeper?.state() as ClusterState);
  if (new Set(states.map(({ epoch }) => epoch)).size !== 1) world.violations.push('no one epoch');
  world.judgeTokens(states[0] as ClusterState);
}

/** The kind of the first node's outcome. */
async function propose(
  world: AgreementWorld,
  token: string,
  timeoutMs: number,
): Promise<string | undefined> {
  let outcome: string | undefined;
  void world
    .proposeAndWait(world.nodes[0] as WorldNode, token, { timeoutMs })
    .then((settled) => {
      outcome = settled?.kind;
    })
    .catch((error: unknown) => {
      outcome = String(error);
    });
  await world.run(timeoutMs + 1_000, () => outcome !== undefined);
  return outcome;
}
