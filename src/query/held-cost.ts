/**
 * What it costs to hold a key or a match in memory, roughly: its bytes and the place it is kept in.
 */

import type { ByteString } from '../base/bytes.ts';

const PLACE_BYTES = 96;

export function keyCostBytes(key: ByteString): number {
  return PLACE_BYTES + key.length;
}

export function pairCostBytes(term: ByteString, key: ByteString): number {
  return 2 * PLACE_BYTES + term.length + key.length;
}
