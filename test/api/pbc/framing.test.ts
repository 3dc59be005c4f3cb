/** Frames come out whole and in order, however the stream was cut, and cost what has come. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../../src/base/bytes.ts';
import { FrameDecoder, encodeFrame } from '../../../src/api/pbc/framing.ts';
import { decodeMessage } from '../../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../../src/api/pbc/messages/proto-writer.ts';
import { RpbGetReq, RpbGetResp } from '../../../src/api/pbc/messages/get-messages.ts';
import { RpbPingReq } from '../../../src/api/pbc/messages/server-messages.ts';

const SIZE_MAX_BYTES = 100_000;

interface PlainFrame {
  readonly code: number;
  readonly body: Buffer;
}

function frameBytes({ code, body }: PlainFrame): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1);
  head[4] = code;
  return Buffer.concat([head, body]);
}

const arbitraryFrame = fc.record({
  code: fc.nat({ max: 255 }),
  body: fc
    .oneof(
      { weight: 5, arbitrary: fc.uint8Array({ maxLength: 20 }) },
      { weight: 1, arbitrary: fc.nat({ max: 20_000 }).map((size) => new Uint8Array(size).fill(7)) },
    )
    .map((bytes) => Buffer.from(bytes)),
});

/** The stream cut at these places, each piece in memory of its own. */
function cut(stream: Buffer, places: readonly number[]): readonly Buffer[] {
  const ends = [...places.map((place) => place % (stream.length + 1)), stream.length];
  let start = 0;
  return ends
    .sort((left, right) => left - right)
    .map((end) => {
      const piece = Buffer.from(stream.subarray(start, end));
      start = end;
      return piece;
    });
}

t.test('frames come out as they went in, wherever the stream is cut', (t) => {
  fc.assert(
    fc.property(
      fc.array(arbitraryFrame, { maxLength: 6 }),
      fc.array(fc.nat({ max: 60_000 }), { maxLength: 30 }),
      fc.boolean(),
      (frames, places, isEager) => {
        const decoder = new FrameDecoder(SIZE_MAX_BYTES);
        const got: PlainFrame[] = [];
        const drain = () => {
          for (let outcome = decoder.next(); outcome.kind === 'frame'; outcome = decoder.next()) {
            got.push(outcome.frame);
          }
        };
        for (const piece of cut(Buffer.concat(frames.map(frameBytes)), places)) {
          decoder.push(piece);
          if (isEager) drain();
        }
        drain();
        return (
          got.length === frames.length &&
          got.every(({ code, body }, index) => {
            const sent = frames[index];
            return code === sent?.code && body.equals(sent.body);
          }) &&
          decoder.bufferedBytes === 0 &&
          !decoder.isWithinFrame
        );
      },
    ),
  );
  t.end();
});

t.test('a frame of single bytes comes out when its last byte is there', (t) => {
  const decoder = new FrameDecoder(SIZE_MAX_BYTES);
  const bytes = frameBytes({ code: 9, body: Buffer.from('hello') });
  for (const [index, byte] of bytes.entries()) {
    t.equal(decoder.next().kind, 'incomplete');
    t.equal(decoder.isWithinFrame, index > 0);
    decoder.push(Buffer.from([byte]));
  }
  t.match(decoder.next(), { kind: 'frame', frame: { code: 9, body: Buffer.from('hello') } });
  t.end();
});

t.test('a frame that was not cut is not copied', (t) => {
  const decoder = new FrameDecoder(SIZE_MAX_BYTES);
  const piece = Buffer.concat(
    [1, 2, 3].map((code) => frameBytes({ code, body: Buffer.from([code]) })),
  );
  decoder.push(piece);
  for (const code of [1, 2, 3]) {
    const outcome = decoder.next();
    if (outcome.kind !== 'frame') return t.fail('a frame');
    t.equal(outcome.frame.code, code);
    t.equal(outcome.frame.body.buffer, piece.buffer);
  }
  return t.end();
});

t.test('a length that is none is told, whether the frame is cut or not', (t) => {
  for (const pieceSize of [4, 1]) {
    const stream = (length: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(length);
      const decoder = new FrameDecoder(SIZE_MAX_BYTES);
      for (let at = 0; at < 4; at += pieceSize) {
        decoder.next();
        decoder.push(bytes.subarray(at, at + pieceSize));
      }
      return decoder.next();
    };
    t.same(stream(0), { kind: 'empty' });
    t.same(stream(SIZE_MAX_BYTES + 1), { kind: 'too-large', sizeBytes: SIZE_MAX_BYTES + 1 });
    t.same(stream(0xffff_ffff), { kind: 'too-large', sizeBytes: 0xffff_ffff });
    t.same(stream(SIZE_MAX_BYTES), { kind: 'incomplete' });
  }
  t.end();
});

t.test('memory grows with what has come, not with what was promised', (t) => {
  const decoder = new FrameDecoder(2 ** 31);
  const head = Buffer.from('7fffffff09', 'hex');
  const before = process.memoryUsage().arrayBuffers;
  decoder.push(head);
  t.equal(decoder.next().kind, 'incomplete');
  decoder.push(Buffer.alloc(10_000));
  t.equal(decoder.next().kind, 'incomplete');
  t.equal(decoder.bufferedBytes, 10_005);
  t.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  t.end();
});

t.test('frames written one after the other stay as they were', (t) => {
  const writer = new ProtoWriter();
  const sizes = [10, 40_000, 0, 100, 4_095, 4_096, 20_000, 31_000, 5, 700];
  const frames = sizes.map((size, index) =>
    encodeFrame(writer, RpbGetResp, {
      content: [{ value: Buffer.alloc(size, index) }, { value: Buffer.alloc(size, index) }],
    }),
  );
  const ping = Buffer.concat(encodeFrame(writer, RpbPingReq, {}));
  for (const [index, pieces] of frames.entries()) {
    const frame = Buffer.concat(pieces);
    t.equal(frame.readUInt32BE(0), frame.length - 4);
    const { content } = decodeMessage(RpbGetResp, frame.subarray(5), { fieldCountMax: 100 });
    t.equal(content.length, 2);
    for (const { value } of content) t.ok(value.equals(Buffer.alloc(sizes[index] ?? -1, index)));
  }
  t.equal(ping.toString('hex'), '0000000101');
  t.end();
});

t.test('a message written without a hint grows as it needs to', (t) => {
  const key = utf8ToByteString('k'.repeat(100_000));
  const frame = Buffer.concat(encodeFrame(new ProtoWriter(), RpbGetReq, { bucket: key, key }));
  t.equal(decodeMessage(RpbGetReq, frame.subarray(5), { fieldCountMax: 9 }).key, key);
  t.end();
});
