/**
 * The pace decides alone where reads are done: times are given to it, so that each moment can be
 * looked at.
 */

import t from 'tap';
import { ReadPace } from '../../src/storage/read-pace.ts';

t.test('reads are done on the spot as long as they are quick', async (t) => {
  const pace = new ReadPace();
  for (let nowMs = 0; nowMs < 100; nowMs += 1) {
    t.ok(pace.isQuick(nowMs));
    pace.took(nowMs, nowMs + 0.1);
  }
});

t.test('a slow read sends those after it to other threads for a pause', async (t) => {
  const pace = new ReadPace();
  pace.took(0, 10);
  t.notOk(pace.isQuick(10));
  t.notOk(pace.isQuick(25));
  t.ok(pace.isQuick(26));
});

t.test('the pause doubles up to a second while the read after it is slow too', async (t) => {
  const pace = new ReadPace();
  let nowMs = 0;
  const pauses: number[] = [];
  for (let tries = 0; tries < 9; tries += 1) {
    const endedMs = nowMs + 10;
    pace.took(nowMs, endedMs);
    nowMs = endedMs;
    while (!pace.isQuick(nowMs)) nowMs += 1;
    pauses.push(nowMs - endedMs);
  }
  t.same(pauses, [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
});

t.test('one quick read ends the doubling', async (t) => {
  const pace = new ReadPace();
  pace.took(0, 10);
  pace.took(26, 36);
  t.notOk(pace.isQuick(36 + 31));
  pace.took(68, 68.1);
  pace.took(69, 79);
  t.ok(pace.isQuick(79 + 16));
});
