/**
 * Values of attributes: what an evaluation makes of an index term.
 *
 * A value is a string (bytes), an integer of any size, or a list of strings; undefined stands for an
 * attribute that the entry does not have. Integers that a double holds exactly are numbers, all others
 * bigints, so that equal integers are `===`.
 */

import type { ByteString } from '../base/bytes.ts';

export type Integer = number | bigint;
export type Scalar = ByteString | Integer;
export type Value = Scalar | readonly ByteString[] | undefined;

export function canonicalInteger(value: bigint): Integer {
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : value;
}

export function isInteger(value: Value): value is Integer {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Negative, 0 or positive; undefined where the two are not both strings or both integers. */
export function compareValues(left: Value, right: Value): number | undefined {
  if (typeof left === 'string') {
    if (typeof right !== 'string') return undefined;
    // Bytewise, since each character is one byte.
    if (left === right) return 0;
    return left < right ? -1 : 1;
  }
  if (!isInteger(left) || !isInteger(right)) return undefined;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** The text by which a value groups or is shown: strings as they are, integers in decimal. */
export function valueToText(value: Value): ByteString | undefined {
  if (typeof value === 'string') return value;
  return isInteger(value) ? (String(value) as ByteString) : undefined;
}
