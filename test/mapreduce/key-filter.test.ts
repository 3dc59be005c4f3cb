/**
 * Key filters: each of them, how they follow one another, and what is refused.
 */

import t from 'tap';
import { compileKeyFilter } from '../../src/mapreduce/key-filter.ts';
import { jsonToTerm } from '../../src/mapreduce/term-json.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { TermList } from '../../src/mapreduce/term.ts';

function passing(filters: unknown, keys: readonly string[]): readonly string[] {
  const outcome = compileKeyFilter(jsonToTerm(filters) as TermList);
  if (outcome.kind === 'bad') {
    return [`bad ${Buffer.isBuffer(outcome.filter) ? outcome.filter.toString() : ''}`];
  }
  return keys.filter((key) => outcome.filter.passes(key as ByteString));
}

const CASES: readonly (readonly [filters: unknown, passes: string[], not: string[]])[] = [
  [[['eq', 'a']], ['a'], ['b', 'A']],
  [[['neq', 'a']], ['b'], ['a']],
  [[['greater_than', 'b']], ['c'], ['b', 'a']],
  [[['greater_than_eq', 'b']], ['c', 'b'], ['a']],
  [[['less_than', 'b']], ['a'], ['b', 'c']],
  [[['less_than_eq', 'b']], ['a', 'b'], ['c']],
  [
    [['string_to_int'], ['greater_than', 9]],
    ['10', '+11'],
    ['9', 'x', '10.0'],
  ],
  [[['string_to_int'], ['int_to_string'], ['eq', '7']], ['007', '7'], ['8']],
  [
    [['string_to_float'], ['less_than', 1.5]],
    ['1.25', '1', '-2e3'],
    ['1.5', 'nan'],
  ],
  [
    [['string_to_float'], ['float_to_string'], ['eq', '2.50000000000000000000e+00']],
    ['2.5', '25e-1'],
    ['2'],
  ],
  [[['to_upper'], ['starts_with', 'AB1']], ['ab1', 'AB1x'], ['b']],
  [[['to_lower'], ['ends_with', 'ab']], ['xaB', 'ab'], ['b']],
  [[['to_lower'], ['set_member', 'ab']], ['aB'], ['b']],
  [[['to_lower'], ['matches', '^ab$']], ['aB'], ['b']],
  [[['to_lower'], ['similar_to', 'abc', 1]], ['AB', 'abc'], ['a']],
  [[['to_upper'], ['string_to_int'], ['eq', 7]], ['7'], ['x']],
  [[['urldecode'], ['set_member', 'a b/c']], ['a+b%2fc', 'a%20b/c'], ['a%2']],
  // It reads a field of a form, which ends where the next one begins.
  [
    [['urldecode'], ['set_member', 'a=b']],
    ['a=b', 'a=b&c', 'a%3Db;c'],
    ['a%26b', 'a'],
  ],
  // Equal means of one kind; an order is by value alone.
  [[['string_to_float'], ['eq', 2]], [], ['2.0', '2']],
  [[['string_to_float'], ['neq', 2]], ['2.0', '3.5'], []],
  [[['string_to_float'], ['less_than_eq', 2]], ['2.0', '1.5'], ['2.5']],
  [[['string_to_float'], ['eq', 2.5]], ['2.5', '25e-1'], ['2.6']],
  [
    [['string_to_int'], ['eq', 2]],
    ['2', '+02'],
    ['2.0', '3'],
  ],
  [[['string_to_int'], ['eq', 2.5]], [], ['2']],
  // A changed text is a list of characters: less than any key, and equal to none.
  [[['to_upper'], ['eq', 'AB']], [], ['ab', 'AB']],
  [[['to_lower'], ['less_than', 'a']], ['b', 'A'], []],
  [[['string_to_int'], ['set_member', '5', 6]], ['5', '05', '6'], ['7']],
  [[['not', [['eq', 'a']], [['eq', 'b']]]], ['b', 'c'], ['a']],
  [[['eq', 'a', 'b']], ['a'], ['b']],
  [
    [
      ['tokenize', '-/', 2],
      ['eq', 'x'],
    ],
    ['a-x', 'a/-x-b'],
    ['x', 'x-', 'a-b-x'],
  ],
  // A key of too few parts has the empty list, which differs from any text.
  [
    [
      ['tokenize', '-', 2],
      ['neq', 'x'],
    ],
    ['a', 'a-b'],
    ['a-x'],
  ],
  [[['between', 'b', 'd']], ['b', 'c', 'd'], ['a', 'e']],
  [[['between', 'b', 'd', false]], ['c'], ['b', 'd']],
  [[['matches', '^[ab].*z$']], ['az', 'byyz'], ['cz', 'a']],
  [[['set_member', 'a', 'b']], ['a', 'b'], ['c']],
  [[['similar_to', 'newyork', 2]], ['newyork', 'neyork', 'nwyorc'], ['york', 'newyorkcity']],
  [[['starts_with', 'ab']], ['abc', 'ab'], ['a', 'cab']],
  [[['ends_with', 'ab']], ['cab', 'ab'], ['b', 'abc']],
  [[['and', [['starts_with', 'a']], [['ends_with', 'z']]]], ['az', 'abz'], ['a', 'z']],
  [[['or', [['eq', 'a']], [['string_to_int'], ['eq', 3]]]], ['a', '3'], ['b', '4']],
  [[['not', [['eq', 'a']]]], ['b'], ['a']],
];

for (const [filters, passes, not] of CASES) {
  t.test(JSON.stringify(filters), (t) => {
    t.same(passing(filters, [...passes, ...not]), passes);
    t.end();
  });
}

t.test('a transform alone is no verdict, and no key passes', (t) => {
  t.same(passing([['to_upper']], ['a', 'true']), []);
  t.end();
});

t.test('a filter that is none, or wrongly used, is named', (t) => {
  const bad = (filters: unknown): string => passing(filters, ['a'])[0] ?? '';
  t.equal(bad([['nofilter', 1]]), 'bad nofilter');
  t.equal(bad([['eq', 'a'], ['toupper']]), 'bad toupper');
  t.equal(bad([['eq']]), 'bad eq');
  t.equal(bad([['tokenize', '-', 0]]), 'bad tokenize');
  t.equal(bad([['matches', '(']]), 'bad matches');
  t.equal(bad([['and', ['eq', 'a']]]), 'bad and');
  t.equal(bad([['not']]), 'bad not');
  t.match(bad(['eq']), 'bad');
  t.end();
});

t.test('what would cost too much is refused', (t) => {
  const bad = (filters: unknown): string => passing(filters, ['a'])[0] ?? '';
  t.equal(bad([['matches', 'a'.repeat(2000)]]), 'bad matches');
  t.equal(bad([['matches', '(a{500}){500}{500}']]), 'bad matches');
  t.equal(bad([['similar_to', 'a'.repeat(1000), 3]]), 'bad similar_to');
  t.equal(bad([['similar_to', 'a', 1e9]]), 'bad similar_to');
  t.match(bad(Array.from({ length: 1000 }, () => ['to_upper'])), 'bad');
  let deep: unknown = [['eq', 'a']];
  for (let depth = 0; depth < 20; depth += 1) deep = [['not', deep]];
  t.match(bad(deep), 'bad');
  t.end();
});

t.test('the filters of a job are bounded together, those within others too', (t) => {
  const both = (count: number): unknown => [
    ['or', ...Array.from({ length: count }, () => [['eq', 'a']])],
    ['and', [['eq', 'a']]],
  ];
  const kindOf = (filters: unknown): string =>
    compileKeyFilter(jsonToTerm(filters) as TermList).kind;
  t.equal(kindOf(both(253)), 'filter');
  t.equal(kindOf(both(254)), 'bad');
  t.end();
});

t.test('what one key may cost is bounded, and short keys pay little', (t) => {
  const filters = (pattern: string): unknown => {
    return [Array.from({ length: 100 }, () => ['matches', pattern])].map((all) => [
      'and',
      ...all.map((one) => [one]),
    ]);
  };
  const outcome = compileKeyFilter(jsonToTerm(filters('[ab]{300}$')) as TermList);
  if (outcome.kind === 'bad') throw new Error('the filters are refused');
  const { filter } = outcome;
  t.equal(filter.passes('ab'.repeat(32_000) as ByteString), false);
  t.ok(filter.spentUnits <= 10_000_000, 'no more is spent than may be');
  t.equal(filter.passes('ab' as ByteString), false);
  t.ok(filter.spentUnits < 1_000_000);
  t.same(passing(filters('b$'), ['ab', 'a']), ['ab']);
  t.end();
});

t.test('a key that is too dear to judge passes no negation either, and is told of', (t) => {
  const dear = '(a[ab]{300}b|b[ab]{300}a|[ab]{300}$)';
  const long = 'ab'.repeat(32_000) as ByteString;
  for (const filters of [
    [['not', [['matches', dear]]]],
    [['or', [['matches', dear]], [['eq', long]]]],
    [['not', [['and', [['matches', dear]], [['eq', long]]]]]],
  ]) {
    const outcome = compileKeyFilter(jsonToTerm(filters) as TermList);
    if (outcome.kind === 'bad') throw new Error('the filters are refused');
    const { filter } = outcome;
    t.equal(filter.passes(long), false);
    t.equal(filter.isOverrun, true);
    t.equal(filter.passes('ab' as ByteString), JSON.stringify(filters).includes('not'));
    t.equal(filter.isOverrun, false, 'of the key judged last');
  }
  t.end();
});

t.test(
  'a key that a transform cannot handle passes no negation, unless that decides nothing',
  (t) => {
    const isFive = [['string_to_int'], ['eq', 5]];
    t.same(passing([['not', isFive]], ['x', '4', '5']), ['4']);
    t.same(passing([['not', [['and', isFive, [['eq', 'x']]]]]], ['x', 'y', '5']), ['y', '5']);
    t.same(passing([['not', [['or', isFive, [['eq', 'x']]]]]], ['x', 'y', '5', '6']), ['6']);
    t.end();
  },
);
