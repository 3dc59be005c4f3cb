/** Frames: what goes in comes out, one flipped bit does not, and the bytes are what the proto says. */

import { resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import protobuf from 'protobufjs';
import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import type { WireValue } from '../../src/peer/tuple-reader.ts';
import { decodeFrame, encodeFrame, wireSize } from '../../src/transport/frame.ts';
import { LINK_PATH, PEER_SERVICE, STREAM_PATH } from '../../src/transport/peer-service.ts';
import { isPlainMsgpack } from '../../src/transport/plain-msgpack.ts';

const proto = protobuf.loadSync(resolve(import.meta.dirname, '../../../proto/peer.proto'));
const Frame = proto.lookupType('vertebra.peer.v1.Frame');

const { value } = fc.letrec<{ value: WireValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 300, maxLength: 400 }),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 20 }),
  ),
}));
const messages = fc.array(value, { maxLength: 20 });

function isMalformed(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return isFault(error, 'peer-malformed');
  }
}

t.test('messages come out of a frame as they went in', (t) => {
  fc.assert(
    fc.property(messages, fc.nat(100), (given, sizeHint) => {
      t.same(decodeFrame(encodeFrame(given, sizeHint)), given);
    }),
  );
  t.end();
});

t.test('a frame of megabytes comes out as it went in', (t) => {
  const given = [[1, 2, [Buffer.alloc(3_000_000, 1), 'x'.repeat(100_000)]]];
  t.same(decodeFrame(encodeFrame(given, wireSize(given))), given);
  t.end();
});

t.test('frames that are held do not change while others are made', (t) => {
  const bytes = fc.uint8Array({ maxLength: 30_000 }).map((value) => Buffer.from(value));
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 30 }), (given) => {
      const frames = given.map((value) => encodeFrame([value], wireSize(value)));
      t.same(
        frames.map((frame) => decodeFrame(frame)),
        given.map((value) => [value]),
      );
    }),
    { numRuns: 20 },
  );
  t.end();
});

t.test('the estimated size is near the packed size', (t) => {
  const given = Array.from({ length: 64 }, (_, id) => [id, 5_000, ['t', 'k', Buffer.alloc(1_024)]]);
  const size = encodeFrame(given, 0).length;
  t.ok(Math.abs(wireSize(given) - size) < size / 10, `${wireSize(given)} for ${size}`);
  t.end();
});

t.test('a flipped bit, anywhere, is noticed', (t) => {
  const frame = encodeFrame([[1, 5_000, ['key', Buffer.from('value')]]], 100);
  for (let bit = 0; bit < frame.length * 8; bit += 1) {
    const damaged = Buffer.from(frame);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (!isMalformed(() => decodeFrame(damaged))) t.fail(`bit ${bit}`);
  }
  t.end();
});

t.test('a frame cut off anywhere, and any bytes at all, are a fault and nothing else', (t) => {
  const frame = encodeFrame([[1, 5_000, ['key', Buffer.from('value')]]], 100);
  for (let length = 0; length < frame.length; length += 1) {
    if (!isMalformed(() => decodeFrame(frame.subarray(0, length)))) t.fail(`length ${length}`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) =>
      isMalformed(() => decodeFrame(Buffer.from(bytes))),
    ),
  );
  t.end();
});

t.test('any msgpack with a right checksum is read, or a fault', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const framed = Frame.encode({ messages: bytes, crc32: crc32(bytes) }).finish();
      try {
        return Array.isArray(decodeFrame(Buffer.from(framed)));
      } catch (error) {
        return isFault(error, 'peer-malformed');
      }
    }),
    { numRuns: 2_000 },
  );
  t.end();
});

t.test('only plain data is let in', (t) => {
  const packr = new Packr({ moreTypes: true });
  const foreign: readonly unknown[] = [
    new Map([[1, 2]]),
    { a: 1 },
    new Date(0),
    new Set([1]),
    new RangeError('x'),
    10n ** 30n,
    2n ** 60n,
    /x/,
    undefined,
  ];
  for (const value of foreign) {
    t.notOk(isPlainMsgpack(packr.pack([value])), Object.prototype.toString.call(value));
  }
  const nested = (depth: number): Buffer =>
    Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);
  t.ok(isPlainMsgpack(nested(16)));
  t.notOk(isPlainMsgpack(nested(17)), 'too deep');
  t.notOk(isPlainMsgpack(Buffer.of(0xdd, 0x7f, 0xff, 0xff, 0xff, 1)), 'a length that is a lie');
  t.notOk(isPlainMsgpack(Buffer.of(0x90, 0x90)), 'something after the end');
  t.notOk(isPlainMsgpack(Buffer.alloc(0)));
  t.end();
});

t.test('frames are the proto’s: each side reads what the other writes', (t) => {
  fc.assert(
    fc.property(messages, (given) => {
      const ours = encodeFrame(given, 100);
      const theirs = Frame.decode(ours) as unknown as { messages: Buffer; crc32: number };
      t.equal(crc32(theirs.messages), theirs.crc32);
      const again = Frame.encode({ messages: theirs.messages, crc32: theirs.crc32 }).finish();
      t.same(decodeFrame(Buffer.from(again)), given);
      t.equal(again.length, ours.length, 'not a byte more than the canonical encoding');
    }),
  );
  t.end();
});

t.test('the service is the proto’s', (t) => {
  const service = proto.lookupService('vertebra.peer.v1.Peer');
  t.same(Object.keys(PEER_SERVICE), Object.keys(service.methods));
  t.same(
    [LINK_PATH, STREAM_PATH],
    ['/vertebra.peer.v1.Peer/Link', '/vertebra.peer.v1.Peer/Stream'],
  );
  for (const [name, method] of Object.entries(service.methods)) {
    const ours = PEER_SERVICE[name];
    t.match(ours, {
      path: `/vertebra.peer.v1.Peer/${name}`,
      requestStream: method.requestStream === true,
      responseStream: method.responseStream === true,
    });
    method.resolve();
    t.equal(method.resolvedRequestType, Frame);
    t.equal(method.resolvedResponseType, Frame);
  }
  t.end();
});
