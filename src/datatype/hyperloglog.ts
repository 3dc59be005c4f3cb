/**
 * HyperLogLog: how many different elements were added, in a few kilobytes.
 *
 * Each element's hash picks one of 2^precision registers and offers the position of the first one
 * bit of the rest; a register keeps the highest offer. Merging takes the higher of each pair, so any
 * order and any repetition of merges gives the same registers. The standard error is 1.04 / sqrt(2^p).
 *
 * Source: Flajolet, Fusy, Gandouet and Meunier 2007, "HyperLogLog"; the estimator is Ertl's 2017
 * ("New cardinality estimation algorithms for HyperLogLog sketches"), unbiased over the whole range
 * without tables.
 */

import { hash } from 'node:crypto';
import { byteStringToBytes, type ByteString } from '../base/bytes.ts';
import { SliceBudget, type Sliced } from '../base/sliced.ts';

export const HLL_PRECISION_MIN = 4;
export const HLL_PRECISION_MAX = 16;

/** A hash takes as long as walking over so much. */
const HASH_COST_BYTES = 256;

/** Registers, 2^precision of them, each 0 to 65 - precision. */
export type Registers = Uint8Array;

export function emptyRegisters(precision: number): Registers {
  return new Uint8Array(2 ** precision);
}

export function precisionOf(registers: Registers): number {
  return 31 - Math.clz32(registers.length);
}

/** The registers after these elements were added too; the argument is left as it is. */
export function* addElements(
  registers: Registers,
  elements: readonly ByteString[],
): Sliced<Registers> {
  const next = Uint8Array.from(registers);
  const precision = precisionOf(registers);
  const slice = new SliceBudget();
  for (const element of elements) {
    const digest = hash('sha1', byteStringToBytes(element), 'buffer');
    const high = digest.readUInt32BE(0);
    const index = high >>> (32 - precision);
    const rank = rankOf((high << precision) >>> 0, digest.readUInt32BE(4), 32 - precision);
    if (rank > (next[index] as number)) next[index] = rank;
    if (slice.spend(HASH_COST_BYTES + element.length)) yield;
  }
  return next;
}

/**
 * The higher of each pair. Of sketches of different precision the finer one is folded first: the
 * dropped index bits become the leading bits of the rest.
 */
export function mergeRegisters(left: Registers, right: Registers): Registers {
  const precision = Math.min(precisionOf(left), precisionOf(right));
  const merged = Uint8Array.from(foldRegisters(left, precision));
  const other = foldRegisters(right, precision);
  for (let index = 0; index < merged.length; index += 1) {
    if ((other[index] as number) > (merged[index] as number))
      merged[index] = other[index] as number;
  }
  return merged;
}

/** The sketch as a lower precision would have made it. */
export function foldRegisters(registers: Registers, precision: number): Registers {
  const dropped = precisionOf(registers) - precision;
  if (dropped <= 0) return registers;
  const folded = emptyRegisters(precision);
  for (let index = 0; index < registers.length; index += 1) {
    const offer = registers[index] as number;
    if (offer === 0) continue;
    const rest = index & (2 ** dropped - 1);
    const rank = rest === 0 ? offer + dropped : Math.clz32(rest) - (32 - dropped) + 1;
    const target = index >>> dropped;
    if (rank > (folded[target] as number)) folded[target] = rank;
  }
  return folded;
}

/** The estimated count, rounded; a safe integer, also of registers that no elements could make. */
export function estimate(registers: Registers): number {
  const count = registers.length;
  const rankMax = 64 - precisionOf(registers);
  const histogram = Array.from({ length: rankMax + 2 }, () => 0);
  for (const rank of registers) histogram[rank] = (histogram[rank] as number) + 1;
  let sum = count * tau(1 - (histogram[rankMax + 1] as number) / count);
  for (let rank = rankMax; rank >= 1; rank -= 1) sum = 0.5 * (sum + (histogram[rank] as number));
  sum += count * sigma((histogram[0] as number) / count);
  const estimated = Math.round((count * count) / (2 * Math.LN2 * sum));
  return Math.min(estimated, Number.MAX_SAFE_INTEGER);
}

/** Position of the first one bit in `high` (its top `highBits` bits) and then `low`, from 1. */
function rankOf(high: number, low: number, highBits: number): number {
  if (high !== 0) return Math.clz32(high) + 1;
  return highBits + Math.clz32(low) + 1;
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let power = x;
  let weight = 1;
  let sum = x;
  for (;;) {
    power *= power;
    const next = sum + power * weight;
    if (next === sum) return sum;
    sum = next;
    weight += weight;
  }
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let power = x;
  let weight = 1;
  let sum = 1 - x;
  for (;;) {
    power = Math.sqrt(power);
    weight *= 0.5;
    const next = sum - (1 - power) ** 2 * weight;
    if (next === sum) return sum / 3;
    sum = next;
  }
}
