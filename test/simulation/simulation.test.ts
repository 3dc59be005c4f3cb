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
  t.ok(verdict.ackedUpdateCount > 30, `${verdict.ackedUpdateCount} updates were acknowledged`);
});

t.test('while the ring moves, every quorum meets what was acknowledged', async (t) => {
  let stepCount = 0;
  for (let seed = 1; seed <= 4; seed += 1) {
    const verdict = await simulate({ seed, faults: [], steps: true, datatypeClientCount: 0 });
    t.same(verdict.violations, []);
    stepCount += verdict.stepCount;
  }
  t.ok(stepCount > 4, `${stepCount} steps`);
});

t.test('promises hold while nodes join, leave and replace each other under faults', async (t) => {
  let [joinedCount, leftCount] = [0, 0];
  for (let seed = 1; seed <= 4; seed += 1) {
    const verdict = await simulate({ seed, changesMembers: true, datatypeClientCount: 0 });
    t.same(
      verdict.violations,
      [],
      `npm run simulate -- --members --datatype-clients 0 --seeds ${seed}`,
    );
    joinedCount += verdict.joinedCount;
    leftCount += verdict.leftCount;
  }
  t.ok(joinedCount > 3 && leftCount > 1, `${joinedCount} joined, ${leftCount} left`);
});

t.test(`invariants 1 to 4 hold over ${SEED_COUNT} seeds of composed faults`, async (t) => {
  const faultCounts = new Map<FaultKind, number>();
  let ackedCount = 0;
  let ackedUpdateCount = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEED_COUNT; seed += 1) {
    // Data types are judged on every fourth seed, for the time it takes.
    const datatypeClientCount = seed % 4 === 0 ? 2 : 0;
    const verdict = await simulate({ seed, datatypeClientCount });
    ackedCount += verdict.ackedCount;
    ackedUpdateCount += verdict.ackedUpdateCount;
    for (const [kind, count] of verdict.faultCounts) {
      faultCounts.set(kind, (faultCounts.get(kind) ?? 0) + count);
    }
    if (verdict.violations.length > 0) {
      t.fail(
        `seed ${seed}: npm run simulate -- --seeds ${seed} --datatype-clients ${datatypeClientCount}`,
        {
          violations: verdict.violations,
        },
      );
    }
  }
  t.ok(ackedCount > SEED_COUNT * 20, `${ackedCount} acknowledged writes were judged`);
  t.ok(ackedUpdateCount > SEED_COUNT * 8, `${ackedUpdateCount} updates of data types were judged`);
  t.equal(faultCounts.size, ALL_FAULTS.length, 'every kind of fault happened');
});
