/**
 * Index queries as URLs say them: continuations, expressions, and what is wrong with others.
 */

import t from 'tap';
import { parseIndexQuery } from '../../../src/api/http/index-query.ts';
import { Query } from '../../../src/api/http/query.ts';
import { Allowance } from '../../../src/base/turns.ts';
import { compileTermRegex } from '../../../src/query/term-regex.ts';
import type { ByteString } from '../../../src/base/bytes.ts';

function parse(
  query: string,
  field: string,
  ...terms: string[]
): ReturnType<typeof parseIndexQuery> {
  return parseIndexQuery(new Query(query), {
    field: field as ByteString,
    terms: terms as ByteString[],
  });
}

t.test('a whole bucket needs no term, a field without one has nothing', (t) => {
  t.match(parse('', '$bucket'), { lookup: { field: '$bucket' } });
  t.match(parse('', 'f_bin'), { lookup: undefined });
  t.match(parse('', 'f_foo'), { lookup: undefined });
  t.end();
});

t.test('all keys are meant where no key is named', (t) => {
  for (const field of ['$key', '$KEY']) {
    t.match(parse('max_results=2&return_terms=true', field), {
      lookup: { field: '$bucket' },
      returnsTerms: false,
      maxResults: 2,
    });
  }
  t.end();
});

t.test('of several faults the one is named that Riak would name', (t) => {
  const texts: readonly (readonly [string, string])[] = [
    ['pagination_sort=x&return_terms=y', 'Invalid "pagination_sort". "x" is not a boolean'],
    ['return_terms=y&term_regex=(', 'Invalid "return_terms". "y" is not a boolean'],
    ['term_regex=(&max_results=0', 'Invalid term regular expression "(" : {"missing )",1}'],
    ['max_results=0&timeout=x', 'Invalid "max_results". 0 is not a positive integer'],
    ['timeout=x', 'Bad timeout value "x". Must be a non-negative integer\n'],
  ];
  for (const [query, body] of texts) {
    t.match(parse(query, 'f_bin', 'a', 'b'), { status: 400, body }, query);
  }
  t.match(parse('max_results=0', 'f_int', 'x'), {
    body: 'Invalid query: {field_parsing_failed,{<<"f_int">>,<<"x">>}}\n',
  });
  t.end();
});

t.test('terms are returned for ranges of real fields only', (t) => {
  t.match(parse('return_terms=TRUE', 'f_bin', 'a', 'b'), { returnsTerms: true });
  t.match(parse('return_terms=true', 'f_bin', 'a'), { returnsTerms: false });
  t.match(parse('return_terms=true', '$key', 'a', 'b'), { returnsTerms: false });
  t.end();
});

t.test('expressions are found byte by byte anywhere in a term', (t) => {
  const isIn = (expression: string, term: string): boolean | undefined => {
    const outcome = compileTermRegex(expression as ByteString);
    return 'regex' in outcome ? outcome.regex.isIn(term as ByteString, new Allowance()) : undefined;
  };
  t.equal(isIn('^b', 'bob'), true);
  t.equal(isIn('ob$', 'bob'), true);
  t.equal(isIn('^o', 'bob'), false);
  t.equal(isIn('\xc3\xbc', '\xc3\xbcber'), true);
  t.equal(isIn('^..$', '\xc3\xbc'), true, 'a dot is one byte');
  for (const expression of ['(', '(a)\\1', '(?=a)', 'a{1000}b{1000}', 'a'.repeat(2_000)]) {
    t.equal(isIn(expression, 'a'), undefined, expression.slice(0, 20));
  }
  t.match(parse('term_regex=(', 'f_bin', 'a', 'b'), {
    status: 400,
    body: /^Invalid term regular expression "\(" : /,
  });
  t.end();
});

t.test('expressions that ruin a backtracking engine take no time', (t) => {
  const outcome = compileTermRegex('(a*)*(a|aa)*(.*a){20}$' as ByteString);
  const term = `${'a'.repeat(1_000)}!` as ByteString;
  t.equal('regex' in outcome && outcome.regex.isIn(term, new Allowance()), false);
  t.end();
});
