/**
 * Index queries as URLs say them: continuations, expressions, and what is wrong with others.
 */

import fc from 'fast-check';
import t from 'tap';
import { decodeContinuation, encodeContinuation } from '../../../src/api/http/continuation.ts';
import { erlangBinary } from '../../../src/api/http/erlang-term.ts';
import { parseIndexQuery } from '../../../src/api/http/index-query.ts';
import { Query } from '../../../src/api/http/query.ts';
import { compileTermRegex } from '../../../src/query/term-regex.ts';
import { bytesToByteString } from '../../../src/base/bytes.ts';
import type { ByteString } from '../../../src/base/bytes.ts';

const bytes = fc.uint8Array({ maxLength: 30 }).map(bytesToByteString);

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

t.test('a continuation reads back as its position and survives a URL unquoted', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (term, key) => {
      const text = encodeContinuation({ term, key });
      t.match(text, /^[A-Za-z0-9_-]+$/);
      t.same(decodeContinuation(text), { term, key });
    }),
  );
  t.end();
});

t.test('what is no continuation of this index is refused', (t) => {
  fc.assert(fc.property(fc.string(), (text) => void decodeContinuation(text)));
  const ofText = encodeContinuation({ term: 'abc' as ByteString, key: 'k' as ByteString });
  t.match(parse(`continuation=${ofText}`, 'f_int', '1', '2'), { status: 400 });
  t.match(parse(`continuation=${ofText}`, 'f_bin', 'a', 'z'), { after: { term: 'abc' } });
  t.match(parse('continuation=AAAA', 'f_bin', 'a', 'z'), { status: 400 });
  t.end();
});

t.test('integers are read in any spelling and kept in one', (t) => {
  t.match(parse('', 'F_INT', '+007', '-0'), { field: 'f_int', range: { from: '7', to: '0' } });
  const large = '9'.repeat(5_000);
  t.match(parse('', 'f_int', large), { range: { from: large, to: large } });
  t.match(parse('', 'f_int', '1e3'), { status: 400 });
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
    return 'regex' in outcome ? outcome.regex.isIn(term as ByteString) : undefined;
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
  t.equal('regex' in outcome && outcome.regex.isIn(term), false);
  t.end();
});

t.test('bytes are printed as Erlang prints them', (t) => {
  t.equal(erlangBinary('a"\\b' as ByteString), String.raw`<<"a\"\\b">>`);
  t.equal(erlangBinary('\x01\xff' as ByteString), '<<1,255>>');
  t.equal(erlangBinary('' as ByteString), '<<"">>');
  t.end();
});
