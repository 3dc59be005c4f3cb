/** How soon nodes answer, and who is late: found from answers alone. */

import fc from 'fast-check';
import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { AnswerTimes } from '../../src/coordinator/answer-times.ts';

const [A, B] = ['a', 'b'] as string[] as [NodeId, NodeId];
const OPTIONS = { initialMs: 30, minMs: 3, maxMs: 100 };

/** `count` answers of A, one every `everyMs`; the next time after them. */
function hear(
  times: AnswerTimes,
  answers: { readonly count: number; readonly tookMs: (index: number) => number },
  { fromMs, everyMs }: { readonly fromMs: number; readonly everyMs: number },
): number {
  for (let index = 0; index < answers.count; index += 1) {
    times.answered(A, answers.tookMs(index), fromMs + index * everyMs);
  }
  return fromMs + answers.count * everyMs;
}

t.test('nothing is known of a node at first', async (t) => {
  const times = new AnswerTimes(OPTIONS);
  t.equal(times.usualMs(A), 30);
  t.equal(times.isLate(A), false);
});

t.test('the usual time is found to be what one answer in twenty is above', async (t) => {
  const times = new AnswerTimes(OPTIONS);
  // 7 of 100 take 50 ms, 3 of 100 take 80 ms: 95 of 100 are done after 50.
  const tookMs = (index: number): number => {
    const rank = (index * 37) % 100;
    return rank < 90 ? 5 : rank < 97 ? 50 : 80;
  };
  hear(times, { count: 5_000, tookMs }, { fromMs: 0, everyMs: 10 });
  const usualMs = times.usualMs(A);
  t.ok(usualMs > 35 && usualMs < 65, `${usualMs}`);
  t.equal(times.usualMs(B), 30, 'each node has its own');
});

t.test('it keeps within its bounds, whatever the answers are', async () => {
  const took = fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.nat(100_000));
  fc.assert(
    fc.property(fc.array(took, { maxLength: 500 }), (all) => {
      const times = new AnswerTimes(OPTIONS);
      return all.every((tookMs, index) => {
        times.answered(A, tookMs, index * 5);
        const usualMs = times.usualMs(A);
        return usualMs >= OPTIONS.minMs && usualMs <= OPTIONS.maxMs;
      });
    }),
  );
});

t.test('it follows a node that has become faster or slower within seconds', async (t) => {
  const times = new AnswerTimes(OPTIONS);
  const every = { everyMs: 1 };
  const slowFromMs = hear(times, { count: 5_000, tookMs: () => 1 }, { fromMs: 0, ...every });
  t.equal(times.usualMs(A), OPTIONS.minMs);
  hear(times, { count: 1_000, tookMs: () => 40 }, { fromMs: slowFromMs, ...every });
  t.ok(times.usualMs(A) >= 39, `${times.usualMs(A)}`);
});

t.test('what a paused node answers at once when it goes on is one event', async (t) => {
  const times = new AnswerTimes(OPTIONS);
  const fromMs = hear(times, { count: 5_000, tookMs: () => 1 }, { fromMs: 0, everyMs: 1 });
  hear(times, { count: 1_000, tookMs: () => 2_000 }, { fromMs, everyMs: 0.02 });
  t.ok(times.usualMs(A) < 2 * OPTIONS.minMs, `${times.usualMs(A)}`);
});

t.test(
  'a node is late when it has kept three waiting, until it has answered as many',
  async (t) => {
    const times = new AnswerTimes(OPTIONS);
    t.same(
      [1, 2, 3, 4].map(() => times.keptWaiting(A)),
      [false, false, true, false],
    );
    t.equal(times.isLate(A), true);
    t.equal(times.isLate(B), false);
    times.answered(A, 2_000, 10);
    t.equal(times.isLate(A), true, 'an answer that comes late proves nothing');
    for (let index = 0; index < 3; index += 1) times.answered(A, 1, 20 + index);
    t.equal(times.isLate(A), true);
    times.answered(A, 1, 30);
    t.equal(times.isLate(A), false);
  },
);

t.test('a node of which one read in twenty waits is not late', async (t) => {
  const times = new AnswerTimes(OPTIONS);
  for (let index = 0; index < 10_000; index += 1) {
    if (index % 20 === 0) times.keptWaiting(A);
    else times.answered(A, 1, index);
    if (times.isLate(A)) t.fail(`after ${index}`);
  }
});
