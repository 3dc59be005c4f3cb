/** The bytes of the value log and of what points into it: exact when sound, refused when not. */

import fc from 'fast-check';
import t from 'tap';
import {
  logEntryHeadSize,
  logEntrySize,
  readLogEntry,
  writeLogEntry,
} from '../../src/storage/log-entry.ts';
import {
  encodeHead,
  encodeParted,
  encodeWhole,
  headOf,
  isOfKey,
  isParted,
  placeOf,
} from '../../src/storage/stored-value.ts';

const anyBytes = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const anyPlace = fc.record({ segment: u32, offset: u32, sizeBytes: u32, crc: u32 });

function entryBytes(key: Buffer, body: Buffer, before = 0): Buffer {
  const bytes = Buffer.alloc(before + logEntrySize(key.length, body.length));
  writeLogEntry(bytes, before, { key, body });
  return bytes;
}

t.test('an entry is read where it was written, and its body lies behind its head', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, fc.nat(9), (key, body, before) => {
      const bytes = entryBytes(key, body, before);
      const read = readLogEntry(bytes, before);
      t.match(read, { kind: 'entry', entry: { key, bodySizeBytes: body.length } });
      t.same(bytes.subarray(before + logEntryHeadSize(key.length)), body);
    }),
  );
  t.end();
});

t.test('a CRC of the body that is known is written as it is', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, u32, (key, body, bodyCrc) => {
      const bytes = Buffer.alloc(logEntrySize(key.length, body.length));
      t.equal(writeLogEntry(bytes, 0, { key, body, bodyCrc }), bodyCrc);
      t.match(readLogEntry(bytes, 0), { kind: 'entry', entry: { key, bodyCrc } });
    }),
  );
  t.end();
});

t.test('a flipped bit in the head of an entry is found', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, fc.nat(), (key, body, at) => {
      const bytes = entryBytes(key, body);
      const bit = at % (logEntryHeadSize(key.length) * 8);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      t.not(readLogEntry(bytes, 0).kind, 'entry');
    }),
  );
  t.end();
});

t.test('an entry that is cut off in its head says how much is needed', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, fc.nat(), (key, body, at) => {
      const headSize = logEntryHeadSize(key.length);
      const bytes = entryBytes(key, body);
      const read = readLogEntry(bytes.subarray(0, at % headSize), 0);
      t.equal(read.kind, 'cut');
      if (read.kind === 'cut') t.ok(read.neededBytes <= headSize);
    }),
  );
  t.end();
});

t.test('any bytes are an entry, too short or damaged, and nothing throws', (t) => {
  fc.assert(
    fc.property(anyBytes, fc.nat(70), (bytes, offset) => {
      t.not(readLogEntry(bytes, Math.min(offset, bytes.length)).kind, 'entry');
      t.type(headOf(bytes), Buffer);
    }),
  );
  t.end();
});

t.test('a value is its head and its body, whatever they begin with', (t) => {
  const first = fc.constantFrom([], [0xff], [0xff, 0], [0xff, 1], [0xff, 2], [0xff, 3], [0]);
  fc.assert(
    fc.property(anyBytes, first, anyBytes, anyBytes, (key, start, rest, body) => {
      const head = Buffer.concat([Buffer.from(start), rest]);
      const whole = encodeWhole(key, head, body);
      t.same(headOf(whole), Buffer.concat([head, body]));
      const alone = encodeHead(head);
      t.same(headOf(alone), head);
      for (const stored of [whole, alone]) {
        t.notOk(isParted(stored));
        t.ok(isOfKey(key, stored));
      }
    }),
  );
  t.end();
});

t.test('a place is read as it was stored, and a damaged one is none', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, anyPlace, fc.nat(), (key, head, place, at) => {
      const stored = encodeParted(key, head, place);
      t.same(placeOf(stored), place);
      t.same(headOf(stored), head);
      const bit = at % ((stored.length - head.length) * 8);
      stored.writeUInt8(stored.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      t.ok(placeOf(stored) === undefined || !isOfKey(key, stored));
    }),
  );
  t.end();
});

t.test('a value that is tied to a key is of no other', (t) => {
  fc.assert(
    fc.property(anyBytes, anyBytes, anyPlace, fc.nat(), (rest, head, place, at) => {
      const key = Buffer.concat([Buffer.from('o'), rest]);
      const other = Buffer.from(key);
      const bit = at % (key.length * 8);
      other.writeUInt8(other.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      for (const stored of [encodeWhole(key, head, head), encodeParted(key, head, place)]) {
        t.ok(isOfKey(key, stored));
        t.notOk(isOfKey(other, stored));
      }
    }),
  );
  t.end();
});

t.test('what form 1 stored is read: no value was tied to its key', (t) => {
  const place = { segment: 1, offset: 2, sizeBytes: 3, crc: 4 };
  const parted = Buffer.from('ff01000000010000000200000003000000045f16049f68656164', 'hex');
  t.same(placeOf(parted), place);
  t.equal(headOf(parted).toString(), 'head');
  const whole = Buffer.from('head and body');
  for (const stored of [parted, whole]) t.ok(isOfKey(Buffer.from('any key'), stored));
  t.same(headOf(whole), whole);
  t.end();
});
