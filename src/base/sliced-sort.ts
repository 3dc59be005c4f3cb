/**
 * Sorting long lists in slices: runs are sorted each in one go, and then merged two by two.
 *
 * Sorting 200,000 names holds the event loop for a quarter of a second, runs of some thousand for a
 * millisecond or two.
 */

import type { Sliced } from './sliced.ts';

/** Items that are sorted, or merged, in one slice. */
const SLICE_COUNT = 8_192;

/** In order; equal items stay as they are to each other. Neither reads nor keeps `items` afterwards. */
export function* sortInSlices<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
): Sliced<T[]> {
  let runs: T[][] = [];
  for (let from = 0; from < items.length; from += SLICE_COUNT) {
    if (from > 0) yield;
    runs.push(items.slice(from, from + SLICE_COUNT).sort(compare));
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const [left = [], right = []] = runs.slice(index, index + 2);
      yield;
      merged.push(yield* mergeInSlices(left, right, compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergeInSlices<T>(
  left: T[],
  right: T[],
  compare: (left: T, right: T) => number,
): Sliced<T[]> {
  if (right.length === 0) return left;
  const merged: T[] = [];
  let [fromLeft, fromRight] = [0, 0];
  while (merged.length < left.length + right.length) {
    if (merged.length > 0 && merged.length % SLICE_COUNT === 0) yield;
    const [one, other] = [left[fromLeft], right[fromRight]];
    const isLeft =
      fromRight === right.length || (fromLeft < left.length && compare(one as T, other as T) <= 0);
    merged.push((isLeft ? one : other) as T);
    if (isLeft) fromLeft += 1;
    else fromRight += 1;
  }
  return merged;
}
