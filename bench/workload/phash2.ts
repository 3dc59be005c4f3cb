/**
 * Erlang's `phash2` of a small whole number, by which basho_bench skews the order of its keys.
 *
 * The number is mixed once by Bob Jenkins' hash of 1996 and cut to 27 bits.
 */

const GOLDEN = 0x9e3779b9;
const RESULT_BITS = 27;

/** 0 <= value < 2^27; so is the result. */
export function phash2(value: number): number {
  let a = (GOLDEN + value) | 0;
  let b = GOLDEN | 0;
  let c = 0;
  a = (a - b - c) ^ (c >>> 13);
  b = (b - c - a) ^ (a << 8);
  c = (c - a - b) ^ (b >>> 13);
  a = (a - b - c) ^ (c >>> 12);
  b = (b - c - a) ^ (a << 16);
  c = (c - a - b) ^ (b >>> 5);
  a = (a - b - c) ^ (c >>> 3);
  b = (b - c - a) ^ (a << 10);
  c = (c - a - b) ^ (b >>> 15);
  return (c >>> 0) % 2 ** RESULT_BITS;
}
