/** The entrance: who waits, who goes first, who is refused. */

import fc from 'fast-check';
import t from 'tap';
import { Admission } from '../../src/node/admission.ts';
import { Entrance, type Place } from '../../src/node/entrance.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

const TURN_MS = 100;
const WAIT_MAX_MS = 1_000;

/** An entrance to a node that carries `room` at a time; requests have names and are held by the test. */
class Door {
  readonly host = new VirtualHost();
  readonly entrance: Entrance;
  /** Names in the order in which they were let in, `-` before those refused. */
  readonly told: string[] = [];

  constructor(room: number, lengthMax = 1_000) {
    const admission = new Admission(this.host, { requestsMax: room, bytesMax: 1_000 });
    const options = { turnMs: TURN_MS, waitMaxMs: WAIT_MAX_MS, lengthMax };
    this.entrance = new Entrance(this.host, admission, options);
  }

  come(name: string): Place | undefined {
    const place = this.entrance.enter('node_get_fsm', {
      admit: () => this.told.push(name),
      refuse: () => this.told.push(`-${name}`),
    });
    if (place === undefined) this.told.push(name);
    return place;
  }
}

t.test('who finds room goes in at once, the others in their order', (t) => {
  const door = new Door(2);
  for (const name of ['a', 'b', 'c', 'd']) door.come(name);
  t.same(door.told, ['a', 'b']);
  door.entrance.exit();
  t.same(door.told, ['a', 'b', 'c']);
  door.entrance.exit();
  t.same(door.told, ['a', 'b', 'c', 'd']);
  t.end();
});

t.test('when the first has waited too long the last goes first', async (t) => {
  const door = new Door(1);
  for (const name of ['a', 'b', 'c']) door.come(name);
  await door.host.advance(TURN_MS);
  door.come('d');
  for (let count = 0; count < 3; count += 1) door.entrance.exit();
  t.same(door.told, ['a', 'd', 'c', 'b']);
});

t.test(
  'who has waited elsewhere goes in if there is room, and else is refused and counted',
  (t) => {
    const door = new Door(1);
    t.equal(door.entrance.enterLate('node_put_fsm'), true);
    t.equal(door.entrance.enterLate('node_put_fsm'), false);
    t.equal(door.host.counters.get('node_put_fsm_rejected'), 1);
    door.come('a');
    door.entrance.exit();
    t.same(door.told, ['a'], 'its place is given on');
    t.end();
  },
);

t.test('who has waited for the longest time is refused, and counted', async (t) => {
  const door = new Door(1);
  for (const name of ['a', 'b']) door.come(name);
  await door.host.advance(500);
  door.come('c');
  await door.host.advance(500);
  t.same(door.told, ['a', '-b']);
  await door.host.advance(500);
  t.same(door.told, ['a', '-b', '-c']);
  t.equal(door.host.counters.get('requests_refused'), 2);
  t.equal(door.host.counters.get('node_get_fsm_rejected'), 2);
  t.equal(door.host.timerCount, 0);
});

t.test('refusals of many leave the event loop to others', async (t) => {
  const door = new Door(1, 5_000);
  for (let index = 0; index < 5_000; index += 1) door.come(`${index}`);
  await door.host.advance(WAIT_MAX_MS);
  t.ok(door.told.length < 1_000, `${door.told.length} at once`);
  await door.host.advance(100);
  t.equal(door.told.length, 5_000);
});

t.test('a line that is too long loses its first', async (t) => {
  const door = new Door(1, 2);
  for (const name of ['a', 'b', 'c', 'd', 'e']) door.come(name);
  await door.host.advance(0);
  t.same(door.told, ['a', '-b', '-c']);
});

t.test('a closed entrance refuses who waits and who comes', async (t) => {
  const door = new Door(1);
  for (const name of ['a', 'b']) door.come(name);
  door.entrance.close();
  await door.host.advance(0);
  door.entrance.exit();
  door.come('c');
  await door.host.advance(0);
  t.same(door.told, ['a', '-b', '-c']);
});

t.test('many that are done as soon as they are let in do not pile up', (t) => {
  const door = new Door(1);
  door.come('first');
  let done = 0;
  for (let index = 0; index < 5_000; index += 1) {
    const admit = (): void => {
      done += 1;
      door.entrance.exit();
    };
    door.entrance.enter('node_put_fsm', { admit, refuse: () => t.fail('there is room') });
  }
  door.entrance.exit();
  t.equal(done, 5_000);
  t.end();
});

t.test('each waiter is told once, no more are inside than there is room for', async () => {
  const step = fc.oneof(
    fc.constant('come' as const),
    fc.constant('exit' as const),
    fc.constant('leave' as const),
    fc.integer({ min: 1, max: 400 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
      const door = new Door(3);
      const waiting = new Map<string, Place>();
      const left = new Set<string>();
      let exits = 0;
      let come = 0;
      const inside = (): number => {
        return door.told.filter((name) => !name.startsWith('-')).length - exits;
      };
      for (const next of steps) {
        if (next === 'come') {
          come += 1;
          const place = door.come(`${come}`);
          if (place !== undefined) waiting.set(`${come}`, place);
        } else if (next === 'exit' && inside() > 0) {
          exits += 1;
          door.entrance.exit();
        } else if (next === 'leave') {
          const [first] = waiting;
          if (first === undefined) continue;
          const [name, place] = first;
          waiting.delete(name);
          if (!door.told.includes(name) && !door.told.includes(`-${name}`)) left.add(name);
          place.leave();
        } else if (typeof next === 'number') await door.host.advance(next);
        if (inside() > 3) return false;
      }
      await door.host.advance(2 * WAIT_MAX_MS);
      const names = door.told.map((name) => name.replace('-', ''));
      const isToldOnce = new Set(names).size === names.length;
      return isToldOnce && names.length + left.size === come && !names.some((n) => left.has(n));
    }),
    { numRuns: 50 },
  );
});
