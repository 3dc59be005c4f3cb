/**
 * Ordered sources become one ordered stream, whatever their batches and their pace.
 */

import fc from 'fast-check';
import t from 'tap';
import { Heap } from '../../src/base/heap.ts';
import { BatchCursor } from '../../src/coordinator/batch-cursor.ts';

const byNumber = (left: number, right: number): number => left - right;

async function* batches(items: readonly (readonly number[])[]): AsyncGenerator<readonly number[]> {
  for (const batch of items) {
    await Promise.resolve();
    yield batch;
  }
}

async function merged(sources: readonly (readonly (readonly number[])[])[]): Promise<number[]> {
  const heap = new Heap<BatchCursor<number, number>>(({ head: left }, { head: right }) => {
    return left !== undefined && right !== undefined && left < right;
  });
  for (const [index, source] of sources.entries()) {
    const cursor = new BatchCursor<number, number>(index, batches(source));
    if (await cursor.fill()) heap.push(cursor);
  }
  const items: number[] = [];
  for (let least = heap.least; least !== undefined; least = heap.least) {
    items.push(least.take());
    if (least.head !== undefined) heap.settleLeast();
    else {
      heap.pop();
      if (await least.fill()) heap.push(least);
    }
  }
  return items;
}

t.test('the merge of sorted sources is the sorted whole', async () => {
  const source = fc
    .array(fc.nat({ max: 50 }), { maxLength: 20 })
    .map((items) => items.sort(byNumber))
    .chain((items) => {
      return fc.array(fc.nat({ max: 20 }), { maxLength: 4 }).map((cuts) => {
        const ends = [...cuts, items.length].sort(byNumber);
        return ends.map((end, index) => items.slice(ends[index - 1] ?? 0, end));
      });
    });
  await fc.assert(
    fc.asyncProperty(fc.array(source, { maxLength: 6 }), async (sources) => {
      const items = await merged(sources);
      const expected = sources.flat(2).sort(byNumber);
      return JSON.stringify(items) === JSON.stringify(expected);
    }),
  );
});

t.test('a fault of a source is thrown when its items are used up, and not before', async (t) => {
  async function* failing(): AsyncGenerator<readonly number[]> {
    yield [1, 2];
    throw new Error('the source broke');
  }
  const cursor = new BatchCursor<number, string>('s', failing());
  t.ok(await cursor.fill());
  t.equal(cursor.take(), 1);
  t.equal(cursor.take(), 2);
  t.equal(cursor.head, undefined);
  t.equal(cursor.last, 2);
  await t.rejects(cursor.fill(), { message: 'the source broke' });
});
