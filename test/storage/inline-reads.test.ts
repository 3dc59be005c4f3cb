/**
 * Where reads are done: times are given from outside, so that each moment can be looked at.
 */

import t from 'tap';
import { InlineReads } from '../../src/storage/inline-reads.ts';

t.test('reads are done on the spot as long as they are quick', async (t) => {
  const inlineReads = new InlineReads();
  for (let nowMs = 0; nowMs < 100; nowMs += 1) {
    t.ok(inlineReads.areAllowed(nowMs));
    inlineReads.took(nowMs, nowMs + 0.1);
  }
});

t.test('one read that was held up among quick ones changes nothing', async (t) => {
  const inlineReads = new InlineReads();
  let nowMs = 0;
  for (let round = 0; round < 20; round += 1) {
    inlineReads.took(nowMs, nowMs + 3);
    t.ok(inlineReads.areAllowed(nowMs + 3));
    for (let read = 0; read < 200; read += 1) inlineReads.took(nowMs, nowMs + 0.006);
    nowMs += 10;
  }
});

t.test('reads that are slow on the average go to other threads', async (t) => {
  const inlineReads = new InlineReads();
  let reads = 0;
  while (inlineReads.areAllowed(0) && reads < 1_000) {
    inlineReads.took(-0.2, 0);
    reads += 1;
  }
  t.ok(reads > 1 && reads < 100);
});

t.test('a very slow read sends those after it to other threads for a pause', async (t) => {
  const inlineReads = new InlineReads();
  inlineReads.took(0, 10);
  t.notOk(inlineReads.areAllowed(10));
  t.notOk(inlineReads.areAllowed(25));
  t.ok(inlineReads.areAllowed(26));
});

t.test('the pause doubles up to a second while the read after it is slow too', async (t) => {
  const inlineReads = new InlineReads();
  let nowMs = 0;
  const pauses: number[] = [];
  for (let tries = 0; tries < 9; tries += 1) {
    const endedMs = nowMs + 10;
    inlineReads.took(nowMs, endedMs);
    nowMs = endedMs;
    while (!inlineReads.areAllowed(nowMs)) nowMs += 1;
    pauses.push(nowMs - endedMs);
  }
  t.same(pauses, [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
});

t.test('one quick read ends the doubling', async (t) => {
  const inlineReads = new InlineReads();
  inlineReads.took(0, 10);
  inlineReads.took(26, 36);
  t.notOk(inlineReads.areAllowed(36 + 31));
  inlineReads.took(68, 68.1);
  inlineReads.took(69, 79);
  t.ok(inlineReads.areAllowed(79 + 16));
});
