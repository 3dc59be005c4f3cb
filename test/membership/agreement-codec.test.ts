/** Agreement messages: the same on the way back, and nothing but them. */

import fc from 'fast-check';
import t from 'tap';
import { isFault } from '../../src/base/fault.ts';
import type { Epoch, NodeId } from '../../src/base/names.ts';
import type {
  AcceptedState,
  AgreementRecord,
  AgreementReply,
  AgreementRequest,
  Ballot,
  Vote,
} from '../../src/membership/agreement.ts';
import {
  decodeRecord,
  decodeReply,
  decodeRequest,
  encodeRecord,
  encodeReply,
  encodeRequest,
} from '../../src/membership/agreement-codec.ts';
import { encodeState } from '../../src/membership/state-document.ts';
import { stateOf } from './states.ts';

const anyEpoch = fc.integer({ min: 1 }).map((epoch) => epoch as Epoch);
const anyVote = fc.constantFrom<Vote[]>('free', 'founding', 'regained', 'unsure');
const anyState = fc.integer({ min: 1, max: 4 }).map((count) => stateOf(count, 8));
const anyBallot: fc.Arbitrary<Ballot> = fc.record({
  round: fc.nat(),
  node: fc.string().map((name) => name as NodeId),
  life: fc.nat(),
});
const anyAccepted: fc.Arbitrary<AcceptedState> = fc.record({ ballot: anyBallot, state: anyState });

const anyRequest: fc.Arbitrary<AgreementRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('prepare' as const),
    epoch: anyEpoch,
    parent: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    ballot: anyBallot,
  }),
  fc.record({ kind: fc.constant('accept' as const), ballot: anyBallot, state: anyState }),
  fc.record({ kind: fc.constant('learn' as const), state: anyState }),
  fc.constant({ kind: 'survey' as const }),
);

const anyReply: fc.Arbitrary<AgreementReply> = fc.oneof(
  fc.record({
    kind: fc.constant('promised' as const),
    accepted: fc.option(anyAccepted, { nil: undefined }),
  }),
  fc.record({ kind: fc.constantFrom('accepted' as const, 'abstained' as const) }),
  fc.record({ kind: fc.constant('refused' as const), promised: anyBallot }),
  fc.record({
    kind: fc.constantFrom(
      'behind' as const,
      'lagging' as const,
      'diverged' as const,
      'learnt' as const,
    ),
    epoch: anyEpoch,
  }),
  fc.record({
    kind: fc.constant('surveyed' as const),
    epoch: anyEpoch,
    promised: fc.option(anyBallot, { nil: undefined }),
    accepted: fc.option(anyAccepted, { nil: undefined }),
    hasProposed: fc.boolean(),
    vote: anyVote,
  }),
);

const anyRecord: fc.Arbitrary<AgreementRecord> = fc.record({
  state: anyState,
  promised: fc.option(anyBallot, { nil: undefined }),
  accepted: fc.option(anyAccepted, { nil: undefined }),
  round: fc.nat(),
  life: fc.nat(),
  vote: anyVote,
});

/** Whether `decode` takes the bytes; anything but a fault is a bug and is thrown. */
function takes(decode: (bytes: Buffer) => unknown, bytes: Buffer): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (isFault(error, 'malformed') || isFault(error, 'store-corrupt')) return false;
    throw error;
  }
}

t.test('requests, replies and records come back as they were', (t) => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      t.same(decodeRequest(encodeRequest(request)), request);
    }),
  );
  fc.assert(
    fc.property(anyReply, (reply) => {
      t.same(decodeReply(encodeReply(reply)), reply);
    }),
  );
  fc.assert(
    fc.property(anyRecord, (record) => {
      t.same(decodeRecord(encodeRecord(record)), record);
    }),
  );
  t.end();
});

t.test('any bytes are refused with a fault', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      return (
        !takes(decodeRequest, buffer) && !takes(decodeReply, buffer) && !takes(decodeRecord, buffer)
      );
    }),
  );
  t.end();
});

t.test('a record with a flipped bit is corrupt, wherever the bit is', (t) => {
  fc.assert(
    fc.property(anyRecord, fc.nat(), (record, at) => {
      const bytes = encodeRecord(record);
      const bit = at % (bytes.length * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return !takes(decodeRecord, bytes);
    }),
  );
  t.end();
});

t.test('a message cut short, or with something after it, is malformed', (t) => {
  fc.assert(
    fc.property(anyRequest, anyReply, fc.nat(), (request, reply, at) => {
      const [asked, answered] = [encodeRequest(request), encodeReply(reply)];
      return (
        !takes(decodeRequest, asked.subarray(0, at % asked.length)) &&
        !takes(decodeReply, answered.subarray(0, at % answered.length)) &&
        !takes(decodeRequest, Buffer.concat([asked, Buffer.of(0)])) &&
        !takes(decodeReply, Buffer.concat([answered, Buffer.of(0, 0, 0, 0)]))
      );
    }),
  );
  t.end();
});

t.test('headers of the wrong shape are malformed', (t) => {
  const document = encodeState(stateOf(1, 8));
  const withHeader = (header: unknown, ...documents: Buffer[]) =>
    Buffer.concat(
      [Buffer.from(JSON.stringify(header)), ...documents].flatMap((part) => {
        const size = Buffer.alloc(4);
        size.writeUInt32BE(part.length);
        return [size, part];
      }),
    );
  const hash = 'a'.repeat(64);
  t.ok(takes(decodeRequest, withHeader(['accept', [1, 'a', 1]], document)), 'this is the shape');
  for (const header of [
    null,
    {},
    [],
    [1],
    ['promise'],
    ['prepare', 0, hash, [1, 'a', 1]],
    ['prepare', 1, 'a', [1, 'a', 1]],
    ['prepare', 1, hash, [1, 'a']],
    ['prepare', 1, hash, [-1, 'a', 1]],
    ['prepare', 1, hash, [1, 2, 1]],
    ['prepare', 1, hash, [1, 'a', 1, 1]],
    ['prepare', 1, hash],
    ['accept', [1, 'a', 1]],
    ['learn'],
    ['survey', 1],
  ]) {
    t.notOk(takes(decodeRequest, withHeader(header)), JSON.stringify(header));
  }
  t.ok(takes(decodeReply, withHeader(['surveyed', 1, true, 'free', null, null])), 'and this');
  for (const header of [
    ['promised', [1, 'a', 1]],
    ['accepted', 1],
    ['refused', null],
    ['behind', 1.5],
    ['surveyed', 1, 1, 'free', null, null],
    ['surveyed', 1, true, true, null, null],
    ['surveyed', 1, true, 'maybe', null, null],
    ['prepare'],
  ]) {
    t.notOk(takes(decodeReply, withHeader(header)), JSON.stringify(header));
  }
  t.notOk(takes(decodeRequest, withHeader(['survey'], document)), 'a document too many');
  t.notOk(takes(decodeRequest, Buffer.concat([Buffer.of(0, 1, 0, 0), Buffer.alloc(65_536)])));
  t.end();
});
