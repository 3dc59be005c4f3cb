/**
 * The paths of folds: which question, about which bucket.
 */

import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import type { ByteString } from '../../base/bytes.ts';

interface FoldBucket {
  readonly type: ByteString;
  readonly bucket: ByteString;
}

export type FoldPath =
  | { readonly kind: 'siblings' | 'sizes'; readonly on: FoldBucket; readonly above: ByteString }
  | {
      readonly kind: 'statistics' | 'tombstones' | 'reap' | 'erase' | 'repair' | 'contexts';
      readonly on: FoldBucket;
    }
  | { readonly kind: 'tree'; readonly on: FoldBucket; readonly size: ByteString }
  | { readonly kind: 'replication'; readonly on: FoldBucket; readonly queue: ByteString }
  | { readonly kind: 'buckets' }
  | { readonly kind: 'root' | 'branch' | 'keysclocks'; readonly nVal: ByteString };

const BY_FIRST = {
  objectstats: 'statistics',
  tombs: 'tombstones',
  reap: 'reap',
  erase: 'erase',
  rangerepair: 'repair',
} as const;

/** Undefined: no fold is there. */
export function parseFoldPath(names: readonly ByteString[]): FoldPath | undefined {
  const first: string | undefined = names[0];
  if (first === 'aaebucketlist') return names.length === 1 ? { kind: 'buckets' } : undefined;
  if (first === 'cachedtrees') return keptTreePath(names);
  const place = placeOf(names);
  if (first === undefined || place === undefined) return undefined;
  const { on, rest } = place;
  const [what, value] = rest;
  if (isPlain(first)) return rest.length === 0 ? { kind: BY_FIRST[first], on } : undefined;
  if (first === 'rangetrees' && what === 'keysclocks' && rest.length === 1) {
    return { kind: 'contexts', on };
  }
  if (value === undefined || rest.length !== 2) return undefined;
  switch (`${first} ${what}`) {
    case 'siblings counts':
      return { kind: 'siblings', on, above: value };
    case 'objectsizes sizes':
      return { kind: 'sizes', on, above: value };
    case 'rangetrees trees':
      return { kind: 'tree', on, size: value };
    case 'rangerepl queuename':
      return { kind: 'replication', on, queue: value };
    default:
      return undefined;
  }
}

function isPlain(name: string): name is keyof typeof BY_FIRST {
  return Object.hasOwn(BY_FIRST, name);
}

/** `/cachedtrees/nvals/N/root`, `…/branch`, `…/keysclocks`. */
function keptTreePath(names: readonly ByteString[]): FoldPath | undefined {
  const [, nVals, nVal] = names;
  const kind: string | undefined = names[3];
  if (nVals !== 'nvals' || nVal === undefined || names.length !== 4) return undefined;
  return kind === 'root' || kind === 'branch' || kind === 'keysclocks' ? { kind, nVal } : undefined;
}

/** What follows the first name: `/types/T/buckets/B/…` or `/buckets/B/…`. */
function placeOf(
  names: readonly ByteString[],
): { readonly on: FoldBucket; readonly rest: readonly ByteString[] } | undefined {
  const isTyped = names[1] === 'types';
  const type = isTyped ? names[2] : DEFAULT_BUCKET_TYPE;
  const [buckets, bucket, ...rest] = names.slice(isTyped ? 3 : 1);
  if (buckets !== 'buckets' || bucket === undefined || type === undefined) return undefined;
  return { on: { type, bucket }, rest };
}
