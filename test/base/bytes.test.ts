/** Byte strings: every byte and every text survives the way there and back. */

import fc from 'fast-check';
import t from 'tap';
import {
  byteStringToBytes,
  byteStringToUtf8,
  bytesToByteString,
  utf8ToByteString,
} from '../../src/base/bytes.ts';

t.test('any bytes come back as they were', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) =>
      byteStringToBytes(bytesToByteString(bytes)).equals(Buffer.from(bytes)),
    ),
  );
  t.end();
});

t.test('any text comes back as it was', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      (text) => byteStringToUtf8(utf8ToByteString(text)) === text,
    ),
  );
  t.end();
});

t.test('texts that share low bytes stay different', (t) => {
  t.not(utf8ToByteString('ũ'), utf8ToByteString('i'));
  t.end();
});
