/**
 * The reduce functions: what each comes to, whatever the batches.
 */

import fc from 'fast-check';
import t from 'tap';
import { isCrash } from '../../src/mapreduce/map-functions.ts';
import { REDUCE_FUNCTIONS } from '../../src/mapreduce/reduce-functions.ts';
import { NOT_FOUND, atom, tuple } from '../../src/mapreduce/term.ts';
import type { Term, TermList } from '../../src/mapreduce/term.ts';

/** The results, or the name of the error. */
function reduce(name: string, batches: readonly TermList[]): TermList | string {
  const reducer = REDUCE_FUNCTIONS.get(name)?.();
  if (reducer === undefined) return 'no such function';
  const results: Term[] = [];
  for (const batch of batches) {
    const outcome = reducer.add(batch);
    if (isCrash(outcome)) return outcome.crash;
    results.push(...outcome);
  }
  return [...results, ...reducer.finish()];
}

const text = (value: string): Buffer => Buffer.from(value);

t.test('nothing comes to nothing, but for counts and sums', (t) => {
  t.same(reduce('reduce_count_inputs', []), [0n]);
  t.same(reduce('reduce_sum', []), [0n]);
  for (const name of ['reduce_sort', 'reduce_identity', 'reduce_set_union', 'reduce_plist_sum']) {
    t.same(reduce(name, []), [], name);
  }
  t.end();
});

t.test('integers stay integers of any size, and floats make floats', (t) => {
  t.same(reduce('reduce_sum', [[1n, 2n ** 80n], [3n]]), [2n ** 80n + 4n]);
  t.same(reduce('reduce_sum', [[1n, 0.5], [3n]]), [4.5]);
  t.same(reduce('reduce_sum', [[1n, NOT_FOUND, tuple(atom('not_found'), 1n, 2n)]]), [1n]);
  t.equal(reduce('reduce_sum', [[1n, text('2')]]), 'badarith');
  t.equal(reduce('reduce_sum', [[1e308, 1e308]]), 'badarith');
  t.equal(reduce('reduce_sum', [[0.5, 10n ** 400n]]), 'badarith', 'no float holds it');
  t.end();
});

t.test('a long integer counts for as much as it takes', (t) => {
  const sort = REDUCE_FUNCTIONS.get('reduce_sort')?.();
  sort?.add([1n, -(2n ** 63n)]);
  const small = sort?.heldBytes ?? 0;
  sort?.add([-(2n ** 6_400n)]);
  t.equal(small, 48);
  t.ok((sort?.heldBytes ?? 0) - small >= 800);
  t.end();
});

t.test('what is sorted in parts is sorted as a whole, and equals stay in order', (t) => {
  const numbers = Array.from({ length: 5_000 }, (_, index) => {
    const value = (index * 7_919) % 100;
    return index % 2 === 0 ? BigInt(value) : value;
  });
  const batches = Array.from({ length: 50 }, (_, at) => numbers.slice(at * 100, at * 100 + 100));
  const sorted = numbers.toSorted((left, right) => Number(left) - Number(right));
  t.same(reduce('reduce_sort', batches), sorted);
  t.end();
});

t.test('a count takes integers for earlier counts', (t) => {
  t.same(reduce('reduce_count_inputs', [[text('a'), text('b')], [text('c')]]), [3n]);
  t.same(reduce('reduce_count_inputs', [[10n, text('b')]]), [11n]);
  t.end();
});

t.test('texts become integers, and what is none fails', (t) => {
  const inputs = [text('10'), text('-3'), text('+4'), 5n, [0x37n, 0x38n]];
  t.same(reduce('reduce_string_to_integer', [inputs]), [10n, -3n, 4n, 5n, 78n]);
  for (const wrong of ['', 'x', '1.0', ' 1', '9'.repeat(5000)]) {
    t.equal(reduce('reduce_string_to_integer', [[text(wrong)]]), 'badarg', wrong.slice(0, 9));
  }
  t.end();
});

t.test('a union holds each term once; 1 and 1.0 are two', (t) => {
  const results = reduce('reduce_set_union', [
    [text('a'), 1n, 1.0],
    [1n, text('a'), [1n]],
  ]);
  t.same(results, [text('a'), 1n, 1.0, [1n]]);
  t.end();
});

t.test('property lists are summed by key', (t) => {
  const [a, b] = [text('a'), text('b')];
  const batches = [[[tuple(a, 1n), tuple(b, 2n)]], [tuple(a, 10n)]];
  t.same(reduce('reduce_plist_sum', batches), [tuple(a, 11n), tuple(b, 2n)]);
  t.equal(reduce('reduce_plist_sum', [[1n]]), 'function_clause');
  t.equal(reduce('reduce_plist_sum', [[tuple(a, a)]]), 'badarith');
  t.end();
});

t.test('identity gives addresses and nothing else', (t) => {
  const [b, k, kind] = [text('b'), text('k'), text('t')];
  const pair = tuple(b, k);
  t.same(reduce('reduce_identity', [[pair, tuple(pair, 1n), [b, k]]]), [
    [b, k],
    [b, k],
    [b, k],
  ]);
  const typed = tuple(tuple(tuple(kind, b), k), 1n);
  t.same(reduce('reduce_identity', [[typed]]), [typed]);
  t.equal(reduce('reduce_identity', [[1n]]), '{unhandled_entry,1}');
  t.end();
});

t.test('how inputs fall into batches changes nothing', (t) => {
  const someTerm = fc.oneof(
    fc.bigInt({ min: -9n, max: 9n }),
    fc.string({ maxLength: 2 }).map(text),
  );
  const names = ['reduce_set_union', 'reduce_sort', 'reduce_count_inputs'];
  fc.assert(
    fc.property(fc.array(fc.array(someTerm)), fc.constantFrom(...names), (batches, name) => {
      const [whole, parts] = [reduce(name, [batches.flat()]), reduce(name, batches)];
      t.same(parts, whole);
    }),
    { numRuns: 50 },
  );
  t.end();
});
