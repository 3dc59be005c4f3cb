/** Two clusters that replicate to each other, judged; and the judge bites. */

import t from 'tap';
import { runUntraced } from '../untraced.ts';
import { simulateSites, type SitesOptions } from './sites.ts';

const SEEDS_MAX = 20;
/** Sound sites are equal long before: what is found then does not go away. */
const HEAL_LIMIT_MS = 60_000;

t.test('two sites replay bit for bit', async (t) => {
  runUntraced(t);
  for (const seed of [2, 3]) {
    const [first, second] = [await simulateSites({ seed }), await simulateSites({ seed })];
    t.equal(second.fingerprint, first.fingerprint);
  }
});

t.test('what one site acknowledges the other has in the end, under faults at both', async (t) => {
  runUntraced(t);
  let [ackedCount, absorbedCount, cutCount, overflowedCount] = [0, 0, 0, 0];
  for (let seed = 1; seed <= 12; seed += 1) {
    const verdict = await simulateSites({ seed });
    t.same(verdict.violations, [], `npm run simulate -- --sites --seeds ${seed}`);
    ackedCount += verdict.ackedCount;
    absorbedCount += verdict.absorbedCount;
    cutCount += verdict.cutCount;
    overflowedCount += verdict.overflowedCount;
  }
  t.ok(ackedCount > 12 * 40, `${ackedCount} writes were acknowledged`);
  t.ok(absorbedCount > 12 * 20, `${absorbedCount} objects were taken over`);
  t.ok(cutCount > 12, `the line was cut ${cutCount} times`);
  t.ok(overflowedCount > 3, `${overflowedCount} times a site had dropped keys`);
});

/** The first seed at which something that `isFound` is found. */
async function seedsUntil(
  options: Omit<SitesOptions, 'seed'>,
  isFound: (violation: string) => boolean,
): Promise<number> {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const verdict = await simulateSites({ ...options, seed, healLimitMs: HEAL_LIMIT_MS });
    if (verdict.violations.some(isFound)) return seed;
  }
  return Infinity;
}

t.test('a connection that takes along what it was given is found', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    {
      fullSyncs: false,
      tamper: (wan) => {
        wan.forgetsGiven = true;
      },
    },
    (violation) => violation.includes('was acknowledged and is lost'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

t.test('a queue that died with its node is found where nothing is compared', async (t) => {
  runUntraced(t);
  const seed = await seedsUntil(
    { fullSyncs: false, isOneWay: false, faults: ['crash'], datatypeClientCount: 0 },
    (violation) => violation.includes('was acknowledged and is lost'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});

t.test('a queue without files that ended with a clean stop is found, too', async (t) => {
  runUntraced(t);
  const stopping = { fullSyncs: false, isOneWay: false, faults: ['clean-restart'] } as const;
  const seed = await seedsUntil(
    {
      ...stopping,
      datatypeClientCount: 0,
      queueSize: { queueMaxBytes: 2 ** 20, queueDiskMaxBytes: 0 },
    },
    (violation) => violation.includes('was acknowledged and is lost'),
  );
  t.ok(seed <= SEEDS_MAX, `found at seed ${seed}`);
});
