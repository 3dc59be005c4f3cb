/** Of a queue of keys nothing is lost unless it is told, whatever becomes of what was given out. */

import fc from 'fast-check';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { KEY_BYTES, KeyQueue } from '../../src/node/key-queue.ts';
import type { KeyPriority, OutKey } from '../../src/node/key-queue.ts';
import type { ByteString } from '../../src/base/bytes.ts';

const ROOM = 2 ** 30;

function id(number: number): ByteString {
  return utf8ToByteString(`k${number}`);
}

function ids(keys: readonly OutKey[]): ByteString[] {
  return keys.map((key) => key.id);
}

t.test('keys go in the order in which they came, what clients wrote before the rest', (t) => {
  const queue = new KeyQueue(ROOM);
  for (const number of [1, 2, 3]) queue.offer(id(number), 'sync', number);
  for (const number of [4, 5, 6]) queue.offer(id(number), 'real-time', number);
  t.equal(queue.offer(id(5), 'real-time', 7), 'known');
  t.equal(queue.offer(id(5), 'sync', 7), 'known', 'it goes earlier than that already');
  t.equal(queue.oldestMs(), 1);
  t.same(ids(queue.take(4, 8)), [4, 5, 6, 1].map(id));
  t.same([queue.count('real-time'), queue.count('sync'), queue.outCount], [0, 2, 4]);
  t.end();
});

t.test('a key of a full-sync that a client writes goes with those of clients, once', (t) => {
  const queue = new KeyQueue(ROOM);
  for (const number of [1, 2]) queue.offer(id(number), 'sync', number);
  t.equal(queue.offer(id(2), 'real-time', 9), 'queued');
  t.match(queue.take(9, 9), [
    { id: 'k2', priority: 'real-time', offeredMs: 2 },
    { id: 'k1', priority: 'sync', offeredMs: 1 },
  ]);
  t.end();
});

t.test('what is out and is offered again is given out again', (t) => {
  const queue = new KeyQueue(ROOM);
  queue.offer(id(1), 'real-time', 1);
  const out = queue.take(1, 2);
  t.equal(queue.offer(id(1), 'real-time', 3), 'queued', 'what was read may be older');
  queue.release(out);
  t.same(ids(queue.take(1, 4)), [id(1)]);
  t.end();
});

t.test('what comes back is the next, in its order, and once with what came meanwhile', (t) => {
  const queue = new KeyQueue(ROOM);
  for (const number of [1, 2, 3]) queue.offer(id(number), 'real-time', number);
  const out = queue.take(2, 4);
  queue.offer(id(1), 'real-time', 5);
  queue.putBack(out);
  const again = queue.take(9, 6);
  t.same(ids(again), [1, 2, 3].map(id));
  t.equal(again[0]?.offeredMs, 1, 'as old as it was');
  queue.release(again);
  t.equal(queue.heldBytes, 0);
  t.end();
});

t.test('what comes back goes before what came back earlier', (t) => {
  const queue = new KeyQueue(ROOM);
  for (const number of [1, 2, 3, 4]) queue.offer(id(number), 'real-time', number);
  queue.putBack(queue.take(4, 5));
  const [first, ...rest] = queue.take(3, 6);
  queue.putBack(rest);
  queue.release([first as OutKey]);
  t.same(ids(queue.take(9, 7)), [2, 3, 4].map(id));
  t.end();
});

t.test('what rests comes last, when its time has passed', (t) => {
  const queue = new KeyQueue(ROOM);
  for (const number of [1, 2]) queue.offer(id(number), 'real-time', number);
  const [first] = queue.take(1, 3);
  queue.rest(first as OutKey, 10);
  t.equal(queue.count('real-time'), 2, 'it is still there');
  t.equal(queue.oldestMs(), 1);
  t.same(ids(queue.take(9, 9)), [id(2)]);
  queue.offer(id(3), 'real-time', 9);
  t.same(ids(queue.take(9, 10)), [3, 1].map(id));
  t.end();
});

t.test('the mark goes round, below 2^32', (t) => {
  const queue = new KeyQueue(0, undefined, 2 ** 32 - 1);
  t.equal(queue.dropMark, 2 ** 32 - 1);
  queue.noteDropped();
  t.equal(queue.dropMark, 0);
  t.end();
});

t.test('a full queue drops the newest key, until a full-sync has found what it dropped', (t) => {
  const queue = new KeyQueue(2 * (KEY_BYTES + 2));
  t.equal(queue.offer(id(1), 'real-time', 1), 'queued');
  t.equal(queue.offer(id(2), 'sync', 1), 'queued');
  t.equal(queue.offer(id(3), 'real-time', 1), 'dropped');
  t.equal(queue.offer(id(2), 'real-time', 1), 'queued', 'what is there may always move');
  const out = queue.take(2, 2);
  t.equal(queue.offer(id(3), 'real-time', 1), 'dropped', 'what is out may come back');
  queue.release(out);
  t.equal(queue.offer(id(3), 'real-time', 1), 'queued');
  t.equal(queue.isOverflowed, true);
  const mark = queue.dropMark;
  queue.offer(id(4), 'real-time', 1);
  queue.offer(id(5), 'real-time', 1);
  queue.synced(mark);
  t.equal(queue.isOverflowed, true, 'it began before a key was dropped');
  queue.synced(mark);
  t.equal(queue.isOverflowed, true, 'so did another beside it');
  queue.synced(queue.dropMark);
  t.equal(queue.isOverflowed, false);
  queue.offer(id(6), 'real-time', 1);
  t.equal(queue.isOverflowed, true);
  queue.clearOverflow();
  t.equal(queue.isOverflowed, false);
  t.end();
});

type Step =
  | { readonly kind: 'offer'; readonly key: number; readonly priority: KeyPriority }
  | { readonly kind: 'take'; readonly max: number }
  | { readonly kind: 'release' | 'put-back' | 'rest' | 'wait' };

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      key: fc.nat(12),
      priority: fc.constantFrom('real-time' as const, 'sync' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('take' as const), max: fc.nat(5) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('release', 'put-back', 'rest', 'wait' as const) }),
  },
);

t.test('nothing offered is lost but what was dropped, and nothing is there twice', (t) => {
  const roomOf = 8;
  fc.assert(
    fc.property(fc.array(arbitraryStep, { maxLength: 200 }), (steps) => {
      const queue = new KeyQueue(roomOf * (KEY_BYTES + 3));
      // Keys written since they were last taken for good: each must still come.
      const owed = new Set<ByteString>();
      const lots: OutKey[][] = [];
      let nowMs = 0;
      for (const step of steps) {
        nowMs += 1;
        if (step.kind === 'offer') {
          const offered = queue.offer(id(step.key), step.priority, nowMs);
          if (offered !== 'dropped') owed.add(id(step.key));
          else if (queue.heldBytes + KEY_BYTES + 2 <= roomOf * (KEY_BYTES + 3)) {
            throw new Error('a key was dropped though there was room');
          }
        } else if (step.kind === 'take') {
          const keys = queue.take(step.max, nowMs);
          if (new Set(ids(keys)).size !== keys.length) throw new Error('a key came twice in a lot');
          // What is written from now on is owed anew.
          for (const key of keys) owed.delete(key.id);
          lots.push(keys);
        } else if (step.kind === 'wait') {
          nowMs += 20;
        } else {
          const lot = lots.shift() ?? [];
          if (step.kind === 'release') queue.release(lot);
          else for (const key of lot) owed.add(key.id);
          if (step.kind === 'put-back') queue.putBack(lot);
          if (step.kind === 'rest') for (const key of lot) queue.rest(key, nowMs + 10);
        }
      }
      const outCount = lots.reduce((sum, lot) => sum + lot.length, 0);
      if (queue.outCount !== outCount) throw new Error('the count of what is out is wrong');
      const waiting = queue.count('real-time') + queue.count('sync');
      const left = queue.take(1_000, nowMs + 100);
      if (new Set(ids(left)).size !== left.length) throw new Error('a key waited twice');
      if (left.length !== waiting) throw new Error('the count of what waits is wrong');
      for (const key of owed) if (!ids(left).includes(key)) throw new Error(`${key} was lost`);
      queue.release(left);
      for (const lot of lots) queue.release(lot);
      if (queue.heldBytes !== 0) throw new Error('memory was not given back');
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('of one priority the order is that of arrival, through many thousands', (t) => {
  const queue = new KeyQueue(ROOM);
  const taken: ByteString[] = [];
  let offered = 0;
  for (let round = 0; round < 300; round += 1) {
    for (let more = 0; more < 50; more += 1) queue.offer(id((offered += 1)), 'real-time', offered);
    const lot = queue.take(round % 90, offered);
    taken.push(...ids(lot));
    queue.release(lot);
  }
  taken.push(...ids(queue.take(offered, offered)));
  t.same(
    taken,
    Array.from({ length: offered }, (_, index) => id(index + 1)),
  );
  t.end();
});

t.test('keys that change their place again and again take no more room for it', (t) => {
  const queue = new KeyQueue(ROOM);
  for (let round = 0; round < 20_000; round += 1) {
    queue.offer(id(1), 'sync', round);
    queue.offer(id(1), 'real-time', round);
    queue.release(queue.take(1, round));
  }
  queue.offer(id(2), 'sync', 1);
  t.same(ids(queue.take(9, 1)), [id(2)]);
  t.equal(queue.heldBytes, KEY_BYTES + 2);
  t.end();
});
