/**
 * Comparators as functions. Values of different kinds compare as neither equal nor unequal.
 */

import { compareValues } from './value.ts';
import type { Comparator } from './tokens.ts';
import type { Value } from './value.ts';

export type Comparison = (left: Value, right: Value) => boolean;

const COMPARISONS: Readonly<Record<Comparator, Comparison>> = {
  '=': (left, right) => compareValues(left, right) === 0,
  '<>': (left, right) => (compareValues(left, right) ?? 0) !== 0,
  '<': (left, right) => (compareValues(left, right) ?? 0) < 0,
  '<=': (left, right) => (compareValues(left, right) ?? 1) <= 0,
  '>': (left, right) => (compareValues(left, right) ?? 0) > 0,
  '>=': (left, right) => (compareValues(left, right) ?? -1) >= 0,
};

export function compareFunction(comparator: Comparator): Comparison {
  return COMPARISONS[comparator];
}
