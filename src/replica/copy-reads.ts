/**
 * Copies read one by one, from what is remembered of the last reads or from the store.
 *
 * A record that cannot be read is noted as damaged and treated as absent: who reads it gets nothing.
 */

import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { keyToString, type NodeId, type ObjectKey, type Partition } from '../base/names.ts';
import { spanned, type Span } from '../base/span.ts';
import { decodeRecord, isSoundRecord, sliceHead, sliceSoundHead } from '../object/record.ts';
import type { StoredObject } from '../object/stored-object.ts';
import type { CopyTrace } from '../peer/messages.ts';
import { encodeObjectKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { checkCopies, type CheckedCopies } from './copy-check.ts';
import { traceCopy } from './copy-trace.ts';
import type { DamagedCopies } from './damaged-copies.ts';
import type { RecentRecords } from './recent-records.ts';

export interface CopyReadsPorts {
  readonly store: Store;
  readonly recent: RecentRecords;
  readonly damaged: DamagedCopies;
}

/** Each method as that of `Replica`. */
export class CopyReads {
  readonly #host: Host;
  readonly #store: Store;
  readonly #recent: RecentRecords;
  readonly #damaged: DamagedCopies;

  constructor(host: Host, { store, recent, damaged }: CopyReadsPorts) {
    this.#host = host;
    this.#store = store;
    this.#recent = recent;
    this.#damaged = damaged;
  }

  async get(key: ObjectKey, partition: Partition): Promise<StoredObject | undefined> {
    const bytes = await this.#read(key, partition, false);
    if (bytes === undefined) return undefined;
    const object = decodeRecord(bytes);
    if (object === undefined) this.#damaged.note(keyToString(key));
    return object;
  }

  async getRecord(
    key: ObjectKey,
    partition: Partition,
    headOnly: boolean,
    span?: Span,
  ): Promise<Buffer | undefined> {
    const id = keyToString(key);
    const known = this.#recent.find(id, partition, headOnly);
    if (known !== undefined) {
      this.#host.metrics.count('replica_records_recalled_total');
      return headOnly ? sliceHead(known) : known;
    }
    const mark = this.#recent.mark();
    const read = this.#read(key, partition, headOnly);
    const bytes = await (span === undefined ? read : spanned(span.child('store read'), read));
    if (bytes === undefined) return undefined;
    const record = headOnly ? sliceSoundHead(bytes) : isSoundRecord(bytes) ? bytes : undefined;
    if (record === undefined) this.#damaged.note(id);
    else this.#recent.keep(id, { partition, record, isWhole: !headOnly }, mark);
    return record;
  }

  /** `hintTargets`: who may be owed the copy. */
  async trace(
    key: ObjectKey,
    partition: Partition,
    hintTargets: readonly NodeId[],
  ): Promise<CopyTrace> {
    const trace = await traceCopy(this.#store, { key, partition, hintTargets });
    if (trace.state === 'damaged') this.#damaged.note(keyToString(key));
    return trace;
  }

  async *check(partition: Partition): AsyncIterableIterator<CheckedCopies> {
    for await (const checked of checkCopies(this.#store, partition)) {
      for (const key of checked.damaged) this.#damaged.note(keyToString(key));
      yield checked;
    }
  }

  async #read(
    key: ObjectKey,
    partition: Partition,
    headOnly: boolean,
  ): Promise<Buffer | undefined> {
    const objectKey = encodeObjectKey(partition, key);
    try {
      return await (headOnly ? this.#store.getHead(objectKey) : this.#store.get(objectKey));
    } catch (error) {
      if (!isFault(error, 'store-corrupt')) throw error;
      this.#damaged.note(keyToString(key));
      return undefined;
    }
  }
}
