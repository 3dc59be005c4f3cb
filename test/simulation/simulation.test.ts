/** The real node on virtual time: a seed replays exactly, and what is undisturbed succeeds. */

import t from 'tap';
import { runUntraced } from '../untraced.ts';
import type { SimulatedCluster } from './cluster.ts';
import { simulate } from './simulation.ts';

t.test('a seed replays bit for bit, over links and without', async (t) => {
  runUntraced(t);
  for (const links of [false, true]) {
    const first = await simulate({ seed: 7, links });
    const second = await simulate({ seed: 7, links });
    t.equal(second.fingerprint, first.fingerprint);
    t.ok(first.ackedCount > 20, `${first.ackedCount} writes were acknowledged`);
  }
});

t.test('without faults every write is acknowledged', async (t) => {
  runUntraced(t);
  for (const links of [false, true]) {
    const verdict = await simulate({ seed: 11, faults: [], links });
    t.same(verdict.violations, []);
    t.equal(verdict.failureCount, 0);
    t.equal(verdict.ackedCount, verdict.writeCount);
    t.ok(verdict.ackedUpdateCount > 30, `${verdict.ackedUpdateCount} updates were acknowledged`);
  }
});

t.test('while the ring moves, every quorum meets what was acknowledged', async (t) => {
  runUntraced(t);
  let stepCount = 0;
  for (let seed = 1; seed <= 4; seed += 1) {
    const still = { faults: [], changesBuckets: false, datatypeClientCount: 0 };
    const verdict = await simulate({ seed, steps: true, ...still });
    t.same(verdict.violations, []);
    stepCount += verdict.stepCount;
  }
  t.ok(stepCount > 4, `${stepCount} steps`);
});

t.test('promises hold while nodes join, leave and replace each other under faults', async (t) => {
  runUntraced(t);
  let [joinedCount, leftCount, forcedCount] = [0, 0, 0];
  for (let seed = 1; seed <= 4; seed += 1) {
    const verdict = await simulate({ seed, changesMembers: true, datatypeClientCount: 0 });
    t.same(
      verdict.violations,
      [],
      `npm run simulate -- --members --datatype-clients 0 --seeds ${seed}`,
    );
    joinedCount += verdict.joinedCount;
    leftCount += verdict.leftCount;
    forcedCount += verdict.forcedCount;
  }
  t.ok(forcedCount > 0, `${forcedCount} taken out by force`);
  t.ok(joinedCount > 3 && leftCount > 1, `${joinedCount} joined, ${leftCount} left`);
});

t.test('a new disk under a clock that is behind is let in, and filled again', async (t) => {
  runUntraced(t);
  let cluster: SimulatedCluster | undefined;
  const verdict = await simulate({
    seed: 12,
    faults: ['clock-jump', 'empty-disk'],
    steps: false,
    faultIntervalMs: 700,
    datatypeClientCount: 0,
    tamper: (made) => {
      cluster = made;
    },
  });
  t.same(verdict.violations, []);
  const riseCount = Math.max(...(cluster?.nodes.map((node) => node.riseCount) ?? []));
  t.ok(riseCount > 0, `${riseCount} times one was refused at first`);
});

t.test('a disk that is set back in secret is found out, and loses nothing to a dot', async (t) => {
  runUntraced(t);
  const faults = ['crash', 'clean-restart', 'partition', 'secret-image'] as const;
  const clusters: SimulatedCluster[] = [];
  for (const seed of [1, 32, 34, 35]) {
    const tamper = (made: SimulatedCluster): unknown => clusters.push(made);
    const verdict = await simulate({ seed, faults, tamper });
    t.same(verdict.violations, [], `npm run simulate -- --faults ${faults.join()} --seeds ${seed}`);
  }
  const machines = clusters.flatMap(({ nodes }) => nodes);
  t.ok(machines.some(({ wasSetBack }) => wasSetBack));
  const foundCount = machines.reduce((sum, { foundOldCount }) => sum + foundOldCount, 0);
  t.ok(foundCount > 1, `found out ${foundCount} times`);
});

t.test('promises hold while buckets in use get more replicas and fewer', async (t) => {
  runUntraced(t);
  let changeCount = 0;
  for (const seed of [2, 6]) {
    const verdict = await simulate({ seed, changesBuckets: true, datatypeClientCount: 0 });
    const replay = `npm run simulate -- --buckets --datatype-clients 0 --seeds ${seed}`;
    t.same(verdict.violations, [], replay);
    changeCount += verdict.ackedBucketCount;
  }
  t.ok(changeCount > 2, `${changeCount} changes`);
});

t.test('what a majority of primaries took, every other shows, whoever is cut off', async (t) => {
  runUntraced(t);
  // Seeds in which a write that counted stand-ins is missed by a later read, or a read that did misses it.
  for (const seed of [45, 70, 86, 97, 102, 127]) {
    const verdict = await simulate({
      seed,
      faults: ['isolate', 'partition', 'pause'],
      steps: false,
      changesBuckets: false,
      datatypeClientCount: 0,
    });
    t.same(verdict.violations, [], `seed ${seed}`);
    t.ok(
      verdict.strictReadCount > 10,
      `seed ${seed}: ${verdict.strictReadCount} reads of a majority`,
    );
  }
});
