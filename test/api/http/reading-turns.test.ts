/** Whose next request is read while many wait for room. */

import fc from 'fast-check';
import t from 'tap';
import { Lane } from '../../../src/api/http/lane.ts';
import { ReadingTurns } from '../../../src/api/http/reading-turns.ts';
import { VirtualHost } from '../../replica/virtual-host.ts';

const UNREAD_MAX_MS = 1_000;

/** Connections by number, and the turns of an event loop that the test takes. */
class Crowd {
  readonly turns: ReadingTurns;
  readonly host = new VirtualHost();
  /** What has been done to connections, in order: `-1` paused, `+1` resumed. */
  readonly done: string[] = [];
  readonly unread = new Set<number>();
  unreadShown = 0;
  stopped = 0;
  #deferred: (() => void)[] = [];

  constructor(waitingMax: number) {
    const metrics = {
      count: () => (this.stopped += 1),
      gauge: (_name: string, value: number) => (this.unreadShown = value),
      observe() {},
    };
    const defer = (run: () => void): void => void this.#deferred.push(run);
    this.turns = new ReadingTurns(metrics, {
      waitingMax,
      unreadMaxMs: UNREAD_MAX_MS,
      clock: this.host.clock,
      defer,
    });
  }

  connect(number: number): Lane {
    const lane = new Lane({
      pause: () => {
        this.unread.add(number);
        this.done.push(`-${number}`);
      },
      resume: () => {
        this.unread.delete(number);
        this.done.push(`+${number}`);
      },
    });
    this.turns.open(lane);
    return lane;
  }

  /** Lets so many connections be left unread while one waits for room. */
  fill(count: number): Lane[] {
    const lanes = Array.from({ length: count }, (_, index) => this.connect(index + 1));
    this.turns.wait();
    this.done.length = 0;
    return lanes;
  }

  /** Ends the turn of the event loop; false: nothing was left to do in it. */
  endTurn(): boolean {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const run of deferred) run();
    return deferred.length > 0;
  }
}

t.test('connections at rest are left unread as soon as many wait, and later ones too', (t) => {
  const crowd = new Crowd(2);
  const [first, second, third] = [crowd.connect(1), crowd.connect(2), crowd.connect(3)];
  crowd.turns.stir(third);
  crowd.turns.wait();
  t.same(crowd.done, []);
  crowd.turns.wait();
  t.same(crowd.done, ['-1', '-2']);
  crowd.turns.rest(third);
  t.same(crowd.done, ['-1', '-2', '-3']);
  t.equal(crowd.unreadShown, 3);
  t.equal(crowd.stopped, 3);
  for (const lane of [first, second, third]) crowd.turns.stir(lane);
  t.equal(crowd.unreadShown, 0);
  t.end();
});

t.test('a connection that comes while many wait is read, and so is one that does not rest', (t) => {
  const crowd = new Crowd(1);
  const probe = crowd.connect(1);
  crowd.turns.stir(probe);
  crowd.turns.wait();
  crowd.connect(2);
  t.same(crowd.done, []);
  t.end();
});

t.test('when half as many wait the others are read, as many as there are places', (t) => {
  const crowd = new Crowd(4);
  for (let number = 1; number <= 8; number += 1) crowd.connect(number);
  for (let count = 0; count < 4; count += 1) crowd.turns.wait();
  crowd.done.length = 0;
  for (let count = 0; count < 2; count += 1) crowd.turns.waitEnded();
  t.notOk(crowd.endTurn(), 'two wait still');
  crowd.turns.waitEnded();
  t.same(crowd.done, [], 'not before this turn of the event loop is over');
  t.ok(crowd.endTurn());
  t.same(crowd.done, ['+8']);
  t.ok(crowd.endTurn(), 'it has not come: the next is asked');
  t.same(crowd.done, ['+8', '+7']);
  for (let count = 0; count < 3; count += 1) crowd.turns.wait();
  t.same(crowd.done.slice(2), ['-7', '-8'], 'who has not come waits again');
  t.end();
});

t.test('who was just answered is waited for, one turn long', (t) => {
  const crowd = new Crowd(2);
  const lane = crowd.connect(1);
  crowd.connect(2);
  crowd.turns.stir(lane);
  for (let count = 0; count < 2; count += 1) crowd.turns.wait();
  for (let count = 0; count < 2; count += 1) crowd.turns.waitEnded();
  crowd.turns.rest(lane);
  t.ok(crowd.endTurn());
  t.same(crowd.done, ['-2']);
  t.ok(crowd.endTurn());
  t.same(crowd.done, ['-2', '+2']);
  t.end();
});

t.test('for each fourth answer the connection that is unread longest is read', (t) => {
  const crowd = new Crowd(1);
  for (let number = 1; number <= 3; number += 1) crowd.connect(number);
  const busy = crowd.connect(4);
  crowd.turns.stir(busy);
  crowd.turns.wait();
  crowd.done.length = 0;
  for (let answer = 0; answer < 4; answer += 1) {
    t.notOk(crowd.endTurn());
    crowd.turns.rest(busy);
    crowd.turns.stir(busy);
  }
  t.ok(crowd.endTurn());
  t.same(crowd.done.slice(4), ['+1']);
  crowd.turns.wait();
  t.same(crowd.done.slice(5), [], 'and is read until it has rested again');
  t.end();
});

t.test('who rests is never forgotten: when nobody waits all are read', (t) => {
  const step = fc.record({
    what: fc.constantFrom('connect', 'ask', 'answer', 'ping', 'close', 'turn'),
    number: fc.nat(9),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 150 }),
      fc.integer({ min: 1, max: 4 }),
      (steps, max) => {
        const crowd = new Crowd(max);
        const lanes = new Map<number, Lane>();
        const waiting = new Set<number>();
        const answer = (number: number, lane: Lane): void => {
          if (waiting.delete(number)) crowd.turns.waitEnded();
          else return;
          crowd.turns.rest(lane);
        };
        for (const { what, number } of steps) {
          const lane = lanes.get(number);
          if (what === 'turn') crowd.endTurn();
          else if (lane === undefined) {
            if (what === 'connect') lanes.set(number, crowd.connect(number));
          } else if (what === 'answer') answer(number, lane);
          else if (what === 'close') {
            if (waiting.delete(number)) crowd.turns.waitEnded();
            crowd.turns.stir(lane);
            lanes.delete(number);
            crowd.unread.delete(number);
          } else if (!waiting.has(number) && !crowd.unread.has(number)) {
            crowd.turns.stir(lane);
            if (what === 'ping') continue;
            waiting.add(number);
            crowd.turns.wait();
          }
          if (crowd.unreadShown !== crowd.unread.size) return false;
          if (crowd.unread.size > 0 && waiting.size < max / 2 && !crowd.endTurn()) return false;
        }
        for (const [number, lane] of lanes) answer(number, lane);
        for (let turn = 0; turn < 20; turn += 1) crowd.endTurn();
        return crowd.unread.size === 0 && !crowd.endTurn();
      },
    ),
  );
  t.end();
});

t.test('a connection that is read out of turn is not left unread again', (t) => {
  const crowd = new Crowd(1);
  const lane = crowd.connect(1);
  t.notOk(crowd.turns.recall(lane));
  crowd.turns.wait();
  t.ok(crowd.turns.recall(lane));
  crowd.turns.wait();
  t.same(crowd.done, ['-1', '+1']);
  t.equal(crowd.unreadShown, 0);
  t.end();
});

t.test(
  'who has been unread for too long is asked, and left again if there was nothing',
  async (t) => {
    const crowd = new Crowd(1);
    const [first, second] = crowd.fill(2) as [Lane, Lane];
    await crowd.host.advance(UNREAD_MAX_MS - 1);
    t.same(crowd.done, []);
    await crowd.host.advance(1);
    t.same(crowd.done, ['+1', '+2']);
    t.ok(first.isOverdue && second.isOverdue);
    crowd.turns.stir(first);
    crowd.endTurn();
    t.same(crowd.done.slice(2), [], 'not before all sockets were looked at');
    crowd.endTurn();
    t.same(crowd.done.slice(2), ['-2']);
    t.ok(first.isOverdue, 'what it has brought is refused');
    t.notOk(second.isOverdue);
    crowd.turns.rest(first);
    t.same(crowd.done.slice(3), ['-1']);
    await crowd.host.advance(UNREAD_MAX_MS);
    t.same(crowd.done.slice(4), ['+2', '+1'], 'and once more');
  },
);

t.test('there is one refusal for each answer, and some whatever is answered', async (t) => {
  const crowd = new Crowd(1);
  await crowd.host.advance(10_000);
  crowd.fill(3_000);
  await crowd.host.advance(UNREAD_MAX_MS);
  t.equal(crowd.done.length, 1_024, 'at once, after a time in which nobody was refused');
  const asked = async (answers: number): Promise<number> => {
    const busy = crowd.connect(9_000);
    crowd.turns.stir(busy);
    for (let turn = 0; turn < 2; turn += 1) crowd.endTurn();
    crowd.done.length = 0;
    for (let answer = 0; answer < answers; answer += 1) {
      crowd.turns.rest(busy);
      crowd.turns.stir(busy);
    }
    crowd.done.length = 0;
    await crowd.host.advance(100);
    return crowd.done.filter((each) => each.startsWith('+')).length;
  };
  t.equal(await asked(0), 12, 'in 25 milliseconds, until it is seen who had something');
  t.equal(await asked(0), 50, 'in the 100 milliseconds since');
  t.equal(await asked(100), 150);
});

t.test('refusals that were asked for ask for no others', async (t) => {
  const crowd = new Crowd(1);
  const lanes = crowd.fill(1_200);
  await crowd.host.advance(UNREAD_MAX_MS);
  const first = lanes.filter(({ isOverdue }) => isOverdue);
  t.equal(first.length, 500, 'what a second earns');
  for (const lane of first) crowd.turns.stir(lane);
  for (const lane of first) crowd.turns.rest(lane);
  for (let turn = 0; turn < 2; turn += 1) crowd.endTurn();
  crowd.done.length = 0;
  await crowd.host.advance(25);
  t.equal(crowd.done.length, 12);
});

t.test('who was asked when the crowd has gone goes on being read', async (t) => {
  const crowd = new Crowd(1);
  crowd.fill(2);
  await crowd.host.advance(UNREAD_MAX_MS);
  crowd.turns.waitEnded();
  for (let turn = 0; turn < 4; turn += 1) crowd.endTurn();
  t.same(crowd.done, ['+1', '+2']);
  crowd.turns.wait();
  t.same(crowd.done, ['+1', '+2', '-1', '-2'], 'as all that are at rest');
});
