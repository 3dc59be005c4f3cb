/** Snappy blocks: each kind of element, and nothing that is none. (Blocks of real tables: `table-file.test.ts`.) */

import fc from 'fast-check';
import t from 'tap';
import { unpackSnappy } from '../../src/storage/snappy.ts';

function unpack(...bytes: number[]): string | undefined {
  return unpackSnappy(Buffer.from(bytes), 1_000)?.toString('latin1');
}

const [A, B] = [0x61, 0x62];

t.test('literals of any length come out as they are', (t) => {
  t.equal(unpack(0), '');
  t.equal(unpack(2, 0x04, A, B), 'ab');
  const long = Array.from({ length: 300 }, (_, index) => index & 0xff);
  const text = Buffer.from(long).toString('latin1');
  t.equal(unpack(0xac, 0x02, 61 << 2, 0x2b, 0x01, ...long), text, 'two bytes of length');
  t.equal(unpack(70, 60 << 2, 69, ...long.slice(0, 70)), text.slice(0, 70), 'one byte of length');
  t.end();
});

t.test('copies repeat what came out, also what they make themselves', (t) => {
  t.equal(unpack(10, 0x04, A, B, 0x11, 0x02), 'ababababab', 'one byte of distance');
  t.equal(unpack(6, 0x04, A, B, 0x0e, 0x02, 0x00), 'ababab', 'two');
  t.equal(unpack(5, 0x04, A, B, 0x0b, 0x01, 0x00, 0x00, 0x00), 'abbbb', 'four');
  t.end();
});

t.test('what is no Snappy block is undefined', (t) => {
  t.equal(unpack(), undefined, 'nothing');
  t.equal(unpack(3, 0x04, A, B), undefined, 'less than it says');
  t.equal(unpack(1, 0x04, A, B), undefined, 'more than it says');
  t.equal(unpack(2, 0x08, A, B), undefined, 'a literal that is cut off');
  t.equal(unpack(10, 0x04, A, B, 0x11, 0x03), undefined, 'a copy from before the start');
  t.equal(unpack(10, 0x04, A, B, 0x11, 0x00), undefined, 'a copy of itself');
  t.equal(unpack(10, 0x04, A, B, 0x11), undefined, 'a distance that is cut off');
  t.equal(unpack(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, A), undefined, 'more than is allowed');
  t.end();
});

t.test('garbage never throws, nor makes more than is allowed', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const out = unpackSnappy(Buffer.from(bytes), 500);
      return out === undefined || out.length <= 500;
    }),
  );
  t.end();
});
