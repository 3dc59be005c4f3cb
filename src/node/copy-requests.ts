/**
 * Many copies at once, for a peer that compares: those it fetches, and those it delivers.
 *
 * A reply is bounded in bytes, whatever the size of the values: it holds the copies of the first keys
 * that were asked for, and of one at least. What is delivered is merged side by side, so that it
 * shares the store's writes; a record that cannot be taken keeps no other from it.
 */

import { isFault } from '../base/fault.ts';
import type { ObjectKey } from '../base/names.ts';
import type { FetchedCopy, KeyRecord } from '../peer/messages.ts';
import { isAboutObject } from '../repair/requests.ts';
import type { Placement, Replica } from '../replica/replica.ts';

export interface CopyPorts {
  readonly replica: Replica;
  /** Rejects with `peer-refused` for a key whose bucket type is unknown. */
  readonly place: (key: ObjectKey) => Placement | Promise<Placement>;
}

/** A reply ends with the copy that reaches this. */
const REPLY_BYTES = 256 * 1024;
/** Few, for each may be as large as an object can be. */
const READS_MAX = 8;

/** The copies of the first of `keys`. */
export async function fetchCopies(
  ports: CopyPorts,
  keys: readonly ObjectKey[],
  headsOnly: boolean,
): Promise<FetchedCopy[]> {
  const copies: FetchedCopy[] = [];
  let sizeBytes = 0;
  while (copies.length < keys.length) {
    const read = keys.slice(copies.length, copies.length + READS_MAX);
    const found = await Promise.all(read.map((key) => fetchCopy(ports, key, headsOnly)));
    for (const copy of found) {
      copies.push(copy);
      sizeBytes += typeof copy === 'string' ? 0 : copy.length;
      if (sizeBytes >= REPLY_BYTES) return copies;
    }
  }
  return copies;
}

async function fetchCopy(
  { place, replica }: CopyPorts,
  key: ObjectKey,
  headOnly: boolean,
): Promise<FetchedCopy> {
  const { partition } = await place(key);
  const record = await replica.getRecord(key, partition, headOnly);
  return record ?? (replica.isDamaged(key) ? 'damaged' : 'absent');
}

/** The indexes of the records that were refused; the others are durable. */
export async function takeRecords(
  { place, replica }: CopyPorts,
  records: readonly KeyRecord[],
): Promise<number[]> {
  const refused: number[] = [];
  const merges = await Promise.allSettled(
    records.map(async ({ key, record }) => {
      // Who sends it has found that it is not here.
      replica.doubt(key);
      await replica.merge(key, await place(key), record, undefined);
    }),
  );
  for (const [index, merge] of merges.entries()) {
    if (merge.status === 'fulfilled') continue;
    if (!isFault(merge.reason) || !isAboutObject(merge.reason)) throw merge.reason;
    refused.push(index);
  }
  return refused;
}
