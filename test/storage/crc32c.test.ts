/** CRC-32C: the vectors of RFC 3720, B.4, and the definition, bit by bit. */

import fc from 'fast-check';
import t from 'tap';
import { crc32c } from '../../src/storage/crc32c.ts';

function byDefinition(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

t.test('the vectors of RFC 3720 come out', (t) => {
  t.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  t.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd794e);
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.end();
});

t.test('any bytes have the CRC of the definition', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => crc32c(bytes) === byDefinition(bytes)),
  );
  t.end();
});
