/** Sliced work ends the same either way, and lets others in between. */

import t from 'tap';
import { SliceBudget, runAtOnce, runInSlices, type Sliced } from '../../src/base/sliced.ts';
import type { Clock } from '../../src/base/host.ts';

function* sum(count: number, sizeBytes: number): Sliced<number> {
  const slice = new SliceBudget();
  let total = 0;
  for (let index = 1; index <= count; index += 1) {
    total += index;
    if (slice.spend(sizeBytes)) yield;
  }
  return total;
}

/** Runs what is due when told to. */
function steppedClock(): Clock & { readonly due: (() => void)[] } {
  const due: (() => void)[] = [];
  return {
    due,
    wallMicros: () => 0,
    monotonicMs: () => 0,
    after: (_delayMs, run) => {
      due.push(run);
      return () => {};
    },
  };
}

t.test('work comes to the same at once and in slices', async (t) => {
  const clock = steppedClock();
  const slow = runInSlices(sum(10, 100_000), clock);
  t.ok(slow instanceof Promise);
  let turns = 0;
  for (; clock.due.length > 0; turns += 1) {
    clock.due.shift()?.();
    await new Promise(setImmediate);
  }
  t.equal(await slow, 55);
  t.equal(runAtOnce(sum(10, 100_000)), 55);
  t.equal(turns, 3, 'others had their turn');
});

t.test('small work is done before it returns', (t) => {
  const clock = steppedClock();
  t.equal(runInSlices(sum(10, 1), clock), 55);
  t.same(clock.due, []);
  t.end();
});

t.test('what the work throws is thrown to who waits for it', async (t) => {
  function* failing(): Sliced<number> {
    yield;
    throw new Error('a bug');
  }
  const clock = steppedClock();
  const work = runInSlices(failing(), clock);
  for (const run of clock.due) run();
  await t.rejects(Promise.resolve(work), { message: 'a bug' });
  t.throws(() => runAtOnce(failing()), { message: 'a bug' });
});
