/**
 * Ordered merge: many ordered sequences of names become one.
 *
 * A binary heap of cursors, one batch of each source in memory; the first batches are fetched
 * some at a time, later ones when their source runs dry. Equal names all come through.
 */

import type { ByteString } from '../base/bytes.ts';

/** Sources that are asked for their first batch at once. */
const OPENINGS_MAX = 16;

interface Cursor {
  readonly source: AsyncGenerator<ByteString[]>;
  batch: readonly ByteString[];
  index: number;
}

/** Batches of `batchCount` names, the last one shorter. Sources yield no empty batches. */
export async function* mergeInOrder(
  sources: readonly AsyncGenerator<ByteString[]>[],
  batchCount: number,
): AsyncIterableIterator<ByteString[]> {
  const heap: Cursor[] = [];
  const cursors = sources.map((source): Cursor => ({ source, batch: [], index: 0 }));
  for (let from = 0; from < cursors.length; from += OPENINGS_MAX) {
    const opened = cursors.slice(from, from + OPENINGS_MAX);
    const filled = await Promise.all(opened.map(fill));
    for (const [index, cursor] of opened.entries()) if (filled[index] === true) push(heap, cursor);
  }

  let names: ByteString[] = [];
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    names.push(nameAt(top));
    if (names.length === batchCount) {
      yield names;
      names = [];
    }
    top.index += 1;
    if (top.index < top.batch.length || (await fill(top))) siftDown(heap);
    else pop(heap);
  }
  if (names.length > 0) yield names;
}

/** Whether there was another batch. */
async function fill(cursor: Cursor): Promise<boolean> {
  const next = await cursor.source.next();
  if (next.done === true) return false;
  cursor.batch = next.value;
  cursor.index = 0;
  return true;
}

function nameAt(cursor: Cursor): ByteString {
  return cursor.batch[cursor.index] as ByteString;
}

function push(heap: Cursor[], cursor: Cursor): void {
  let index = heap.length;
  heap.push(cursor);
  while (index > 0) {
    const parent = (index - 1) >>> 1;
    if (nameAt(heap[parent] as Cursor) <= nameAt(cursor)) break;
    heap[index] = heap[parent] as Cursor;
    index = parent;
  }
  heap[index] = cursor;
}

function pop(heap: Cursor[]): void {
  const last = heap.pop();
  if (heap.length === 0 || last === undefined) return;
  heap[0] = last;
  siftDown(heap);
}

/** The first cursor finds its place. */
function siftDown(heap: Cursor[]): void {
  const cursor = heap[0] as Cursor;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && nameAt(heap[right] as Cursor) < nameAt(heap[child] as Cursor)) {
      child = right;
    }
    if (nameAt(heap[child] as Cursor) >= nameAt(cursor)) break;
    heap[index] = heap[child] as Cursor;
    index = child;
  }
  heap[index] = cursor;
}
