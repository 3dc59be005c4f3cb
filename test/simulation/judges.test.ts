/** The judges bite: a bug planted for each of the first four invariants is found within a few seeds. */

import t from 'tap';
import { ActiveLists } from '../../src/coordinator/participants.ts';
import { Fill } from '../../src/repair/fill.ts';
import type { PeerReply, PeerRequest } from '../../src/peer/messages.ts';
import type { SimulatedCluster } from './cluster.ts';
import { runUntraced } from '../untraced.ts';
import { simulate, type FaultKind } from './simulation.ts';

const SEEDS_MAX = 20;
/** A sound cluster has healed long before: what is found then does not go away. */
const HEAL_LIMIT_MS = 40_000;
const STEPS_SEEDS_MAX = 200;

/** What is found with a bug planted, up to the first seed at which `isFound`. */
async function seedsUntil(
  tamper: (cluster: SimulatedCluster) => void,
  faults: readonly FaultKind[],
  isFound: (violation: string) => boolean,
): Promise<number> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const { violations } = await simulate({
      seed,
      faults,
      tamper,
      faultIntervalMs: 500,
      healLimitMs: HEAL_LIMIT_MS,
    });
    if (violations.some(isFound)) return seed;
  }
  return Infinity;
}

t.test('a write that is lost after its acknowledgement is found', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    (cluster) => {
      // Every merge is confirmed and none is made: a crash then takes the only copy.
      cluster.network.impostor = (_, request) => confirmUnmade(request);
      for (const { disk } of cluster.nodes) disk.rollsBack = true;
    },
    ['crash'],
    (violation) => violation.includes('is lost'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

t.test('an acknowledgement before the write is durable is found', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    (cluster) => {
      for (const { disk } of cluster.nodes) disk.acknowledgesEarly = true;
    },
    [],
    (violation) => /durable copies|on no disk/.test(violation),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

t.test('a dot that names two writes is found', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    (cluster) => {
      for (const { disk } of cluster.nodes) disk.rollsBack = true;
    },
    ['crash'],
    (violation) => violation.includes('one dot, two writes'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

t.test('replicas that stay apart are found', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    (cluster) => {
      cluster.network.impostor = (target, request) =>
        // Without trees anti-entropy finds nothing to mend.
        request.verb === 'tree' || target.startsWith('dev1') ? confirmUnmade(request) : undefined;
    },
    [],
    (violation) => violation.includes('replicas differ'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

/**
 * Whether `bug`, in the place of a method, is found while the ring moves without faults. Few writes fall
 * into a step, and those of the seeds before `firstSeed` meet no quorum that would show it. Whatever draws
 * another number moves that seed: one in ten to forty shows it.
 */
async function isFoundInSteps<T extends object, K extends keyof T>(
  [prototype, method]: readonly [T, K],
  bug: T[K],
  firstSeed: number,
): Promise<boolean> {
  const sound = prototype[method];
  prototype[method] = bug;
  try {
    for (let seed = firstSeed; seed < firstSeed + STEPS_SEEDS_MAX; seed += 1) {
      const options = { seed, faults: [], steps: true, datatypeClientCount: 0, healLimitMs: 1 };
      const { violations } = await simulate(options);
      if (violations.some((violation) => violation.includes('hold it'))) return true;
    }
    return false;
  } finally {
    prototype[method] = sound;
  }
}

t.test('a quorum that holds only in the ring of reads is found', async (t) => {
  runUntraced(t);
  t.ok(await isFoundInSteps([ActiveLists.prototype, 'jointLists'], () => undefined, 38));
});

t.test('a node that calls itself full before it is, is found', async (t) => {
  runUntraced(t);
  t.ok(await isFoundInSteps([Fill.prototype, 'run'], () => Promise.resolve(true), 132));
});

function confirmUnmade(request: PeerRequest): PeerReply | undefined {
  return request.verb === 'merge' || request.verb === 'tree' ? { kind: 'done' } : undefined;
}
