/**
 * JSON of clients: what Riak's parser takes beyond JSON, and nothing else.
 */

import fc from 'fast-check';
import t from 'tap';
import { readJson } from '../../src/base/json-input.ts';

const read = (text: string): unknown => readJson(Buffer.from(text));

t.test('a comma may follow the last member', (t) => {
  t.same(read('{"a":[1,2,],}'), { a: [1, 2] });
  t.same(read('[{"a":"x" , } ,\n]'), [{ a: 'x' }]);
  t.same(read('{"a,]":",}",}'), { 'a,]': ',}' });
  t.end();
});

t.test('control characters may stand in texts', (t) => {
  t.same(read('["a\nb\t\0\x1f\\n"]'), ['a\nb\t\0\x1f\n']);
  t.same(read('{\n"a\r":1}'), { 'a\r': 1 });
  t.end();
});

t.test('a backslash that escapes nothing stands for itself', (t) => {
  t.same(read('["\\d+\\.\\x","\\é\\\n","\\\\d"]'), ['\\d+\\.\\x', '\\é\\\n', '\\d']);
  t.end();
});

t.test('what Riak refuses is refused', (t) => {
  const refused = [
    '',
    '[,]',
    '{,}',
    '[1,,]',
    '[1',
    '{"a":,}',
    '{a:1}',
    "['a']",
    '[1],',
    '1 2',
    '01',
  ];
  for (const text of [...refused, '\\x', '"\\u12g4"', '"', '"\\', '\0', '[1\f]', '//\n1'])
    t.throws(() => read(text), JSON.stringify(text));
  t.throws(() => readJson(Buffer.from([0x22, 0xff, 0x22])));
  t.end();
});

t.test('JSON itself is read as ever', (t) => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      t.same(read(text), JSON.parse(text));
    }),
  );
  t.end();
});

t.test('the time is linear', (t) => {
  for (const part of ['\\"', ' ,', ', ', ' ', '\n\t', '"', '[,', ',]'])
    t.throws(() => read(`${part.repeat(500_000)}x`));
  t.end();
});
