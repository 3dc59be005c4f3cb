/**
 * Turns are given by what was looked at and by the clock; an allowance is spent whole or not at all.
 */

import t from 'tap';
import { Allowance, Turns } from '../../src/base/turns.ts';
import { CountingClock } from '../counting-clock.ts';
import type { Clock } from '../../src/base/host.ts';

t.test('the clock is looked at after so much work, however it is cut', (t) => {
  const dueAfter = (units: number): number => {
    const turns = new Turns(new CountingClock());
    let spent = units;
    while (!turns.spend(units)) spent += units;
    return spent;
  };
  t.equal(dueAfter(1), 64 * 1024);
  t.equal(dueAfter(1_000), 66_000);
  t.equal(dueAfter(1_000_000), 1_000_000);
  t.end();
});

t.test('others get their turn once the clock says so', async (t) => {
  const clock = new CountingClock();
  const turns = new Turns(clock);
  await turns.pass();
  t.equal(clock.turnCount, 1);
  const still = { wallMicros: () => 0, monotonicMs: () => 5, after: () => t.fail('too soon') };
  await new Turns(still as unknown as Clock).pass();
});

t.test('an allowance refuses what is beyond it, and is renewed', (t) => {
  const allowance = new Allowance();
  t.equal(allowance.take(9_000_000), true);
  t.equal(allowance.take(2_000_000), false);
  t.equal(allowance.spentUnits, 9_000_000);
  allowance.renew();
  t.equal(allowance.take(2_000_000), true);
  t.end();
});
