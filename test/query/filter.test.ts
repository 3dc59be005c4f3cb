/**
 * Filter expressions: which entries are matches, how words bind, and what is refused.
 */

import t from 'tap';
import { parseFilter } from '../../src/query/filter.ts';
import { holds } from './expressions.ts';

/** Attributes by `name=value`; `n_…` are turned into integers. */
const EVALUATION = 'kvsplit($term, "#", "=") | to_integer($n_a, $n_a) | split($list, ".", $list)';
const TERM = 'a=A11#b=30#n_a=12#c=CARTMAN#empty=#list=x.y.zz#d=19650501#lo=1960#hi=1970';

const VALUES = { sub: 'MA', twelve: 12 };

function isMatch(filter: string): boolean {
  return holds(EVALUATION, filter, { term: TERM, values: VALUES });
}

t.test('conditions hold', (t) => {
  for (const filter of [
    '$a = "A11"',
    '"A11" = $a',
    '"A11" = "A11"',
    '$a <> "A12"',
    '$a < "A12"',
    '$a <= "A11"',
    '$a > "A1"',
    '$a >= "A11"',
    '$n_a = 12',
    '$n_a = :twelve',
    '$n_a > -1',
    '$n_a < 99999999999999999999',
    '$a BETWEEN "A" AND "A12"',
    '$a BETWEEN "A12" AND "A"',
    '$a BETWEEN "A11" AND "A11"',
    '$n_a BETWEEN 12 AND 13',
    '"1965" BETWEEN $lo AND $hi',
    '$a IN ("B", "A11")',
    '$n_a IN ("12", 12)',
    '"zz" IN $list',
    '$a IN ($b, $a)',
    'begins_with($c, "CART")',
    'begins_with($c, "")',
    'ends_with($c, "MAN")',
    'contains($c, :sub) OR contains($c, "RTM")',
    'attribute_exists($empty)',
    'attribute_exists($key)',
    'attribute_not_exists($none)',
    'attribute_empty($empty)',
    'NOT $a = "B"',
    'NOT NOT $a = "A11"',
    'NOT ($a = "B" OR $b = "31")',
    '$a = "A11" AND $b = "30" AND $c = "CARTMAN"',
    '($a = "B") OR ($b = "30")',
    '((($a = "A11")))',
    '$a="A11"AND$b="30"',
    '\t$a\n=\r"A11" ',
  ]) {
    t.ok(isMatch(filter), filter);
  }
  t.end();
});

t.test('conditions do not hold', (t) => {
  for (const filter of [
    '$a = "a11"',
    '$a <> "A11"',
    '$n_a = "12"',
    '$n_a <> "12"',
    '$a = 11',
    '$none = "x"',
    '$none <> "x"',
    '$none < "x"',
    '$none >= "x"',
    '$none BETWEEN "a" AND "z"',
    '$n_a BETWEEN "1" AND "2"',
    '$b BETWEEN "4" AND 50',
    '$none IN ("x")',
    '$none IN ($none)',
    '"x" IN $a',
    '"x" IN $none',
    '$n_a IN $list',
    '$list = "x"',
    'begins_with($none, "")',
    'contains($n_a, "1")',
    'contains($list, "x")',
    'attribute_exists($none)',
    'attribute_not_exists($a)',
    'attribute_empty($a)',
    'attribute_empty($none)',
    'NOT $a = "A11"',
  ]) {
    t.notOk(isMatch(filter), filter);
  }
  t.end();
});

t.test('NOT binds before AND, and AND before OR', (t) => {
  t.ok(isMatch('$a = "A11" OR $a = "x" AND $a = "y"'));
  t.notOk(isMatch('($a = "A11" OR $a = "x") AND $a = "y"'));
  t.notOk(isMatch('NOT $a = "A11" AND $a = "y"'));
  t.ok(isMatch('NOT $a = "x" AND $b = "30"'));
  t.ok(isMatch('$b BETWEEN "2" AND "4" AND $a = "A11"'));
  t.notOk(isMatch('$b BETWEEN "2" AND "4" AND $a = "x"'));
  t.end();
});

t.test('what is no filter is refused at its place', (t) => {
  const cases: readonly (readonly [text: string, reason: RegExp, offset: number])[] = [
    ['', /expected a condition: .*, found the end/, 0],
    ['$a', /expected a comparator, BETWEEN or IN, found the end/, 2],
    ['$a BETWEN "x" AND "y"', /expected a comparator, BETWEEN or IN, found 'BETWEN'/, 3],
    ['$a between "x" AND "y"', /found 'between'/, 3],
    ['$a BETWEEN "x" NAND "y"', /expected AND, found 'NAND'/, 15],
    ['$a == "x"', /an attribute, a string or an integer, found '='/, 4],
    ['$a = x', /found 'x'/, 5],
    ['$a IN "x"', /expected '\(', found a string/, 6],
    ['$a IN ()', /found '\)'/, 7],
    ['($a = "x"', /expected '\)', found the end/, 9],
    ['$a = "x")', /expected the end, found '\)'/, 8],
    ['$a = "x" $b = "y"', /expected the end, found '\$b'/, 9],
    ['contains("x", $a)', /an attribute such as \$name, found a string/, 9],
    ['contains($a, 12)', /expected a string, found an integer/, 13],
    ['contains($a, $b)', /expected a string, found '\$b'/, 13],
    ['$a = :none', /no substitution for :none/, 5],
    ['$a & "x"', /unexpected '&'/, 3],
    ['$a = "x" OR 😀', /unexpected '😀'/, 12],
    [`${'('.repeat(51)}$a = 1${')'.repeat(51)}`, /nested more than 50 levels/, 51],
    [`${'NOT '.repeat(51)}$a = 1`, /nested more than 50 levels/, 204],
    ['$a = 1 OR '.repeat(500), /longer than 4096 characters/, 4_096],
  ];
  for (const [text, reason, offset] of cases) {
    t.match(parseFilter(text, new Map()), { kind: 'malformed', reason, offset }, text.slice(0, 60));
  }
  t.end();
});

t.test('many conditions in a row are no nesting', (t) => {
  const many = Array.from({ length: 400 }, () => '$a = 1').join(' OR ');
  t.match(parseFilter(many, new Map()), { kind: 'parsed' });
  t.end();
});
