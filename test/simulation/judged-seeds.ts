/** Seeds of composed faults, judged: in several files, so that they run side by side. */

import type { Test } from 'tap';
import { runUntraced } from '../untraced.ts';
import type { FaultKind } from './faults.ts';
import { simulate } from './simulation.ts';
import { ALL_FAULTS } from './simulation-options.ts';

/** Fails with the command that replays the seed where a promise is broken. */
export async function judgeSeeds(t: Test, firstSeed: number, count: number): Promise<void> {
  runUntraced(t);
  const faultCounts = new Map<FaultKind, number>();
  let ackedCount = 0;
  let [ackedUpdateCount, ackedAccessCount, ackedBucketCount] = [0, 0, 0];
  for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
    // Data types are judged on every fourth seed, for the time it takes.
    const datatypeClientCount = seed % 4 === 0 ? 2 : 0;
    const verdict = await simulate({ seed, datatypeClientCount });
    ackedCount += verdict.ackedCount;
    ackedUpdateCount += verdict.ackedUpdateCount;
    ackedAccessCount += verdict.ackedAccessCount;
    ackedBucketCount += verdict.ackedBucketCount;
    for (const [kind, times] of verdict.faultCounts) {
      faultCounts.set(kind, (faultCounts.get(kind) ?? 0) + times);
    }
    if (verdict.violations.length > 0) {
      const replay = `--seeds ${seed} --datatype-clients ${datatypeClientCount}`;
      t.fail(`npm run simulate -- ${replay}`, { violations: verdict.violations });
    }
  }
  t.ok(ackedCount > count * 20, `${ackedCount} acknowledged writes were judged`);
  t.ok(ackedUpdateCount > count * 8, `${ackedUpdateCount} updates of data types were judged`);
  t.ok(4 * ackedAccessCount > 6 * count, `${ackedAccessCount} changes of access were judged`);
  t.ok(4 * ackedBucketCount > 2 * count, `${ackedBucketCount} changes of buckets were judged`);
  t.equal(faultCounts.size, ALL_FAULTS.length, 'every kind of fault happened');
}
