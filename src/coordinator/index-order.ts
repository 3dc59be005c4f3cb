/**
 * The order of index entries: by term, then by key.
 *
 * `_int` terms are integers of any size in canonical decimal text and are ordered as numbers; all
 * other terms, and keys, are ordered bytewise.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Order } from './ordered-merge.ts';

export type IndexMatch = readonly [term: ByteString, key: ByteString];

export function indexOrder(field: ByteString): Order<IndexMatch> {
  const compareTerms = field.endsWith('_int') ? compareIntegers : compareBytes;
  return (left, right) => compareTerms(left[0], right[0]) || compareBytes(left[1], right[1]);
}

export function compareBytes(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Of canonical decimal texts: no leading zeros, no plus, no minus zero. */
export function compareIntegers(left: string, right: string): number {
  const isLeftNegative = left.startsWith('-');
  if (isLeftNegative !== right.startsWith('-')) return isLeftNegative ? -1 : 1;
  const bySize = left.length - right.length || compareBytes(left, right);
  return isLeftNegative ? -bySize : bySize;
}
