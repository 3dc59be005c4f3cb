/**
 * Names in ascending order, each once: what collections are edited and searched by.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Sliced } from '../base/sliced.ts';

/** Sorted, or merged, in one slice. */
const NAMES_PER_SLICE = 8_192;

/** Ascending, each once. */
export function* sortNames(names: readonly ByteString[]): Sliced<readonly ByteString[]> {
  let runs: (readonly ByteString[])[] = [];
  for (let start = 0; start < names.length; start += NAMES_PER_SLICE) {
    if (start > 0) yield;
    runs.push(distinct(names.slice(start, start + NAMES_PER_SLICE).sort()));
  }
  while (runs.length > 1) {
    const merged: (readonly ByteString[])[] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const [left, right] = [runs[index], runs[index + 1]];
      merged.push(yield* mergeNames(left ?? [], right ?? []));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeNames(
  left: readonly ByteString[],
  right: readonly ByteString[],
): Sliced<readonly ByteString[]> {
  const merged: ByteString[] = [];
  let leftIndex = 0;
  let rightIndex = 0;
  for (;;) {
    const [mine, theirs] = [left[leftIndex], right[rightIndex]];
    if (mine === undefined && theirs === undefined) return merged;
    if (theirs === undefined || (mine !== undefined && mine <= theirs)) {
      merged.push(mine as ByteString);
      leftIndex += 1;
      if (mine === theirs) rightIndex += 1;
    } else {
      merged.push(theirs);
      rightIndex += 1;
    }
    if (merged.length % NAMES_PER_SLICE === 0) yield;
  }
}

function distinct(sorted: readonly ByteString[]): readonly ByteString[] {
  return sorted.filter((name, index) => index === 0 || name !== sorted[index - 1]);
}
