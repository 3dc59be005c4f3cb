/** Turns of folds: no more at once than there are, in order, and none is lost with what fails. */

import t from 'tap';
import { FoldTurns } from '../../src/replica/fold-turns.ts';

t.test('so many read at once, first come, first served', async (t) => {
  const turns = new FoldTurns(2);
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const reads = Array.from({ length: 6 }, (_, index) => {
    return turns.take(() => {
      started.push(index);
      return new Promise<number>((resolve) => {
        finish.push(() => resolve(index));
      });
    });
  });
  t.same(started, [0, 1]);
  for (let index = 0; index < 6; index += 1) {
    finish[index]?.();
    t.equal(await reads[index], index);
    t.same(
      started,
      Array.from({ length: Math.min(6, index + 3) }, (_, each) => each),
    );
  }
});

t.test('a read that fails gives its turn back', async (t) => {
  const turns = new FoldTurns(1);
  for (let index = 0; index < 3; index += 1) {
    await t.rejects(turns.take(() => Promise.reject(new Error('a disk failed'))));
  }
  t.equal(await turns.take(() => Promise.resolve(1)), 1);
});
