/**
 * The two loops in virtual time: when operations are due, and from when they count.
 */

import t from 'tap';
import { SeededRandom } from '../../src/cli/demo/patient-records.ts';
import { Arrivals, ratePieces } from '../../bench/load/arrivals.ts';
import { runClosedLoop, runOpenLoop } from '../../bench/load/loops.ts';
import type { LoadClock } from '../../bench/load/clock.ts';

/** Time that passes only when everybody waits. */
class VirtualClock implements LoadClock {
  #nowMs = 0;
  readonly #waiting: { readonly dueMs: number; readonly wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wait(milliseconds: number): Promise<void> {
    return new Promise((wake) => {
      this.#waiting.push({ dueMs: this.#nowMs + milliseconds, wake });
    });
  }

  /** Lets time pass until `work` is done. */
  async drive<T>(work: Promise<T>): Promise<T> {
    const state = { isDone: false };
    const finished = work.finally(() => {
      state.isDone = true;
    });
    while (!state.isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#waiting.sort((left, right) => left.dueMs - right.dueMs);
      const next = state.isDone ? undefined : this.#waiting.shift();
      if (next === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
    }
    return finished;
  }
}

const EVEN = { arrivals: 'even', offset: 0 } as const;

function arrivalsOf(perSecond: number, durationMs: number): Arrivals {
  const pieces = [{ fromPerSecond: perSecond, toPerSecond: perSecond, durationMs }];
  return new Arrivals(pieces, new SeededRandom(1), EVEN);
}

function allOf(arrivals: Arrivals): number[] {
  const times: number[] = [];
  for (let next = arrivals.next(); next !== undefined; next = arrivals.next()) times.push(next);
  return times;
}

t.test('arrivals at a level rate are evenly spaced', (t) => {
  const times = allOf(arrivalsOf(100, 1_000));
  t.equal(times.length, 100);
  t.same(times.slice(0, 3), [0, 10, 20]);
  t.end();
});

t.test('what is never started is counted without being drawn, at any rate', (t) => {
  const pieces = ratePieces({ fromPerSecond: 10, toPerSecond: 200 }, 4, 10_000);
  for (const offset of [0.25, 0.5, 0.99]) {
    const all = new Arrivals(pieces, new SeededRandom(1), { arrivals: 'even', offset });
    const some = new Arrivals(pieces, new SeededRandom(1), { arrivals: 'even', offset });
    const count = allOf(all).length;
    t.equal(all.rest(), 0);
    t.equal(some.rest(), count);
    for (let drawn = 0; drawn < count - 7; drawn += 1) some.next();
    t.equal(some.rest(), 7);
  }
  const chance = new Arrivals(pieces, new SeededRandom(1), { arrivals: 'poisson', offset: 0 });
  t.ok(Math.abs(chance.rest() - 1_050) <= 20, `${chance.rest()} by chance`);
  t.equal(arrivalsOf(1e9, 3_600_000).rest(), 3.6e12, 'which would take hours to draw');
  t.end();
});

t.test('a ramp has the mean of its rates, and gets denser', (t) => {
  const pieces = ratePieces({ fromPerSecond: 0.001, toPerSecond: 200 }, 1, 10_000);
  const times = allOf(new Arrivals(pieces, new SeededRandom(1), EVEN));
  t.ok(Math.abs(times.length - 1_000) <= 1, String(times.length));
  const early = times.filter((time) => time < 5_000).length;
  t.ok(Math.abs(early - 250) <= 2, `${early} in the first half`);
  t.same(
    times,
    times.toSorted((left, right) => left - right),
  );
  t.end();
});

t.test('steps are level and end at the last rate', (t) => {
  const pieces = ratePieces({ fromPerSecond: 100, toPerSecond: 300 }, 3, 3_000);
  t.same(
    pieces.map(({ fromPerSecond }) => fromPerSecond),
    [100, 200, 300],
  );
  const times = allOf(new Arrivals(pieces, new SeededRandom(1), EVEN));
  t.same(
    [0, 1, 2].map((second) => times.filter((time) => Math.floor(time / 1_000) === second).length),
    [100, 200, 300],
  );
  t.end();
});

t.test('arrivals by chance have the rate and the spread of Poisson', (t) => {
  const pieces = ratePieces({ fromPerSecond: 100, toPerSecond: 100 }, 1, 100_000);
  const options = { arrivals: 'poisson', offset: 0 } as const;
  const times = allOf(new Arrivals(pieces, new SeededRandom(1), options));
  t.ok(Math.abs(times.length - 10_000) < 400, String(times.length));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const long = gaps.filter((gap) => gap > 10).length / gaps.length;
  t.ok(Math.abs(long - Math.exp(-1)) < 0.02, `${long} of the gaps are longer than their mean`);
  t.end();
});

t.test('in an open loop a latency counts from when the operation was due', async (t) => {
  const clock = new VirtualClock();
  const seen: { readonly due: number; readonly started: number; readonly ended: number }[] = [];
  const operate = async (_client: number, dueMs: number): Promise<'done'> => {
    const started = clock.nowMs();
    // The first one stalls; the others take a millisecond.
    await clock.wait(dueMs === 0 ? 100 : 1);
    seen.push({ due: dueMs, started, ended: clock.nowMs() });
    return 'done';
  };
  const unstarted = await clock.drive(
    runOpenLoop(clock, operate, {
      arrivals: arrivalsOf(100, 200),
      clients: 1,
      startMs: 0,
      endMs: 1_000,
    }),
  );
  t.equal(unstarted, 0);
  t.equal(seen.length, 20);
  // Due at 10 ms, while the only client was busy until 100: it waited for 91 ms, not for one.
  const second = seen.find(({ due }) => due === 10);
  t.same([second?.started, second?.ended], [100, 101]);
  t.equal((second?.ended ?? 0) - (second?.due ?? 0), 91);
  const last = seen.find(({ due }) => due === 190);
  t.equal((last?.ended ?? 0) - (last?.due ?? 0), 1);
});

t.test('operations that found no client before the end are counted', async (t) => {
  const clock = new VirtualClock();
  const unstarted = await clock.drive(
    runOpenLoop(clock, () => clock.wait(50).then(() => 'done' as const), {
      arrivals: arrivalsOf(100, 1_000),
      clients: 1,
      startMs: 0,
      endMs: 1_000,
    }),
  );
  t.ok(unstarted >= 79 && unstarted <= 81, String(unstarted));
});

t.test('a closed loop keeps each client busy, and stops after so many', async (t) => {
  const clock = new VirtualClock();
  let count = 0;
  const operate = async (): Promise<'done' | 'idle'> => {
    await clock.wait(10);
    count += 1;
    return 'done';
  };
  await clock.drive(runClosedLoop(clock, operate, { clients: 3, endMs: 100 }));
  t.equal(count, 30);
  count = 0;
  await clock.drive(runClosedLoop(clock, operate, { clients: 3, endMs: 1e9, operationsMax: 7 }));
  t.equal(count, 7);
});

t.test('clients of a closed loop that find nothing to do leave others their turn', async (t) => {
  const clock = new VirtualClock();
  let idleCount = 0;
  let busyCount = 0;
  const operate = async (client: number): Promise<'done' | 'idle'> => {
    if (client === 0) {
      await clock.wait(1);
      busyCount += 1;
      return 'done';
    }
    idleCount += 1;
    return 'idle';
  };
  const options = { clients: 3, endMs: 100, operationsMax: 100_000 };
  await clock.drive(runClosedLoop(clock, operate, options));
  t.equal(busyCount, 100);
  t.ok(idleCount > 0 && idleCount <= 200, `${idleCount} times there was nothing to do`);
});

t.test('who finds nothing to do now and then does not rest', async (t) => {
  const clock = new VirtualClock();
  let count = 0;
  const operate = async (): Promise<'done' | 'idle'> => {
    count += 1;
    if (count % 8 !== 0) return 'idle';
    await clock.wait(1);
    return 'done';
  };
  await clock.drive(runClosedLoop(clock, operate, { clients: 1, endMs: 100, operationsMax: 1e6 }));
  t.equal(count, 800);
});

t.test(
  'clients whose operations fail again and again rest, and soon see that it is over',
  async (t) => {
    const clock = new VirtualClock();
    let failedCount = 0;
    let doneCount = 0;
    const operate = async (): Promise<'done' | 'failed'> => {
      if (clock.nowMs() < 60_000) {
        failedCount += 1;
        return 'failed';
      }
      await clock.wait(1);
      doneCount += 1;
      return 'done';
    };
    const options = { clients: 2, endMs: 61_000, operationsMax: 1_000_000 };
    await clock.drive(runClosedLoop(clock, operate, options));
    t.ok(failedCount > 500 && failedCount < 2_000, `${failedCount} tries in a minute`);
    t.ok(doneCount > 1_500, `${doneCount} of 2,000 when it was over`);
  },
);

t.test('an error now and then costs no time', async (t) => {
  const clock = new VirtualClock();
  let count = 0;
  const operate = async (): Promise<'done' | 'failed'> => {
    count += 1;
    if (count % 8 !== 0) return 'failed';
    await clock.wait(1);
    return 'done';
  };
  const options = { clients: 1, endMs: 100, operationsMax: 1e6 };
  await clock.drive(runClosedLoop(clock, operate, options));
  t.equal(count, 800);
});
