/**
 * Index lookups: which of several faults is named, in which words, and where pages end.
 */

import fc from 'fast-check';
import t from 'tap';
import {
  continuationToText,
  decodeContinuation,
  encodeContinuation,
  textToContinuation,
} from '../../src/query/index-continuation.ts';
import { parseIndexLookup } from '../../src/query/index-lookup.ts';
import { bytesToByteString } from '../../src/base/bytes.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import type { LookupWish } from '../../src/query/index-lookup.ts';

const bytes = fc.uint8Array({ maxLength: 30 }).map(bytesToByteString);

function parse(field: string, ends: string[], wish: Partial<LookupWish> = {}) {
  return parseIndexLookup({
    field: field as ByteString,
    ends: ends as ByteString[],
    expression: undefined,
    after: undefined,
    ...wish,
  });
}

t.test('a continuation reads back as its position and survives a URL unquoted', (t) => {
  fc.assert(
    fc.property(bytes, bytes, (term, key) => {
      const text = continuationToText({ term, key });
      t.match(text, /^[A-Za-z0-9_-]+$/);
      t.same(textToContinuation(text), { term, key });
      t.same(decodeContinuation(encodeContinuation({ term, key })), { term, key });
    }),
  );
  // Riak's is text in messages too, and the same; some clients read it as UTF-8.
  const position = { term: 'a'.repeat(200) as ByteString, key: '\xff' as ByteString };
  t.equal(encodeContinuation(position).toString(), continuationToText(position));
  const once = Buffer.from(continuationToText(position), 'base64url');
  t.same(decodeContinuation(once), position, 'as messages had it once');
  fc.assert(fc.property(fc.string(), (text) => void textToContinuation(text)));
  t.end();
});

t.test('a continuation of another index is refused', (t) => {
  const after = { term: 'abc' as ByteString, key: 'k' as ByteString };
  t.match(parse('f_int', ['1', '2'], { after }), { fault: 'continuation' });
  t.match(parse('f_bin', ['a', 'z'], { after }), { after });
  t.match(parse('f_bin', ['a', 'z'], { after: 'malformed' }), { fault: 'continuation' });
  t.end();
});

t.test('integers are read in any spelling and kept in one', (t) => {
  t.match(parse('F_INT', ['+007', '-0']), { field: 'f_int', from: '7', to: '0' });
  const large = '9'.repeat(5_000);
  t.match(parse('f_int', [large]), { from: large, to: large });
  t.match(parse('f_int', ['1e3']), { fault: 'entry', refusal: { kind: 'unparsable' } });
  t.end();
});

t.test('a suffix alone is no field', (t) => {
  t.match(parse('_bin', ['a']), { fault: 'entry', refusal: { kind: 'unknown-field-type' } });
  t.match(parse('_int', ['1']), { fault: 'entry', refusal: { kind: 'unknown-field-type' } });
  t.end();
});

t.test('a whole bucket is meant whatever its ends are', (t) => {
  t.match(parse('$bucket', []), { field: '$bucket', from: '', to: '' });
  t.match(parse('$bucket', ['z', 'a']), { from: '', to: '' });
  const expression = '^a' as ByteString;
  t.match(parse('$bucket', [], { expression }), { field: '$bucket', regex: undefined });
  t.match(parse('$bucket', [], { expression: '(' as ByteString }), { fault: 'expression' });
  t.match(parse('$key', ['a', 'z'], { expression }), { field: '$key', regex: Object });
  t.end();
});

t.test('of several faults the expression comes first, integers after the ends', (t) => {
  const bad = { expression: '(' as ByteString };
  const good = { expression: 'a' as ByteString };
  t.match(parse('f_foo', ['1'], bad), { fault: 'expression' });
  t.match(parse('f_int', ['x'], bad), { fault: 'expression' });
  t.match(parse('f_int', ['x'], good), { fault: 'entry' });
  t.match(parse('f_int', ['1'], { ...good, after: 'malformed' }), {
    fault: 'expression-on-integers',
  });
  t.end();
});

t.test('bad expressions are named as the engine of Riak names them, with their place', (t) => {
  const terms: readonly (readonly [string, string])[] = [
    ['(', '{"missing )",1}'],
    ['a(b(c', '{"missing )",5}'],
    ['a)b', '{"unmatched parentheses",1}'],
    ['(a\\))[)])', '{"unmatched parentheses",8}'],
    ['[a-', '{"missing terminating ] for character class",3}'],
    ['*a', '{"nothing to repeat",0}'],
    ['x|+', '{"nothing to repeat",2}'],
    ['xa**', '{"nothing to repeat",3}'],
    ['x{37,17}', '{"numbers out of order in {} quantifier",7}'],
    ['a\\', String.raw`{"\\ at end of pattern",2}`],
    ['x[z-a]', '{"range out of order in character class",4}'],
  ];
  for (const [expression, term] of terms) {
    t.match(parse('f_bin', ['a'], { expression: expression as ByteString }), { term }, expression);
  }
  t.end();
});
