/** The wire form of peer messages: all survives the way, and nothing hostile does harm. */

import assert from 'node:assert/strict';
import { Packr } from 'msgpackr';
import fc from 'fast-check';
import t from 'tap';
import { ACTOR_SIZE_BYTES } from '../../src/clock/actor.ts';
import { isFault } from '../../src/base/fault.ts';
import { tupleToJoinReply, tupleToJoinRequest } from '../../src/peer/join.ts';
import type { Partition } from '../../src/base/names.ts';
import { NESTING_MAX } from '../../src/datatype/check-store.ts';
import {
  decodeReply,
  decodeRequest,
  decodeStreamItem,
  decodeStreamRequest,
  encodeReply,
  encodeRequest,
  encodeStreamItem,
  encodeStreamRequest,
  replyToTuple,
  requestToTuple,
  tupleToReply,
  tupleToRequest,
  tupleToStreamItem,
  tupleToStreamRequest,
} from '../../src/peer/wire.ts';
import {
  peerReplies,
  peerRequests,
  peerStreamItems,
  peerStreamRequests,
} from './message-arbitraries.ts';

const packr = new Packr({ useRecords: false });
const tupleReaders = [tupleToRequest, tupleToReply, tupleToStreamRequest, tupleToStreamItem];
const decoders = [decodeRequest, decodeReply, decodeStreamRequest, decodeStreamItem];

/** Whether `run` returns, or throws the one fault it may. */
function isTame(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    return isFault(error, 'peer-malformed') || isFault(error, 'peer-unsupported');
  }
}

t.test('every message comes back as it was sent', (t) => {
  fc.assert(
    fc.property(peerRequests, (message) => {
      assert.deepStrictEqual(decodeRequest(encodeRequest(message)), message);
    }),
  );
  fc.assert(
    fc.property(peerReplies, (message) => {
      assert.deepStrictEqual(decodeReply(encodeReply(message)), message);
    }),
  );
  fc.assert(
    fc.property(peerStreamRequests, (message) => {
      assert.deepStrictEqual(decodeStreamRequest(encodeStreamRequest(message)), message);
    }),
  );
  fc.assert(
    fc.property(peerStreamItems, (message) => {
      assert.deepStrictEqual(decodeStreamItem(encodeStreamItem(message)), message);
    }),
  );
  t.end();
});

t.test('what is left of a time arrives in whole milliseconds', (t) => {
  const [request] = fc.sample(
    peerRequests.filter(({ verb }) => verb === 'put'),
    1,
  );
  assert(request?.verb === 'put');
  const late = { ...request, request: { ...request.request, timeoutMs: 59_999.4 } };
  const received = decodeRequest(encodeRequest(late));
  t.equal(received.verb === 'put' && received.request.timeoutMs, 59_999);
  t.end();
});

t.test('a received record is a view of the frame, not a copy', (t) => {
  const frame = encodeReply({ kind: 'object', record: Buffer.alloc(1024, 7) });
  const reply = decodeReply(frame);
  t.ok(reply.kind === 'object' && reply.record?.buffer === frame.buffer);
  t.end();
});

t.test('arbitrary bytes are read or refused as malformed', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      decoders.every((decode) => isTame(() => decode(bytes))),
    ),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('a message with any byte changed or cut off is read or refused as malformed', (t) => {
  const encoded = fc.oneof(
    peerRequests.map(encodeRequest),
    peerReplies.map(encodeReply),
    peerStreamRequests.map(encodeStreamRequest),
    peerStreamItems.map(encodeStreamItem),
  );
  fc.assert(
    fc.property(encoded, fc.nat(), fc.nat({ max: 255 }), fc.boolean(), (bytes, at, byte, cut) => {
      const position = at % bytes.length;
      const changed = Buffer.from(cut ? bytes.subarray(0, position) : bytes);
      if (!cut) changed[position] = byte;
      return decoders.every((decode) => isTame(() => decode(changed)));
    }),
    { numRuns: 3000 },
  );
  t.end();
});

t.test('tuples of arbitrary values are read or refused as malformed', (t) => {
  const value = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true });
  const tuple = fc.tuple(fc.integer({ min: -1, max: 12 }), fc.array(value, { maxLength: 8 }));
  fc.assert(
    fc.property(
      fc.oneof(
        value,
        tuple.map(([code, rest]) => [code, ...rest]),
      ),
      (hostile) => tupleReaders.every((read) => isTame(() => read(hostile))),
    ),
    { numRuns: 3000 },
  );
  t.end();
});

t.test('a name with a character that is no byte is refused', (t) => {
  const bytes = packr.pack([2, 'default', 'bucket', 'ũ', false]);
  t.throws(() => decodeRequest(bytes), { code: 'peer-malformed' });
  t.end();
});

t.test('fields of a later release behind the known ones are passed over', (t) => {
  t.same(tupleToReply([3, 'new']), { kind: 'done' });
  const get = [2, 'default', 'bucket', 'key', true];
  t.same(tupleToRequest([...get, 7, ['new']]), tupleToRequest(get));
  t.equal(tupleToStreamItem([1, ['a'], true]).kind, 'names');
  t.end();
});

t.test('a later node that asks to be taken in, or answers that, may say more', (t) => {
  const newcomer = ['new@127.0.0.1', '127.0.0.1', 8099, 8098, 8087, 'rack 7'];
  const request = [0, 'cluster', 'lineage', 64, ...newcomer];
  t.same(tupleToJoinRequest([...request, 'new', ['new']]), tupleToJoinRequest(request));
  t.throws(() => tupleToJoinRequest(request.slice(0, -1)), { code: 'peer-malformed' });
  for (const reply of [
    [0, Buffer.from('state'), true],
    [1, 2, 'a sentence'],
  ]) {
    t.same(tupleToJoinReply([...reply, 'new']), tupleToJoinReply(reply));
  }
  t.end();
});

t.test('a pong of the release before tells no time, and ours is read by it', (t) => {
  const told = { epoch: 7, incarnation: 2, inCoverage: true, isFilled: false };
  t.same(tupleToReply([1, 7, 2, true, false]), { kind: 'pong', ...told, wallMicros: undefined });
  const early = tupleToReply([1, 7, 2, true, false, -1]);
  t.match(early, { ...told, wallMicros: -1 }, 'a clock of before 1970 is wrong, and no fault');
  t.same(replyToTuple(early).slice(0, 5), [1, 7, 2, true, false]);
  t.end();
});

t.test(
  'what a request is traced as travels behind its fields; anything else there is passed over',
  (t) => {
    const parentSpan = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };
    fc.assert(
      fc.property(peerRequests, fc.anything(), (request, hostile) => {
        const plain = requestToTuple(request);
        const traced = requestToTuple({ ...request, parentSpan });
        // An older node reads what is before it.
        assert.deepStrictEqual(traced.slice(0, plain.length), plain);
        assert.deepStrictEqual(tupleToRequest(traced), { ...request, parentSpan });
        assert.deepStrictEqual(tupleToRequest([...plain, hostile]), request);
      }),
    );
    t.end();
  },
);

t.test('a read that awaits writes says so behind its trace, which an older node reads', (t) => {
  const parentSpan = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };
  const get = tupleToRequest([2, 'default', 'bucket', 'key', true]);
  const awaiting = { ...get, awaitsWrites: true } as typeof get;
  t.same(requestToTuple(awaiting).slice(0, 5), requestToTuple(get));
  t.same(decodeRequest(encodeRequest(awaiting)), awaiting);
  const traced = requestToTuple({ ...awaiting, parentSpan });
  t.same(traced.slice(0, 6), requestToTuple({ ...get, parentSpan }));
  t.same(tupleToRequest(traced), { ...awaiting, parentSpan });
  t.end();
});

t.test('a request that only a later release has is not supported, and not malformed', (t) => {
  t.throws(() => tupleToRequest([99, 'new']), { code: 'peer-unsupported' });
  t.throws(() => tupleToStreamRequest([99]), { code: 'peer-unsupported' });
  t.end();
});

t.test('a segment that no key of a store can hold is refused', (t) => {
  for (const verb of ['heads', 'hashes'] as const) {
    const request = { verb, partition: 1 as Partition, nVal: 3, segments: [7, 0x1_0000] };
    const bytes = encodeStreamRequest(request);
    t.throws(() => decodeStreamRequest(bytes), { code: 'peer-malformed' });
  }
  t.end();
});

t.test('a field too few is refused', (t) => {
  t.throws(() => tupleToRequest([2, 'default', 'bucket', 'key']), { code: 'peer-malformed' });
  t.throws(() => tupleToRequest([]), { code: 'peer-malformed' });
  t.end();
});

t.test('a context with an actor twice, or with none, is refused', (t) => {
  const content = [[null, null, null, null, null, null], Buffer.alloc(0), false];
  const options = [null, null, null, null, null, null, null, null, null];
  const actor = 'a'.repeat(ACTOR_SIZE_BYTES);
  const put = (context: unknown) => ['default', 'b', 'k', context, content, null, 0, options];
  t.equal(tupleToRequest([4, put([actor, 1])]).verb, 'put');
  for (const context of [[actor, 1, actor, 2], ['a', 1], [actor, 0], [actor]]) {
    t.throws(() => tupleToRequest([4, put(context)]), { code: 'peer-malformed' });
  }
  t.end();
});

t.test('an operation whose field says another kind, or that nests too deeply, is refused', (t) => {
  const options = [null, null, null, null, null, null, null, null, null];
  const update = (operation: unknown) => {
    return [9, ['maps', 'b', 'k', operation, null, 0, options]];
  };
  // A field of kind 3, a flag, with the increment of a counter.
  t.throws(() => tupleToRequest(update([4, [], ['f', 3, [0, '1']]])), { code: 'peer-malformed' });
  t.throws(() => tupleToRequest(update([0, '1.5'])), { code: 'peer-malformed' });
  t.throws(() => tupleToRequest(update([0, '9'.repeat(500)])), { code: 'peer-malformed' });
  t.throws(() => tupleToRequest(update([6, true])), { code: 'peer-malformed' }, 'a flag alone');
  let nested: unknown = [4, [], []];
  for (let depth = 1; depth < NESTING_MAX; depth += 1) nested = [4, [], ['m', 4, nested]];
  t.equal(tupleToRequest(update(nested)).verb, 'update');
  t.throws(() => tupleToRequest(update([4, [], ['m', 4, nested]])), { code: 'peer-malformed' });
  t.end();
});

t.test('the fault does not quote what was received', (t) => {
  const secret = 'NHS 999 123 4567';
  const bytes = Buffer.concat([packr.pack([secret]), packr.pack(secret)]);
  try {
    decodeRequest(bytes);
    t.fail('two values are no message');
  } catch (error) {
    t.ok(isFault(error, 'peer-malformed'));
    t.notMatch(String(error), /999/);
    t.equal((error as Error).cause, undefined);
  }
  t.end();
});
