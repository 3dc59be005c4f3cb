/**
 * Long lists in slices. Sorting 200,000 names holds the event loop for a quarter of a second, and only going
 * over them for tens of milliseconds; some thousand take a millisecond or two.
 */

import type { Sliced } from './sliced.ts';

/** Items that are sorted, merged or looked at in one slice. */
const SLICE_COUNT = 8_192;

/**
 * In order, by runs that are merged two by two; equal items stay as they are to each other. Neither reads
 * nor keeps `items` afterwards.
 */
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

/** Of neighbours that are the same the first. `sorted` must not change meanwhile. */
export function* distinctInSlices<T>(
  sorted: readonly T[],
  areSame: (left: T, right: T) => boolean,
): Sliced<T[]> {
  const distinct: T[] = [];
  for (const [index, item] of sorted.entries()) {
    if (index > 0 && index % SLICE_COUNT === 0) yield;
    if (index === 0 || !areSame(sorted[index - 1] as T, item)) distinct.push(item);
  }
  return distinct;
}

/** What `change` makes of each item until it makes undefined of one: then undefined. */
export function* mapInSlices<T, R>(
  items: readonly T[],
  change: (item: T) => R | undefined,
): Sliced<R[] | undefined> {
  const changed: R[] = [];
  for (const item of items) {
    if (changed.length > 0 && changed.length % SLICE_COUNT === 0) yield;
    const made = change(item);
    if (made === undefined) return undefined;
    changed.push(made);
  }
  return changed;
}
