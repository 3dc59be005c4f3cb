/** Durations and sizes: one value for each way of writing, and nothing without a unit. */

import fc from 'fast-check';
import t from 'tap';
import {
  formatDuration,
  formatSize,
  parseDurationMs,
  parseSizeBytes,
} from '../../src/config/units.ts';

t.test('durations and sizes are read with their unit', (t) => {
  t.equal(parseDurationMs('500ms'), 500);
  t.equal(parseDurationMs('60s'), 60_000);
  t.equal(parseDurationMs('1h30m'), 5_400_000);
  t.equal(parseDurationMs('7d'), 604_800_000);
  t.equal(parseSizeBytes('0B'), 0);
  t.equal(parseSizeBytes('50MiB'), 52_428_800);
  t.end();
});

t.test('what has no unit, or a wrong one, is nothing', (t) => {
  for (const text of ['', '60', '60 s', '1.5s', '-1s', 's', '60S', '1h 30m', '99999999999999d']) {
    t.equal(parseDurationMs(text), undefined, text);
  }
  for (const text of ['', '50', '50MB', '50mib', '1KiB1B', '-1B', '999999999999999GiB']) {
    t.equal(parseSizeBytes(text), undefined, text);
  }
  t.end();
});

t.test('every value comes back from how it is written', (t) => {
  const value = fc.oneof(
    fc.nat(),
    fc.nat(9_999).map((n) => n * 60_000),
  );
  fc.assert(fc.property(value, (ms) => parseDurationMs(formatDuration(ms)) === ms));
  fc.assert(fc.property(value, (bytes) => parseSizeBytes(formatSize(bytes)) === bytes));
  t.equal(formatDuration(120_000), '2m');
  t.equal(formatSize(52_428_800), '50MiB');
  t.end();
});
