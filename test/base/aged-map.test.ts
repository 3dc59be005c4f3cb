/** A map with an oldest entry, against a plain map that is searched for it. */

import fc from 'fast-check';
import t from 'tap';
import { AgedMap } from '../../src/base/aged-map.ts';

const step = fc.record({
  kind: fc.constantFrom('set', 'set', 'delete', 'shift', 'clear'),
  key: fc.nat({ max: 6 }),
});

t.test('it holds what a map holds, and its oldest is who was set the longest ago', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const aged = new AgedMap<number, number>();
      const model = new Map<number, number>();
      for (const [value, { kind, key }] of steps.entries()) {
        const oldest = aged.oldest();
        if (kind === 'set') {
          aged.set(key, value);
          model.delete(key);
          model.set(key, value);
        } else if (kind === 'delete') {
          if (aged.delete(key) !== model.delete(key)) return false;
        } else if (kind === 'shift' && oldest !== undefined) {
          aged.delete(oldest.key);
          model.delete(oldest.key);
        } else if (kind === 'clear' && value % 5 === 0) {
          aged.clear();
          model.clear();
        }
        if (!isSame(aged, model)) return false;
      }
      return true;
    }),
  );
});

function isSame(aged: AgedMap<number, number>, model: ReadonlyMap<number, number>): boolean {
  const [oldest] = model;
  const told = aged.oldest();
  if (told?.key !== oldest?.[0] || told?.value !== oldest?.[1]) return false;
  if (aged.size !== model.size) return false;
  return [0, 1, 2, 3, 4, 5, 6].every((key) => {
    return aged.get(key) === model.get(key) && aged.has(key) === model.has(key);
  });
}

t.test('taking the oldest out again and again empties it in the order of the sets', async (t) => {
  const aged = new AgedMap<string, number>();
  for (const [index, key] of ['a', 'b', 'c', 'a', 'd'].entries()) aged.set(key, index);
  const taken: string[] = [];
  for (let oldest = aged.oldest(); oldest !== undefined; oldest = aged.oldest()) {
    taken.push(oldest.key);
    aged.delete(oldest.key);
  }
  t.same(taken, ['b', 'c', 'a', 'd']);
  t.equal(aged.size, 0);
});
