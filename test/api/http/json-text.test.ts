/**
 * JSON in and out: ASCII only, exact, and bounded in depth.
 */

import fc from 'fast-check';
import t from 'tap';
import { encodeJson, parseJson, quoteName, quoteText } from '../../../src/api/http/json-text.ts';
import { bytesToByteString, utf8ToByteString } from '../../../src/base/bytes.ts';
import type { ByteString } from '../../../src/base/bytes.ts';

const text = fc.string({ unit: 'binary' });

t.test('a quoted text reads back as itself and is printable ASCII', (t) => {
  fc.assert(
    fc.property(text, (text) => {
      const quoted = quoteText(text);
      t.equal(JSON.parse(quoted), text);
      t.match(quoted, /^[\x20-\x7e]*$/);
    }),
  );
  t.end();
});

t.test('a name is quoted as the text its bytes spell in UTF-8', (t) => {
  fc.assert(
    fc.property(text, (text) => {
      const wellFormed = Buffer.from(text, 'utf8').toString('utf8');
      t.equal(JSON.parse(quoteName(utf8ToByteString(wellFormed)) ?? ''), wellFormed);
    }),
  );
  t.equal(quoteName(utf8ToByteString('ü☃😀')), String.raw`"\u00fc\u2603\ud83d\ude00"`);
  t.equal(quoteName('a"\\/\n\x7f' as ByteString), String.raw`"a\"\\/\n\u007f"`);
  t.end();
});

t.test('a name that is no UTF-8 has no JSON form', (t) => {
  for (const bytes of [[0xff], [0x61, 0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80]]) {
    t.equal(quoteName(bytesToByteString(Buffer.from(bytes))), undefined);
  }
  t.end();
});

t.test('a value reads back as itself', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.same(JSON.parse(encodeJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
  t.equal(encodeJson({ a: undefined, b: [1, null, 'x'] }), '{"b":[1,null,"x"]}');
  t.end();
});

t.test('nesting beyond the limit is refused unparsed, brackets in strings do not count', (t) => {
  const nested = (depth: number): Buffer => Buffer.from('['.repeat(depth) + ']'.repeat(depth));
  t.ok(parseJson(nested(64)));
  t.same(parseJson(Buffer.from('[1,]')), [1]);
  t.equal(parseJson(nested(65)), undefined);
  t.equal(parseJson(nested(1_000_000)), undefined);
  t.same(parseJson(Buffer.from(JSON.stringify(['[\\"'.repeat(100)]))), ['[\\"'.repeat(100)]);
  t.equal(parseJson(Buffer.from([0x22, 0xff, 0x22])), undefined);
  t.equal(parseJson(Buffer.from('{')), undefined);
  t.end();
});
