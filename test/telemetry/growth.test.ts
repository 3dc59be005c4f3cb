/** Growth: the line through readings, of which a bounded number is kept. */

import fc from 'fast-check';
import t from 'tap';
import { Growth } from '../../src/telemetry/growth.ts';

const OPTIONS = { windowMs: 1_000_000, readingsMax: 32, leastMs: 10_000 };

t.test('a steady growth is found, whatever the pace of the readings', (t) => {
  const pace = fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 2, maxLength: 300 });
  fc.assert(
    fc.property(pace, fc.integer({ min: -1_000, max: 1_000 }), (gaps, perSecond) => {
      const growth = new Growth(OPTIONS);
      let atMs = 0;
      for (const gapMs of gaps) {
        atMs += gapMs;
        growth.note(atMs, 1e9 + (perSecond * atMs) / 1_000);
      }
      if (growth.spanMs > OPTIONS.windowMs) throw new Error(`spans ${growth.spanMs} ms`);
      const found = growth.perSecond();
      if (growth.spanMs < OPTIONS.leastMs) return found === undefined;
      return found !== undefined && Math.abs(found - perSecond) < 1e-3;
    }),
  );
  t.end();
});

t.test('what was long ago does not count, and waves are no growth', (t) => {
  const growth = new Growth(OPTIONS);
  for (let atMs = 0; atMs < 1_500_000; atMs += 500) growth.note(atMs, atMs);
  for (let atMs = 1_500_000; atMs < 4_000_000; atMs += 500) {
    growth.note(atMs, 1_500_000 + ((atMs / 500) % 2) * 100_000);
  }
  const found = growth.perSecond() ?? NaN;
  t.ok(Math.abs(found) < 50, `${found} a second`);
  t.ok(growth.spanMs > OPTIONS.windowMs / 2);
  t.end();
});

t.test('too early, nothing is told', (t) => {
  const growth = new Growth(OPTIONS);
  t.equal(growth.perSecond(), undefined);
  growth.note(0, 1);
  growth.note(9_999, 2);
  t.equal(growth.perSecond(), undefined);
  growth.note(10_000, 2);
  t.ok(growth.perSecond());
  t.end();
});
