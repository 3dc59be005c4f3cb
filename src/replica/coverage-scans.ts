/**
 * Coverage scans: the names and index entries of some of this node's partitions, in order.
 *
 * Keys lie by partition first, so names from several partitions are merged as they are read; index
 * entries of all partitions lie together, and those of partitions that were not asked for are
 * passed over. Names are read by one short scan for each batch, so that a slow reader keeps no snapshot of
 * the store; index terms by one long scan. Memory is one batch for each partition, and no value is ever
 * read.
 */

import type { ByteString } from '../base/bytes.ts';
import { LAST_KEY, type Partition } from '../base/names.ts';
import type { IndexMatch } from '../object/index-entries.ts';
import { termCodec } from './index-order.ts';
import type { CoverageShare, IndexScan } from '../peer/messages.ts';
import {
  afterBucket,
  bucketRange,
  decodeIndexKeyTail,
  decodeObjectKey,
  indexRange,
  keyAfter,
  objectKeyRange,
  typeRange,
} from '../storage/keys.ts';
import type { BucketName, KeyRange } from '../storage/keys.ts';
import type { ScanEntry, Store } from '../storage/store.ts';
import { mergeInOrder } from './ordered-merge.ts';

const BATCH_COUNT = 256;
/** Of a partition's first batch: most buckets have few keys there, and room is made for all that is asked for. */
const FIRST_COUNT = 16;
const BATCH_BYTES = 256 * 1024;

/** The buckets of a type that hold a key, in order. One seek for each bucket of each partition. */
export async function* scanBuckets(
  store: Store,
  share: CoverageShare,
  type: ByteString,
): AsyncIterableIterator<ByteString[]> {
  const sources = share.partitions.map((partition) => bucketsOf(store, partition, type));
  let previous: ByteString | undefined;
  for await (const batch of mergeInOrder(sources, BATCH_COUNT)) {
    const names: ByteString[] = [];
    for (const bucket of batch) {
      if (bucket !== previous) names.push(bucket);
      previous = bucket;
    }
    if (names.length > 0) yield names;
  }
}

/** The keys of a bucket, in order. */
export async function* scanKeys(
  store: Store,
  share: CoverageShare,
  name: BucketName,
): AsyncIterableIterator<ByteString[]> {
  const sources = share.partitions.map((partition) => keysIn(store, bucketRange(partition, name)));
  yield* mergeInOrder(sources, BATCH_COUNT);
}

/** Index entries in (term, key) order; `$key` and `$bucket` are read from the keys themselves. */
export function scanIndex(
  store: Store,
  share: CoverageShare,
  scan: IndexScan,
): AsyncIterableIterator<IndexMatch[]> {
  if (scan.field === '$key') return scanKeyIndex(store, share, scan);
  if (scan.field === '$bucket') return scanBucketIndex(store, share, scan);
  return scanTerms(store, share, scan);
}

async function* scanTerms(
  store: Store,
  share: CoverageShare,
  scan: IndexScan,
): AsyncIterableIterator<IndexMatch[]> {
  const partitions = new Set<number>(share.partitions);
  const { encode, decode } = termCodec(scan.field);
  const terms = {
    first: encode(scan.from),
    last: encode(scan.to),
    ...(scan.after && { after: { term: encode(scan.after.term), key: scan.after.key } }),
  };
  const { from, to, prefixSize } = indexRange(scan, terms);
  let left = scan.limit ?? Infinity;
  if (left <= 0 || Buffer.compare(from, to) >= 0) return;
  for await (const batch of store.scan({ from, to, keysOnly: true })) {
    const entries: IndexMatch[] = [];
    for (const { key } of batch) {
      const match = decodeIndexKeyTail(key, prefixSize);
      if (!partitions.has(match.partition)) continue;
      entries.push([decode(match.term), match.key]);
      left -= 1;
      if (left === 0) break;
    }
    if (entries.length > 0) yield entries;
    if (left === 0) return;
  }
}

/** Terms are the keys themselves. */
async function* scanKeyIndex(
  store: Store,
  share: CoverageShare,
  scan: IndexScan,
): AsyncIterableIterator<IndexMatch[]> {
  const { from, to, after, limit } = scan;
  for await (const keys of keysBetween(store, share, scan, {
    from,
    to,
    after: after?.key,
    limit,
  })) {
    yield keys.map((key) => [key, key] as const);
  }
}

/** Every key of the bucket has the bucket's name as its term; the range asked for means nothing. */
async function* scanBucketIndex(
  store: Store,
  share: CoverageShare,
  scan: IndexScan,
): AsyncIterableIterator<IndexMatch[]> {
  const { bucket, after, limit } = scan;
  const all = { from: '' as ByteString, to: LAST_KEY, after: after?.key, limit };
  for await (const keys of keysBetween(store, share, scan, all)) {
    yield keys.map((key) => [bucket, key] as const);
  }
}

async function* keysBetween(
  store: Store,
  share: CoverageShare,
  name: BucketName,
  keys: {
    readonly from: ByteString;
    readonly to: ByteString;
    readonly after: ByteString | undefined;
    readonly limit: number | undefined;
  },
): AsyncIterableIterator<ByteString[]> {
  const { after } = keys;
  const first = after === undefined || after < keys.from ? keys.from : after;
  let left = keys.limit ?? Infinity;
  if (left <= 0 || first > keys.to) return;
  const sources = share.partitions.map((partition) =>
    keysIn(store, objectKeyRange(partition, name, { first, last: keys.to })),
  );
  for await (const batch of mergeInOrder(sources, BATCH_COUNT)) {
    const names = batch.filter((key) => key !== after).slice(0, left);
    left -= names.length;
    if (names.length > 0) yield names;
    if (left === 0) return;
  }
}

/** Batch by batch, each a scan of its own, and each larger than the one before. */
async function* keysIn(store: Store, { from, to }: KeyRange): AsyncGenerator<ByteString[]> {
  for (let limit = FIRST_COUNT; ; limit = Math.min(4 * limit, BATCH_COUNT)) {
    const keys: ByteString[] = [];
    let sizeBytes = 0;
    for await (const batch of store.scan({ from, to, limit, keysOnly: true })) {
      for (const { key } of batch) {
        keys.push(decodeObjectKey(key).key.key);
        sizeBytes += key.length;
      }
      from = keyAfter((batch.at(-1) as ScanEntry).key);
      if (sizeBytes >= BATCH_BYTES) break;
    }
    if (keys.length > 0) yield keys;
    if (keys.length < limit && sizeBytes < BATCH_BYTES) return;
  }
}

async function* bucketsOf(
  store: Store,
  partition: Partition,
  type: ByteString,
): AsyncGenerator<ByteString[]> {
  const range = typeRange(partition, type);
  let { from } = range;
  for (;;) {
    let bucket: ByteString | undefined;
    for await (const batch of store.scan({ from, to: range.to, limit: 1, keysOnly: true })) {
      const entry = batch[0];
      if (entry !== undefined) bucket = decodeObjectKey(entry.key).key.bucket;
    }
    if (bucket === undefined) return;
    yield [bucket];
    from = afterBucket(partition, { type, bucket });
  }
}
