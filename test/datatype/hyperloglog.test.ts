/** HyperLogLog: the error stays within theory, small counts are exact, folding changes nothing. */

import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import {
  addElements as addElementsSliced,
  emptyRegisters,
  estimate,
  foldRegisters,
  mergeRegisters,
} from '../../src/datatype/hyperloglog.ts';
import type { Registers } from '../../src/datatype/hyperloglog.ts';
import { bs } from './replicas.ts';

function addElements(registers: Registers, names: ReturnType<typeof bs>[]): Registers {
  return runAtOnce(addElementsSliced(registers, names));
}

function elements(from: number, to: number): ReturnType<typeof bs>[] {
  return Array.from({ length: to - from }, (_, index) => bs(`element-${from + index}`));
}

t.test('the estimate is within three standard errors up to a million elements', (t) => {
  const standardError = 1.04 / Math.sqrt(2 ** 14);
  let registers = emptyRegisters(14);
  let count = 0;
  for (const next of [100, 1_000, 10_000, 40_000, 80_000, 300_000, 1_000_000]) {
    registers = addElements(registers, elements(count, next));
    count = next;
    const error = Math.abs(estimate(registers) - count) / count;
    t.ok(error < 3 * standardError, `${count}: off by ${(100 * error).toFixed(2)} %`);
  }
  t.end();
});

t.test('a few elements are counted exactly', (t) => {
  t.equal(estimate(emptyRegisters(14)), 0);
  for (const count of [1, 2, 3, 10]) {
    t.equal(estimate(addElements(emptyRegisters(14), elements(0, count))), count);
  }
  t.end();
});

t.test('a union counts what is in both once', (t) => {
  const left = addElements(emptyRegisters(12), elements(0, 6_000));
  const right = addElements(emptyRegisters(12), elements(3_000, 9_000));
  t.same(mergeRegisters(left, right), addElements(emptyRegisters(12), elements(0, 9_000)));
  t.end();
});

t.test('folding to a lower precision gives what that precision would have made', (t) => {
  const fine = addElements(emptyRegisters(14), elements(0, 5_000));
  for (const precision of [4, 8, 13]) {
    const coarse = addElements(emptyRegisters(precision), elements(0, 5_000));
    t.same(foldRegisters(fine, precision), coarse);
    t.same(mergeRegisters(fine, emptyRegisters(precision)), coarse);
  }
  t.end();
});

t.test('registers that no elements could make count as many as can be told', (t) => {
  for (const precision of [4, 14, 16]) {
    for (const rank of [65 - precision, 64 - precision]) {
      const full = emptyRegisters(precision).fill(rank);
      t.equal(estimate(full), Number.MAX_SAFE_INTEGER);
    }
  }
  t.end();
});
