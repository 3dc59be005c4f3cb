/** Promises hold over random faults: the second hundred seeds. */

import t from 'tap';
import { judgeSeeds } from './judged-seeds.ts';

t.test('promises hold over a hundred seeds of composed faults', async (t) => {
  await judgeSeeds(t, 101, 100);
});
