/**
 * Which tables are LevelDB's, from its manifest (google/leveldb, doc/impl.md and doc/log_format.md).
 *
 *   manifest = blocks of 32 KiB, the last one shorter
 *   block    = records, and less than 7 bytes that mean nothing
 *   record   = | CRC-32C of the rest but the size, masked, 4 | size 2 | 1 whole, 2 first, 3 middle, 4 last | piece |
 *   pieces together = changes, each a varint of its kind and its fields
 *
 * Numbers are little-endian. A table is named here when all of it is on the disk, and no more when it has been
 * merged away; LevelDB goes on writing the file while it runs, so its last record may be cut short.
 */

import { ByteReader } from '../base/byte-reader.ts';
import { maskedCrc } from './table-file.ts';

export const MANIFEST_BLOCK_SIZE = 32 * 1024;

const HEADER_SIZE = 7;
const CRC_SIZE = 4;
const [WHOLE, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** Kinds of changes. */
const COMPARATOR = 1;
const LOG_NUMBER = 2;
const NEXT_NUMBER = 3;
const LAST_SEQUENCE = 4;
const MERGED_UP_TO = 5;
const TABLE_REMOVED = 6;
const TABLE_ADDED = 7;
const LOG_NUMBER_BEFORE = 9;

/** Reads a manifest block by block, and goes on when it has grown. */
export class ManifestReader {
  readonly #tables = new Set<number>();
  #pieces: Buffer[] = [];
  #position = 0;

  /** The numbers of the tables, after what was taken. */
  get tables(): ReadonlySet<number> {
    return this.#tables;
  }

  /** Where the block begins that is to be taken next. */
  get blockStart(): number {
    return this.#position - (this.#position % MANIFEST_BLOCK_SIZE);
  }

  /**
   * The block from there on; a shorter one is the end so far. What was taken of it before is passed over.
   * False: it is damaged, or none that is known here.
   */
  take(block: Buffer): boolean {
    const isWhole = block.length === MANIFEST_BLOCK_SIZE;
    const start = this.blockStart;
    let offset = this.#position - start;
    while (block.length - offset >= HEADER_SIZE) {
      const end = offset + HEADER_SIZE + block.readUInt16LE(offset + CRC_SIZE);
      if (end > block.length) return !isWhole;
      const record = block.subarray(offset, end);
      if (!this.#takeRecord(record)) return false;
      offset = end;
      this.#position = start + offset;
    }
    if (isWhole) this.#position = start + MANIFEST_BLOCK_SIZE;
    return true;
  }

  #takeRecord(record: Buffer): boolean {
    const covered = record.subarray(HEADER_SIZE - 1);
    if (maskedCrc(covered) !== record.readUInt32LE(0)) return false;
    const kind = covered[0];
    const isBegun = this.#pieces.length > 0;
    if (isBegun !== (kind === MIDDLE || kind === LAST)) return false;
    this.#pieces.push(Buffer.from(covered.subarray(1)));
    if (kind === FIRST || kind === MIDDLE) return true;
    const changes = new ByteReader(Buffer.concat(this.#pieces));
    this.#pieces = [];
    return (kind === WHOLE || kind === LAST) && this.#apply(changes);
  }

  #apply(reader: ByteReader): boolean {
    while (reader.isSound && reader.remaining > 0) {
      if (!this.#applyOne(reader.varint(), reader)) return false;
    }
    return reader.isSound;
  }

  #applyOne(kind: number, reader: ByteReader): boolean {
    switch (kind) {
      case COMPARATOR:
        passName(reader);
        return true;
      case LOG_NUMBER:
      case LOG_NUMBER_BEFORE:
      case NEXT_NUMBER:
      case LAST_SEQUENCE:
        reader.varint();
        return true;
      case MERGED_UP_TO:
        reader.varint();
        passName(reader);
        return true;
      case TABLE_REMOVED:
        reader.varint();
        this.#tables.delete(reader.varint());
        return true;
      case TABLE_ADDED:
        reader.varint();
        this.#tables.add(reader.varint());
        reader.varint();
        passName(reader);
        passName(reader);
        return true;
      default:
        return false;
    }
  }
}

/** A key or a name, behind its size. */
function passName(reader: ByteReader): void {
  reader.view(reader.varint());
}
