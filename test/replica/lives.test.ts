/**
 * One replica through lives of everything at once: nothing acknowledged is lost, no dot comes twice, and the
 * store agrees with itself; and whatever of it is damaged, the repairs together bring all of it back.
 *
 * `node build/test/replica/lives.test.js FIRST LAST` plays other seeds.
 */

import t from 'tap';
import { runUntraced } from '../untraced.ts';
import { Life } from './life.ts';

const [FIRST = 1, LAST = 12] = process.argv.slice(2).map(Number);
const STEPS = 300;

/** Plays each seed; the deeds that were done. */
async function play(live: (life: Life) => Promise<void>): Promise<Set<string>> {
  const deeds = new Set<string>();
  for (let seed = FIRST; seed <= LAST; seed += 1) {
    const life = new Life(seed);
    try {
      await live(life);
      await life.judge();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const deed of life.counts.keys()) deeds.add(deed);
  }
  return deeds;
}

t.test('through crashes and failures nothing acknowledged is lost', async (t) => {
  runUntraced(t);
  const deeds = await play(async (life) => {
    for (let step = 0; step < STEPS; step += 1) await life.step();
  });
  t.equal(deeds.size, 16, 'everything has happened');
});

t.test('whatever is damaged, the repairs together bring it back', async (t) => {
  runUntraced(t);
  const deeds = await play(async (life) => {
    for (let step = 0; step < STEPS; step += 1) {
      await life.step();
      if (step > STEPS / 4 && step % 20 === 0) life.harm();
    }
    await life.heal();
  });
  t.equal(deeds.size, 16);
});
