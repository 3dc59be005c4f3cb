/** The real node on virtual time: promises hold over random faults, and a seed replays exactly. */

import t from 'tap';
import { ALL_FAULTS, simulate, type FaultKind } from './simulation.ts';

const FIRST_SEED = 1;
const SEED_COUNT = 200;

t.test('a seed replays bit for bit', async (t) => {
  const first = await simulate({ seed: 7 });
  const second = await simulate({ seed: 7 });
  t.equal(second.fingerprint, first.fingerprint);
  t.ok(first.ackedCount > 20, `${first.ackedCount} writes were acknowledged`);
});

t.test('without faults every write is acknowledged', async (t) => {
  const verdict = await simulate({ seed: 11, faults: [] });
  t.same(verdict.violations, []);
  t.equal(verdict.failureCount, 0);
  t.equal(verdict.ackedCount, verdict.writeCount);
});

t.test(`invariants 1 to 4 hold over ${SEED_COUNT} seeds of composed faults`, async (t) => {
  const faultCounts = new Map<FaultKind, number>();
  let ackedCount = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEED_COUNT; seed += 1) {
    const verdict = await simulate({ seed });
    ackedCount += verdict.ackedCount;
    for (const [kind, count] of verdict.faultCounts) {
      faultCounts.set(kind, (faultCounts.get(kind) ?? 0) + count);
    }
    if (verdict.violations.length > 0) {
      t.fail(`seed ${seed}: npm run simulate -- --seeds ${seed}`, {
        violations: verdict.violations,
      });
    }
  }
  t.ok(ackedCount > SEED_COUNT * 20, `${ackedCount} acknowledged writes were judged`);
  t.equal(faultCounts.size, ALL_FAULTS.length, 'every kind of fault happened');
});
