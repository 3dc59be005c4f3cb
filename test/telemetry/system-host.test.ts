/** The real clock and the real dice keep the contracts of their ports. */

import fc from 'fast-check';
import t from 'tap';
import { SystemClock, SystemRandom } from '../../src/telemetry/system-host.ts';

t.test('a timer never fires before its time', async (t) => {
  const clock = new SystemClock({ isHoldingProcess: true });
  for (const delayMs of [0, 1, 1.2, 3.7, 10]) {
    const startedMs = clock.monotonicMs();
    await new Promise<void>((resolve) => {
      clock.after(delayMs, resolve);
    });
    t.ok(clock.monotonicMs() - startedMs >= delayMs, `${delayMs} ms`);
  }
});

t.test('a cancelled timer does not fire, and may be cancelled again', async (t) => {
  const clock = new SystemClock({ isHoldingProcess: true });
  let fired = false;
  const cancel = clock.after(1, () => {
    fired = true;
  });
  cancel();
  cancel();
  await new Promise<void>((resolve) => {
    clock.after(5, resolve);
  });
  t.notOk(fired);
});

t.test('a delay beyond what Node can time does not fire at once', async (t) => {
  const clock = new SystemClock({ isHoldingProcess: true });
  let fired = false;
  const cancel = clock.after(2 ** 40, () => {
    fired = true;
  });
  await new Promise<void>((resolve) => {
    clock.after(5, resolve);
  });
  cancel();
  t.notOk(fired);
});

t.test('the wall clock agrees with Date to two milliseconds and counts microseconds', (t) => {
  const clock = new SystemClock();
  const fractions = new Set<number>();
  let disagreements = 0;
  for (let round = 0; round < 2_000; round += 1) {
    const before = Date.now() * 1_000;
    const micros = clock.wallMicros();
    const after = Date.now() * 1_000;
    const isNear = micros >= before - 2_000 && micros <= after + 3_000;
    if (!isNear || !Number.isSafeInteger(micros)) disagreements += 1;
    fractions.add(micros % 1_000);
  }
  t.equal(disagreements, 0);
  t.ok(fractions.size > 10, 'not whole milliseconds only');
  t.end();
});

t.test('an integer is below its bound', (t) => {
  const random = new SystemRandom();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0x1_0000_0000 }), (below) => {
      const drawn = random.integer(below);
      return Number.isInteger(drawn) && drawn >= 0 && drawn < below;
    }),
  );
  t.throws(() => random.integer(0));
  t.throws(() => random.integer(0x1_0000_0001));
  t.end();
});

t.test('small integers are spread evenly', (t) => {
  const random = new SystemRandom();
  const counts = [0, 0, 0, 0, 0];
  for (let draw = 0; draw < 50_000; draw += 1) {
    const value = random.integer(5);
    counts[value] = (counts[value] ?? 0) + 1;
  }
  for (const count of counts) t.ok(count > 9_400 && count < 10_600, `${count} of 50,000`);
  t.end();
});

t.test('random bytes have the size asked for, share nothing and do not repeat', (t) => {
  const random = new SystemRandom();
  const seen = new Set<string>();
  for (let draw = 0; draw < 1_000; draw += 1) {
    const bytes = random.bytes(16);
    seen.add(bytes.toString('hex'));
    bytes.fill(0);
  }
  t.equal(seen.size, 1_000);
  t.ok([...seen].every((hex) => hex.length === 32));
  t.equal(random.bytes(100_000).length, 100_000);
  t.equal(random.bytes(0).length, 0);
  t.end();
});
