/**
 * The records that were read last, for the next read of such a key: a lookup in LevelDB and the check
 * of what it gave were a tenth of a node's work under reads.
 *
 * A record is what the store holds durably and was sound when it was read. The write path, which is
 * the only writer of copies, says when one has changed; so a read that was on its way meanwhile must
 * not bring back what it found: it shows the mark that it took when it began.
 *
 * Texts and not buffers, of which each small one would keep a whole slab in memory. Bounded in bytes;
 * the oldest goes first, but one that was used has a second chance (Corbató 1968), so that a hit
 * costs no more than a lookup.
 */

import { AgedMap } from '../base/aged-map.ts';
import { byteStringToBytes, bytesToByteString, type ByteString } from '../base/bytes.ts';
import { assert } from '../base/fault.ts';
import type { Partition } from '../base/names.ts';

export interface RecentRecordsOptions {
  /** Of all that is kept. */
  readonly bytesMax: number;
  /** A larger record is not kept. */
  readonly recordMaxBytes: number;
}

/** When a read began, told in writes. */
export type ReadMark = number & { readonly __readMark: unique symbol };

interface Kept {
  readonly partition: Partition;
  readonly record: ByteString;
  /** Or its head alone. */
  readonly isWhole: boolean;
  /** Since it came, or had its last chance. */
  isUsed: boolean;
}

/** What an entry takes beside its texts. */
const OVERHEAD_BYTES = 150;
/** For one that comes in; then the oldest goes, used or not. */
const SECOND_CHANCES_MAX = 8;

export class RecentRecords {
  readonly #options: RecentRecordsOptions;
  /** The oldest: who came, or had a second chance, the longest ago. */
  readonly #records = new AgedMap<ByteString, Kept>();
  #sizeBytes = 0;
  #writeCount = 0;

  constructor(options: RecentRecordsOptions) {
    this.#options = options;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Taken before a read of the store; without it what was read is not kept. */
  mark(): ReadMark {
    return this.#writeCount as ReadMark;
  }

  /** The record of a key's copy, or at least its head. */
  find(id: ByteString, partition: Partition, headOnly: boolean): Buffer | undefined {
    const kept = this.#records.get(id);
    if (kept === undefined || kept.partition !== partition) return undefined;
    if (!kept.isWhole && !headOnly) return undefined;
    kept.isUsed = true;
    return byteStringToBytes(kept.record);
  }

  /** Keeps what a read of the store found, if no copy has changed since. */
  keep(
    id: ByteString,
    found: { readonly partition: Partition; readonly record: Buffer; readonly isWhole: boolean },
    mark: ReadMark,
  ): void {
    if (mark !== this.#writeCount || !this.#fits(found.record)) return;
    const before = this.#records.get(id);
    if (before?.isWhole === true && !found.isWhole) return;
    const { partition, isWhole } = found;
    this.#set(id, {
      partition,
      record: bytesToByteString(found.record),
      isWhole,
      isUsed: before?.isUsed ?? false,
    });
  }

  /** A key's copy has changed, durably; `record` undefined: it is gone, or nobody knows what it is. */
  changed(id: ByteString, record: Buffer | undefined): void {
    this.#writeCount += 1;
    const before = this.#records.get(id);
    if (before === undefined) return;
    if (record === undefined || !this.#fits(record)) this.forget(id);
    else {
      const { partition, isUsed } = before;
      this.#set(id, { partition, record: bytesToByteString(record), isWhole: true, isUsed });
    }
  }

  forget(id: ByteString): void {
    const kept = this.#records.get(id);
    if (kept === undefined) return;
    this.#records.delete(id);
    this.#sizeBytes -= sizeOf(id, kept);
  }

  #fits(record: Buffer): boolean {
    return record.length <= this.#options.recordMaxBytes;
  }

  #set(id: ByteString, kept: Kept): void {
    this.forget(id);
    this.#records.set(id, kept);
    this.#sizeBytes += sizeOf(id, kept);
    this.#makeRoom(id);
  }

  /** Lets go of others first. */
  #makeRoom(newest: ByteString): void {
    let chances = SECOND_CHANCES_MAX;
    while (this.#sizeBytes > this.#options.bytesMax) {
      const oldest = this.#records.oldest();
      assert(oldest !== undefined, 'what takes room is kept');
      const { key: id, value: kept } = oldest;
      const isLast = this.#records.size === 1;
      if (!isLast && (id === newest || (kept.isUsed && chances > 0))) {
        chances -= 1;
        kept.isUsed = false;
        this.#records.set(id, kept);
      } else this.forget(id);
    }
  }
}

function sizeOf(id: ByteString, { record }: Kept): number {
  return id.length + record.length + OVERHEAD_BYTES;
}
