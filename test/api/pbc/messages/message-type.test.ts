/** The codec: every message survives the way there and back, and no bytes do harm. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { isFault } from '../../../../src/base/fault.ts';
import { MESSAGE_TYPES, findMessageType } from '../../../../src/api/pbc/messages/catalogue.ts';
import { RpbGetReq } from '../../../../src/api/pbc/messages/get-messages.ts';
import { RpbAaeFoldMergeBranchNValReq } from '../../../../src/api/pbc/messages/aae-fold-messages.ts';
import { RpbIndexReq } from '../../../../src/api/pbc/messages/index-messages.ts';
import { RpbPingReq } from '../../../../src/api/pbc/messages/server-messages.ts';
import { RpbPutReq } from '../../../../src/api/pbc/messages/put-messages.ts';
import {
  decodeMessage,
  readByTable,
  writeByTable,
  writeMessage,
} from '../../../../src/api/pbc/messages/message-type.ts';
import { ProtoReader } from '../../../../src/api/pbc/messages/proto-reader.ts';
import { ProtoWriter } from '../../../../src/api/pbc/messages/proto-writer.ts';
import { utf8ToByteString } from '../../../../src/base/bytes.ts';
import { RpbKeysCount } from '../../../../src/api/pbc/messages/aae-fold-messages.ts';
import { arbitraryMessage } from './arbitrary-message.ts';
import type {
  Fields,
  Message,
  MessageInput,
  MessageType,
} from '../../../../src/api/pbc/messages/message-type.ts';

const LIMITS = { fieldCountMax: 1000 };

/** One writer for all, as in the server: messages lie side by side in its slabs. */
const writer = new ProtoWriter();

function encode<F extends Fields>(type: MessageType<F>, value: MessageInput<F>): Buffer {
  writer.begin(0, 0);
  writeMessage(type, writer, value);
  return Buffer.concat(writer.finish());
}

function encodeByTable(type: MessageType<Fields>, value: Message<Fields>): Buffer {
  writer.begin(0, 0);
  writeByTable(type, writer, value as MessageInput<Fields>);
  return Buffer.concat(writer.finish());
}

function refusalOf(type: MessageType<Fields>, bytes: Buffer): string {
  try {
    decodeMessage(type, bytes, LIMITS);
    return 'decoded';
  } catch (error) {
    return isFault(error, 'malformed') ? error.message : `threw ${String(error)}`;
  }
}

t.test('every message comes back as it was', (t) => {
  for (const type of MESSAGE_TYPES) {
    fc.assert(
      fc.property(arbitraryMessage(type), (value) => {
        const decoded = decodeMessage(type, encode(type, value as MessageInput<Fields>), LIMITS);
        return isDeepStrictEqual(decoded, value);
      }),
      { numRuns: 20 },
    );
  }
  t.end();
});

t.test('a codec written by hand means what the table means', (t) => {
  const byHand = MESSAGE_TYPES.filter((type) => type.codec !== undefined);
  t.same(
    byHand.map(({ name }) => name),
    ['RpbContent', 'RpbPair', 'RpbGetReq', 'RpbGetResp', 'RpbPutReq', 'RpbPutResp'],
  );
  for (const type of byHand) {
    fc.assert(
      fc.property(arbitraryMessage(type), (value) => {
        const bytes = encodeByTable(type, value);
        return (
          encode(type, value as MessageInput<Fields>).equals(bytes) &&
          isDeepStrictEqual(decodeMessage(type, bytes, LIMITS), value)
        );
      }),
    );
  }
  t.end();
});

t.test('both codecs agree on bytes of every kind', (t) => {
  const byHand = MESSAGE_TYPES.filter((type) => type.codec !== undefined);
  for (const type of byHand) {
    fc.assert(
      fc.property(damagedMessage(type), (bytes) =>
        isDeepStrictEqual(
          outcome(() => decodeMessage(type, bytes, LIMITS)),
          outcome(() => readByTable(type, new ProtoReader(bytes, LIMITS))),
        ),
      ),
    );
  }
  t.end();
});

function outcome(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    return isFault(error) ? error.message : error;
  }
}

/** An encoded message with a few bytes changed, put in or left out. */
function damagedMessage(type: MessageType<Fields>): fc.Arbitrary<Buffer> {
  const damage = fc.array(
    fc.record({
      at: fc.nat({ max: 400 }),
      drop: fc.nat({ max: 2 }),
      put: fc.uint8Array({ maxLength: 2 }),
    }),
    { maxLength: 3 },
  );
  return fc.tuple(arbitraryMessage(type), damage).map(([value, damages]) => {
    let bytes: Buffer = Buffer.from(encodeByTable(type, value));
    for (const { at, drop, put } of damages) {
      const index = bytes.length === 0 ? 0 : at % bytes.length;
      bytes = Buffer.concat([bytes.subarray(0, index), put, bytes.subarray(index + drop)]);
    }
    return bytes;
  });
}

t.test('hostile bytes are a message or the fault malformed, nothing else', (t) => {
  for (const type of MESSAGE_TYPES) {
    const hostile = fc.oneof(
      damagedMessage(type),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(hostile, (bytes) => !refusalOf(type, bytes).startsWith('threw')),
      { numRuns: 100 },
    );
  }
  t.end();
});

t.test('proto2 as Riak has it', (t) => {
  const request = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const get = (hex: string) => decodeMessage(RpbGetReq, request(hex), LIMITS);
  t.match(
    get('0a0162 12016b b81f01 c21f03616263'),
    { bucket: 'b', key: 'k' },
    'unknown fields are passed over',
  );
  t.match(
    get('0a0162 12016b 1a0178 1802'),
    { r: 2, key: 'k' },
    'a known number with another wire type is passed over',
  );
  t.match(get('0a0162 12016b 12016c'), { key: 'l' }, 'of a field that comes twice the last counts');
  t.match(get('0a0162 12016b 18ffffffffffffffffff01'), { r: 0xffff_ffff }, 'varints are cut');
  t.match(get('0a0162 12016b 2880808000'), { basic_quorum: false }, 'a long zero is false');
  t.match(get('0a0162 12016b 28808080808001'), { basic_quorum: true }, 'a high bit is true');
  t.match(get('0a0162 12016b 0b 0c'), { key: 'k' }, 'a group is passed over');
  t.equal(refusalOf(RpbGetReq, request('0a0162')), 'RpbGetReq without key');
  t.equal(refusalOf(RpbPutReq, request('0a0162')), 'RpbPutReq without content');
  t.equal(
    refusalOf(RpbIndexReq, request('0a0162 120178 1807')),
    'RpbIndexReq without qtype',
    'an unknown number of an enumeration is no value',
  );
  t.strictSame(
    decodeMessage(RpbAaeFoldMergeBranchNValReq, request('0803 1201 05 1202 8001'), LIMITS),
    { n_val: 3, id_filter: [5, 128] },
    'numbers may come packed',
  );
  t.strictSame(
    decodeMessage(RpbPingReq, request('ffffffff'), LIMITS),
    {},
    'a message without fields has nothing that could be wrong',
  );
  t.end();
});

t.test('what a body can blow up to is bounded', (t) => {
  const many = Buffer.concat(Array.from({ length: 1001 }, () => Buffer.from('120178', 'hex')));
  t.equal(refusalOf(RpbGetReq, many), 'too many fields');
  const packed = Buffer.concat([Buffer.from('12e907', 'hex'), Buffer.alloc(1001)]);
  t.equal(refusalOf(RpbAaeFoldMergeBranchNValReq, packed), 'too many fields');
  let nested = Buffer.alloc(0);
  for (let depth = 0; depth < 70; depth += 1)
    nested = Buffer.concat([Buffer.from([0x0b]), nested, Buffer.from([0x0c])]);
  t.equal(refusalOf(RpbGetReq, nested), 'nested too deeply');
  t.end();
});

t.test('names keep their bytes', (t) => {
  const key = utf8ToByteString('Ünïcode \u{1F600}');
  const bytes = encode(RpbGetReq, { bucket: key, key });
  t.equal(decodeMessage(RpbGetReq, bytes, LIMITS).key, key);
  t.ok(bytes.includes(Buffer.from('Ünïcode \u{1F600}')));
  t.end();
});

t.test('codes name their messages', (t) => {
  t.equal(findMessageType(9), RpbGetReq);
  t.equal(findMessageType(77), undefined);
  const codes = MESSAGE_TYPES.flatMap(({ code }) => (code === undefined ? [] : [code]));
  t.equal(new Set(codes).size, codes.length, 'no code stands for two messages');
  t.end();
});

t.test('a sum above 32 bits goes out whole, as from Riak', (t) => {
  const tag = utf8ToByteString('total_size');
  const tell = (count: number): string => encode(RpbKeysCount, { tag, count }).toString('hex');
  const asUint64 = (count: bigint): string => {
    writer.begin(0, 0);
    writer.byteString(1, tag);
    writer.int64(3, count);
    return Buffer.concat(writer.finish()).toString('hex');
  };
  for (const count of [0, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]) {
    t.equal(tell(count), asUint64(BigInt(count)), String(count));
  }
  t.throws(() => tell(-1));
  t.end();
});
