/** The histogram's percentiles are near the true ones, and the minute forgets. */

import fc from 'fast-check';
import t from 'tap';
import { WindowedHistogram } from '../../src/telemetry/windowed-histogram.ts';

const value = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 2 ** 31 }),
  fc.integer({ min: 0, max: 2 ** 40 - 1 }),
);

t.test('percentiles are within 1.6 % of the true ones, mean and maximum exact', (t) => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), (values) => {
      const histogram = new WindowedHistogram(3);
      for (const each of values) histogram.observe(each);
      const sorted = values.toSorted((left, right) => left - right);
      const rank = (fraction: number): number => {
        return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1] ?? 0;
      };
      const near = (got: number, wanted: number): boolean =>
        Math.abs(got - wanted) <= wanted * 0.016;
      const summary = histogram.summary();
      const mean = values.reduce((left, right) => left + right, 0) / values.length;
      return (
        near(summary.median, rank(0.5)) &&
        near(summary.p95, rank(0.95)) &&
        near(summary.p99, rank(0.99)) &&
        summary.max === sorted.at(-1) &&
        Math.abs(summary.mean - mean) <= mean * 1e-9 &&
        summary.count === values.length
      );
    }),
  );
  t.end();
});

t.test(
  'a value is forgotten after as many rotations as there are slices, the total is not',
  (t) => {
    const histogram = new WindowedHistogram(3);
    histogram.observe(7);
    histogram.rotate();
    histogram.observe(9);
    histogram.rotate();
    t.match(histogram.summary(), { count: 2, max: 9, mean: 8 });
    histogram.rotate();
    t.match(histogram.summary(), { count: 1, max: 9, median: 9 });
    histogram.rotate();
    t.same(histogram.summary(), {
      count: 0,
      mean: 0,
      median: 0,
      p95: 0,
      p99: 0,
      max: 0,
      totalCount: 2,
      totalSum: 16,
    });
    t.end();
  },
);

t.test('values outside the range count at its ends', (t) => {
  const histogram = new WindowedHistogram(1);
  for (const odd of [-5, NaN, Infinity, 2 ** 60]) histogram.observe(odd);
  t.match(histogram.summary(), { count: 4, max: 2 ** 40 - 1 });
  t.end();
});
