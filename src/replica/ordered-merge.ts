/**
 * Ordered merge: many ordered sequences of names become one.
 *
 * A heap of cursors, one batch of each source in memory; the first batches are fetched some at a time,
 * later ones when their source runs dry. Equal names all come through.
 */

import type { ByteString } from '../base/bytes.ts';
import { Heap } from '../base/heap.ts';

/** Sources that are asked for their first batch at once. */
const OPENINGS_MAX = 16;

interface Cursor {
  readonly source: AsyncGenerator<ByteString[]>;
  batch: readonly ByteString[];
  index: number;
}

/** Of the names of one batch; it may be passed by one name. */
const BATCH_BYTES = 256 * 1024;

/** Batches of `batchCount` names, fewer of long ones. Sources yield no empty batches. */
export async function* mergeInOrder(
  sources: readonly AsyncGenerator<ByteString[]>[],
  batchCount: number,
): AsyncIterableIterator<ByteString[]> {
  const heap = new Heap<Cursor>((left, right) => nameAt(left) < nameAt(right));
  const cursors = sources.map((source): Cursor => ({ source, batch: [], index: 0 }));
  for (let from = 0; from < cursors.length; from += OPENINGS_MAX) {
    const opened = cursors.slice(from, from + OPENINGS_MAX);
    const filled = await Promise.all(opened.map(fill));
    for (const [index, cursor] of opened.entries()) if (filled[index] === true) heap.push(cursor);
  }

  let names: ByteString[] = [];
  let sizeBytes = 0;
  for (let top = heap.least; top !== undefined; top = heap.least) {
    const name = nameAt(top);
    names.push(name);
    sizeBytes += name.length;
    if (names.length === batchCount || sizeBytes >= BATCH_BYTES) {
      yield names;
      names = [];
      sizeBytes = 0;
    }
    top.index += 1;
    if (top.index < top.batch.length || (await fill(top))) heap.settleLeast();
    else heap.pop();
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
