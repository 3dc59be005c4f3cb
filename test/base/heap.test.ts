/**
 * A heap gives out what is in it in order, whatever came in and whatever moved meanwhile.
 */

import fc from 'fast-check';
import t from 'tap';
import { Heap } from '../../src/base/heap.ts';

interface Item {
  rank: number;
}

function heapOf(ranks: readonly number[]): Heap<Item> {
  const heap = new Heap<Item>((left, right) => left.rank < right.rank);
  for (const rank of ranks) heap.push({ rank });
  return heap;
}

function emptied(heap: Heap<Item>): number[] {
  const ranks: number[] = [];
  for (let item = heap.pop(); item !== undefined; item = heap.pop()) ranks.push(item.rank);
  return ranks;
}

const RANKS = fc.array(fc.nat({ max: 20 }), { maxLength: 30 });

t.test('items come out in order, equal ones as often as they went in', async () => {
  fc.assert(
    fc.property(RANKS, (ranks) => {
      const sorted = ranks.toSorted((left, right) => left - right);
      return JSON.stringify(emptied(heapOf(ranks))) === JSON.stringify(sorted);
    }),
  );
});

t.test('the least one finds its place again when it has moved back', async () => {
  const moves = fc.array(fc.nat({ max: 20 }), { maxLength: 30 });
  fc.assert(
    fc.property(RANKS, moves, (ranks, steps) => {
      const heap = heapOf(ranks);
      const model = [...ranks];
      for (const step of steps) {
        const { least } = heap;
        if (least === undefined) return model.length === 0;
        const rank = Math.min(...model);
        if (least.rank !== rank) return false;
        model[model.indexOf(rank)] = rank + step;
        least.rank += step;
        heap.settleLeast();
      }
      const sorted = model.toSorted((left, right) => left - right);
      return JSON.stringify(emptied(heap)) === JSON.stringify(sorted);
    }),
  );
});

t.test('an empty heap has no least item', async (t) => {
  const heap = heapOf([1]);
  t.equal(heap.pop()?.rank, 1);
  t.equal(heap.least, undefined);
  t.equal(heap.pop(), undefined);
  heap.push({ rank: 2 });
  t.equal(heap.least?.rank, 2);
  t.equal(heap.items().length, 1);
});
