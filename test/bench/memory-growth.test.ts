/** Whether memory grows is read from the later half of its looks, and not from where a collector was. */

import t from 'tap';
import { growthOf, isGrowing } from '../../bench/report/growth-of-memory.ts';

const MIB = 2 ** 20;

function verdict(mebibytes: readonly number[]): boolean | undefined {
  const growth = growthOf(mebibytes.map((look) => look * MIB));
  return growth && isGrowing(growth, mebibytes.length);
}

t.test('what fills up at first and then stays does not grow', (t) => {
  t.equal(verdict([60, 120, 180, 200, 202, 199, 203, 201]), false);
  // So it was with 48,000 jobs.
  const seen = [238, 253, 302, 324, 299, 304, 315, 325, 330, 335, 332, 334];
  t.equal(verdict(seen), false);
  t.end();
});

t.test('what goes on does', (t) => {
  t.equal(verdict([60, 120, 180, 240, 300, 360, 420, 480]), true);
  t.equal(growthOf([1, 2, 3, 4, 5, 6, 7, 8])?.bytesPerRound, 1);
  t.end();
});

t.test('looks that differ by chance show no trend', (t) => {
  t.equal(verdict([200, 230, 190, 240, 195, 235, 200, 240]), false);
  t.equal(verdict([200, 201, 202, 203, 204, 205, 206, 207]), false, 'nor do a few bytes');
  t.end();
});

t.test('of too few rounds nothing is said', (t) => {
  t.equal(verdict([1, 1_000, 2_000, 3_000]), undefined);
  t.end();
});
