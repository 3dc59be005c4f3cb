/**
 * A walk over all keys of the types and buckets that are asked for, a page at a time.
 *
 * Pages come from the `$bucket` index, in the order of the keys: nothing is held but one page and the
 * one after it, and the walk can go on where it was broken off. A cluster whose backend has no
 * indexes lists its keys as a stream in no order, at the pace at which they are taken.
 */

import { byteStringToBytes, bytesToByteString } from '../base/bytes.ts';
import type { ByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { DatatypeName } from '../datatype/operation.ts';
import type { PartialProperties } from '../object/bucket-properties.ts';
import type { ClusterEnd } from './cluster-end.ts';

export interface Scope {
  /** Sorted. */
  readonly types: readonly ByteString[];
  /** Sorted; undefined: all that hold keys. */
  readonly buckets: readonly ByteString[] | undefined;
}

/** A bucket, as one end has it. */
export interface Place {
  readonly type: ByteString;
  readonly bucket: ByteString;
  readonly datatype: DatatypeName | undefined;
  readonly properties: PartialProperties;
}

/** Where a walk goes on: within a bucket, or behind it. */
export interface Cursor {
  readonly type: ByteString;
  readonly bucket: ByteString;
  /** Undefined: the bucket has no more. */
  readonly continuation: Buffer | undefined;
}

export interface Page {
  readonly place: Place;
  readonly keys: readonly ByteString[];
  /** Behind this page; undefined: its pages are in no order. */
  readonly next: Cursor | undefined;
  readonly isOrdered: boolean;
}

/** Names of buckets are held: beyond this they are to be asked for. */
const BUCKETS_MAX = 1_000_000;

export function scopeOf(
  types: readonly ByteString[],
  buckets: readonly ByteString[] | undefined,
): Scope {
  return { types: sorted(types), buckets: buckets && sorted(buckets) };
}

/** The same text for the same scope. */
export function scopeText({ types, buckets }: Scope): string {
  return JSON.stringify([types, buckets ?? null]);
}

/** A cursor as JSON may hold it. */
export type CursorText = { readonly [name in keyof Cursor]?: string };

export function cursorToText({ type, bucket, continuation }: Cursor): CursorText {
  return {
    type: byteStringToBytes(type).toString('base64'),
    bucket: byteStringToBytes(bucket).toString('base64'),
    ...(continuation !== undefined && { continuation: continuation.toString('base64') }),
  };
}

export function textToCursor({ type = '', bucket = '', continuation }: CursorText): Cursor {
  const name = (text: string): ByteString => bytesToByteString(Buffer.from(text, 'base64'));
  return {
    type: name(type),
    bucket: name(bucket),
    continuation: continuation === undefined ? undefined : Buffer.from(continuation, 'base64'),
  };
}

export interface WalkOptions {
  readonly from?: Cursor | undefined;
  /** Listings of a bucket without indexes, as long as they are cut off. Default 1: no key comes twice. */
  readonly listingsMax?: number;
}

export async function* walk(
  end: ClusterEnd,
  scope: Scope,
  { from, listingsMax = 1 }: WalkOptions = {},
): AsyncGenerator<Page> {
  for (const type of scope.types) {
    if (from !== undefined && type < from.type) continue;
    const isFirst = type === from?.type;
    for (const bucket of scope.buckets ?? (await bucketsOf(end, type))) {
      if (isFirst && bucket < from.bucket) continue;
      const continuation = isFirst && bucket === from.bucket ? from.continuation : undefined;
      if (isFirst && bucket === from.bucket && continuation === undefined) continue;
      yield* pagesOf(end, await end.place(type, bucket), { continuation, listingsMax });
    }
  }
}

/** As the pages come, with the next one already asked for. */
export async function* ahead(pages: AsyncGenerator<Page>): AsyncGenerator<Page> {
  let upcoming = pages.next();
  try {
    for (;;) {
      const { value, done } = await upcoming;
      if (done === true) return;
      upcoming = pages.next();
      // A failure is met when its turn comes.
      upcoming.catch(() => undefined);
      yield value;
    }
  } finally {
    await pages.return(undefined);
  }
}

/** Names in ascending order. */
export function bucketsOf(end: ClusterEnd, type: ByteString): Promise<readonly ByteString[]> {
  return end.patience.with(() => collectBuckets(end, type));
}

async function collectBuckets(end: ClusterEnd, type: ByteString): Promise<readonly ByteString[]> {
  const names = new Set<ByteString>();
  for await (const batch of end.listBuckets(type)) {
    for (const name of batch) names.add(name);
    if (names.size > BUCKETS_MAX) {
      throw new Fault('overload', `more than ${BUCKETS_MAX} buckets: name some with --bucket`);
    }
  }
  return [...names].sort();
}

async function* pagesOf(
  end: ClusterEnd,
  place: Place,
  start: { readonly continuation: Buffer | undefined; readonly listingsMax: number },
): AsyncGenerator<Page> {
  const { type, bucket } = place;
  let { continuation } = start;
  try {
    do {
      const page = await end.keysPage(type, bucket, continuation);
      continuation = page.continuation;
      const next = { type, bucket, continuation };
      yield { place, keys: page.keys, next, isOrdered: true };
    } while (continuation !== undefined);
  } catch (error) {
    if (continuation !== undefined || !isUnindexed(error)) throw error;
    for await (const keys of end.listKeys(type, bucket, start.listingsMax)) {
      yield { place, keys, next: undefined, isOrdered: false };
    }
    const next = { type, bucket, continuation: undefined };
    yield { place, keys: [], next, isOrdered: false };
  }
}

function isUnindexed(error: unknown): boolean {
  return isFault(error, 'peer-refused') && error.message.includes('indexes_not_supported');
}

function sorted(names: readonly ByteString[]): readonly ByteString[] {
  return [...new Set(names)].sort();
}
