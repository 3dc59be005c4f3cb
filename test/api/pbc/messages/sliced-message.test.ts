/** Large messages in slices: the same bytes, values and refusals as at once, with turns between. */

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { encodeFrame, encodeFrameInSlices } from '../../../../src/api/pbc/framing.ts';
import {
  DtFetchResp,
  DtUpdateReq,
  DtUpdateResp,
} from '../../../../src/api/pbc/messages/datatype-messages.ts';
import { decodeMessage } from '../../../../src/api/pbc/messages/message-type.ts';
import { ProtoWriter } from '../../../../src/api/pbc/messages/proto-writer.ts';
import { decodeInSlices } from '../../../../src/api/pbc/messages/sliced-message.ts';
import { isFault } from '../../../../src/base/fault.ts';
import { runAtOnce } from '../../../../src/base/sliced.ts';
import { name } from '../served.ts';
import { arbitraryMessage } from './arbitrary-message.ts';
import type {
  Fields,
  InputOf,
  MessageInput,
} from '../../../../src/api/pbc/messages/message-type.ts';

const LIMITS = { fieldCountMax: 500_000 };
const BODY_OFFSET = 5;
const writer = new ProtoWriter();

function frameOf(
  ...[type, value]: readonly [typeof DtUpdateReq, InputOf<typeof DtUpdateReq>]
): Buffer {
  return Buffer.concat(encodeFrame(writer, type, value));
}

function outcomeOf(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    return isFault(error, 'malformed') ? error.message : error;
  }
}

t.test('they are read and written as at once', (t) => {
  for (const type of [DtUpdateReq, DtUpdateResp, DtFetchResp]) {
    fc.assert(
      fc.property(arbitraryMessage<Fields>(type), fc.nat(), (value, seed) => {
        const input = value as MessageInput<Fields>;
        const frame = frameOf(type as typeof DtUpdateReq, input as never);
        const sliced = encodeFrameInSlices(type as typeof DtUpdateReq, input as never);
        const cut = Buffer.from(frame.subarray(BODY_OFFSET));
        // One byte of it may be another.
        if (cut.length > 0 && seed % 2 === 1) cut[seed % cut.length] = seed & 0xff;
        const decoded = outcomeOf(() => runAtOnce(decodeInSlices(type as never, cut, LIMITS)));
        const atOnce = outcomeOf(() => decodeMessage(type as never, cut, LIMITS));
        return Buffer.concat(runAtOnce(sliced)).equals(frame) && isDeepStrictEqual(decoded, atOnce);
      }),
      { numRuns: 60 },
    );
  }
  t.end();
});

t.test('a large part, wherever it is, is read and written in slices', (t) => {
  const elements = Array.from({ length: 30_000 }, (_, index) => name(`element-${index}`));
  const field = { name: name('f'), type: 'SET' } as const;
  const address = { bucket: name('b'), key: name('k'), type: name('t') };
  const updates = [{ field, set_op: { adds: elements } }];
  const update = { ...address, op: { map_op: { updates } } };
  const inner = { type: 'MAP', value: { map_value: [{ field, set_value: elements }] } } as const;
  const frame = frameOf(DtUpdateReq, update);
  const reading = decodeInSlices(DtUpdateReq, frame.subarray(BODY_OFFSET), LIMITS);
  t.ok(countSlices(reading) >= 5);
  t.ok(countSlices(encodeFrameInSlices(DtFetchResp, inner)) >= 5);
  t.end();
});

function countSlices(work: Generator<void, unknown, void>): number {
  let count = 1;
  while (work.next().done !== true) count += 1;
  return count;
}
