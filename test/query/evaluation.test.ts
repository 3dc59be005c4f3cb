/**
 * Evaluation functions: what each makes of a term, and what it leaves alone.
 */

import t from 'tap';
import { parseEvaluation } from '../../src/query/evaluation.ts';
import { evaluated, holds } from './expressions.ts';

const PERSON = '19650501|SMITH|ANNE.MARIE.ANNE-MARIE|LS9_0TW';
const SPLIT = 'delim($term, "|", ($dob, $fn, $gn, $pc))';

t.test('an evaluation gets attributes out of a term', (t) => {
  const cases: readonly (readonly [
    evaluation: string,
    attribute: string,
    expected: string | undefined,
  ])[] = [
    [SPLIT, 'dob', '19650501'],
    [SPLIT, 'pc', 'LS9_0TW'],
    ['delim($term, "|", ($a, $b, $c, $d, $e))', 'e', undefined],
    ['delim($term, "|", ($a))', 'a', '19650501'],
    ['delim($term, "#", ($a, $b))', 'a', PERSON],
    ['delim($nothing, "|", ($a))', 'a', undefined],
    ['index($term, 4, 4, $day)', 'day', '0501'],
    ['index($term, 40, 4, $part)', 'part', '_0TW'],
    ['index($term, 41, 4, $part)', 'part', undefined],
    [`${SPLIT} | index($dob, 0, 4, $dob)`, 'dob', '1965'],
    [`${SPLIT} | join(($fn, $dob), "/", $both)`, 'both', 'SMITH/19650501'],
    [`${SPLIT} | join(($fn, $none, $dob), "/", $both)`, 'both', 'SMITH//19650501'],
    [`${SPLIT} | to_integer($dob, $n) | join(($fn, $n), "/", $both)`, 'both', 'SMITH'],
    [`${SPLIT} | to_integer($dob, $n) | add($n, 1, $n)`, 'n', '19650502'],
    [`${SPLIT} | to_integer($dob, $n) | subtract(0, $n, $n)`, 'n', '-19650501'],
    [`${SPLIT} | subtract($fn, 1, $n)`, 'n', undefined],
    [`${SPLIT} | subtract($none, 1, $n)`, 'n', undefined],
    [`${SPLIT} | to_integer($fn, $n)`, 'n', undefined],
    ['to_integer($key, $n)', 'n', undefined],
    [`${SPLIT} | split($gn, ".", $gn) | to_string($gn, $s)`, 's', undefined],
    [`${SPLIT} | regex($fn, "(?P<first>^.)M", ($first))`, 'first', 'S'],
    [`${SPLIT} | regex($fn, "(?P<first>^X)", ($first))`, 'first', undefined],
    [`${SPLIT} | regex($fn, "(S)(M)", pcre, ($a, $b))`, 'b', 'M'],
    [`${SPLIT} | regex($fn, "(S)(X)?", ($a, $b))`, 'a', undefined],
    ['to_string($term, $copy)', 'copy', PERSON],
    ['index($term, 0, 8, $term)', 'term', '19650501'],
  ];
  for (const [evaluation, attribute, expected] of cases) {
    t.equal(evaluated(evaluation, attribute, { term: PERSON }), expected, evaluation);
  }
  t.end();
});

t.test('split and slice make lists, whose members IN finds', (t) => {
  const gn = `${SPLIT} | split($gn, ".", $gn)`;
  t.ok(holds(gn, '"MARIE" IN $gn', { term: PERSON }));
  t.ok(holds(gn, '"ANNE-MARIE" IN $gn', { term: PERSON }));
  t.notOk(holds(gn, '"ANN" IN $gn', { term: PERSON }));
  t.notOk(holds(SPLIT, '"ANNE" IN $gn', { term: PERSON }), 'a string is no list');
  t.ok(holds('slice($term, 2, $parts)', '"N1" IN $parts', { term: 'MAN1VEZ' }));
  t.notOk(holds('slice($term, 2, $parts)', '"Z" IN $parts', { term: 'MAN1VEZ' }));
  t.notOk(holds('slice($term, 9, $parts)', '"MAN1VEZ" IN $parts', { term: 'MAN1VEZ' }));
  t.end();
});

t.test('kvsplit sets the attributes that a term names', (t) => {
  const term = '19650501|fn=SMITH#pgn=ANNE#odd#two=a=b#pc=LS9_0TW#empty=';
  const evaluation = 'delim($term, "|", ($dob, $kvs)) | kvsplit($kvs, "#", "=")';
  t.equal(evaluated(evaluation, 'fn', { term }), 'SMITH');
  t.equal(evaluated(evaluation, 'pc', { term }), 'LS9_0TW');
  t.equal(evaluated(evaluation, 'two', { term }), undefined);
  t.equal(evaluated(evaluation, 'odd', { term }), undefined);
  t.ok(holds(evaluation, 'attribute_empty($empty)', { term }));
  t.end();
});

t.test('map classifies by the first pair that compares', (t) => {
  const generation =
    'map($term, <, (("1946", "Silent"), ("1966", "Boomer"), ("1980", "X")), "later", $name)';
  const cases = { '1945': 'Silent', '1946': 'Boomer', '1979': 'X', '1980': 'later' };
  for (const [term, expected] of Object.entries(cases)) {
    t.equal(evaluated(generation, 'name', { term }), expected);
  }
  const byNumber = 'to_integer($term, $n) | map($n, >=, ((100, "many"), ("1", "no")), 0, $out)';
  t.equal(evaluated(byNumber, 'out', { term: '100' }), 'many');
  t.equal(evaluated(byNumber, 'out', { term: '99' }), '0');
  t.equal(evaluated('map($none, =, (("a", "b")), "c", $out)', 'out', { term: 'a' }), undefined);
  t.end();
});

t.test('an age is counted as in a report', (t) => {
  const evaluation =
    'index($term, 15, 8, $dob) | index($dob, 0, 4, $yob) | to_integer($yob, $yob) | ' +
    'index($dob, 4, 4, $birthday) | map($birthday, <=, ((:today, 2025)), 2024, $yoc) | ' +
    'subtract($yoc, $yob, $age) | to_string($age, $age)';
  const age = (term: string): string | undefined => {
    return evaluated(evaluation, 'age', { term, values: { today: '0530' } });
  };
  t.equal(age('SHA0001GP00000119650501FYNNY'), '60');
  t.equal(age('SHA0001GP00000119650601FYNNY'), '59');
  t.end();
});

t.test('integers have no largest', (t) => {
  const large = '9'.repeat(40);
  t.equal(
    evaluated('to_integer($term, $n) | add($n, 1, $n)', 'n', { term: large }),
    `1${'0'.repeat(40)}`,
  );
  const back = 'to_integer($term, $n) | add($n, 1, $n) | subtract($n, 1, $n)';
  for (const term of ['9007199254740991', '9007199254740992', '-9007199254740991', large]) {
    t.ok(holds(`${back} | to_integer($term, $m)`, '$n = $m', { term }), term);
  }
  t.equal(evaluated('to_integer($term, $n)', 'n', { term: '224cm' }), '224');
  t.equal(evaluated('to_integer($term, $n)', 'n', { term: '-007' }), '-7');
  t.equal(evaluated('to_integer($term, $n)', 'n', { term: '+7' }), '7');
  t.ok(holds('to_integer($term, $n)', '$n = 0', { term: '-0' }));
  t.equal(evaluated('to_integer($term, $n)', 'n', { term: '9'.repeat(1_001) }), undefined);
  t.end();
});

t.test('positions count characters', (t) => {
  t.equal(evaluated('index($term, 1, 2, $out)', 'out', { term: 'Ünïcøde' }), 'nï');
  t.equal(evaluated('index($term, 5, 3, $out)', 'out', { term: 'Ünïcøde' }), undefined);
  t.equal(evaluated('index($term, 1, 1, $out)', 'out', { term: 'a😀b' }), '😀');
  t.ok(holds('slice($term, 2, $out)', '"ïc" IN $out', { term: 'Ünïcøde' }));
  t.ok(holds('split($term, "ï", $out)', '"cøde" IN $out', { term: 'Ünïcøde' }));
  t.end();
});

t.test('no attribute grows beyond its bound', (t) => {
  const doubling = Array.from({ length: 60 }, () => 'join(($a, $a), "", $a)').join(' | ');
  const length = evaluated(`to_string($term, $a) | ${doubling}`, 'a', { term: 'xx' })?.length;
  t.equal(length, 65_536);
  t.end();
});

t.test('what is no evaluation is refused at its place', (t) => {
  const cases: readonly (readonly [text: string, reason: RegExp, offset: number])[] = [
    ['', /expected a function: delim, .*, found the end/, 0],
    ['delm($term)', /found 'delm'/, 0],
    ['delim($term, |, ($a))', /expected a string, found '\|'/, 13],
    ['delim($term, "", ($a))', /a string that is not empty/, 13],
    ['delim($term, "|", ())', /an attribute such as \$name, found '\)'/, 19],
    ['delim($term, "|", ($a)', /expected '\)', found the end/, 22],
    ['delim($term, "|", ($a)) |', /expected a function/, 25],
    ['delim($term, "|", ($a)) index($a, 0, 1, $b)', /expected the end, found 'index'/, 24],
    ['index($term, -1, 2, $a)', /an integer from 0/, 13],
    ['index($term, 0, 0, $a)', /an integer from 1/, 16],
    ['index($term, 99999999999999999999, 1, $a)', /an integer from 0/, 13],
    ['slice($term, "2", $a)', /an integer from 1, found a string/, 13],
    ['split(term, "|", $a)', /an attribute such as \$name, found 'term'/, 6],
    ['split($1, "|", $a)', /an attribute such as \$name, found '\$1'/, 6],
    ['split($term, :d, $a)', /no substitution for :d/, 13],
    ['split($term, "|, $a)', /a string without its end/, 13],
    ['split($term; "|", $a)', /unexpected ';'/, 11],
    ['regex($term, "(", ($a))', /invalid regular expression/, 13],
    ['regex($term, "(a)", ($a, $b))', /no group for \$b/, 25],
    ['regex($term, "(?P<a>a)", ($b))', /no group for \$b/, 26],
    ['map($term, BETWEEN, (("a", "b")), "c", $d)', /expected a comparator/, 11],
    ['map($term, <, ("a", "b"), "c", $d)', /expected '\('/, 15],
    ['add("1", 2, $a)', /an attribute or an integer/, 4],
    ['x'.repeat(5_000), /longer than 4096 characters/, 4_096],
    [
      Array.from({ length: 65 }, () => 'to_string($a,$b)').join('|'),
      /more than 64 functions/,
      1_088,
    ],
  ];
  for (const [text, reason, offset] of cases) {
    const parsed = parseEvaluation(text, new Map());
    t.match(parsed, { kind: 'malformed', reason, offset }, text.slice(0, 60));
  }
  t.end();
});
