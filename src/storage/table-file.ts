/**
 * LevelDB's tables, as far as finding what is damaged in them asks for (google/leveldb,
 * doc/table_format.md).
 *
 *   table  = data blocks, filter block, metaindex block, index block, footer 48
 *   block  = | content | 0 raw or 1 Snappy | CRC-32C of both, masked, 4 |
 *   footer = | metaindex handle | index handle | zeroes up to 40 bytes | magic 8 |
 *   index  = for each data block a key that is not below its keys, and the block's handle
 *   metaindex = for the filter block its name and its handle
 *   handle = | varint of the offset | varint of the content's size |
 *
 * LevelDB checks the CRC of no block that it merges or repairs: it sorts what it reads there, and a key
 * that comes out of order ends the process.
 */

import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { SliceBudget, runAtOnce, type Sliced } from '../base/sliced.ts';
import { crc32c } from './crc32c.ts';
import { unpackSnappy } from './snappy.ts';

export interface DataBlock {
  /** Of the index: an internal key, opaque here. */
  readonly indexKey: Buffer;
  /** With its type and its CRC, as it lies in the file: a view. */
  readonly bytes: Buffer;
  readonly isSound: boolean;
}

export interface TableContent {
  readonly blocks: readonly DataBlock[];
  /** A damaged one denies keys that are there. */
  readonly hasSoundFilter: boolean;
}

interface BlockHandle {
  readonly offset: number;
  readonly sizeBytes: number;
}

const RAW = 0;
const SNAPPY = 1;
const TRAILER_SIZE = 5;
const FOOTER_SIZE = 48;
const HANDLE_SIZE_MAX_BYTES = 20;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
/** Of an index block, unpacked: a table of 1 GiB has one of some 10 MiB. */
const INDEX_SIZE_MAX_BYTES = 64 * 1024 * 1024;
const CRC_MASK_DELTA = 0xa282ead8;
/** No entries, one restart, at 0. */
const EMPTY_BLOCK = Buffer.from('0000000001000000', 'hex');

/** The data blocks, in their order, and the rest; undefined: the footer or the index is damaged. */
export function readTable(table: Buffer): TableContent | undefined {
  return runAtOnce(readTableInSlices(table));
}

export function* readTableInSlices(table: Buffer): Sliced<TableContent | undefined> {
  const slice = new SliceBudget();
  const handles = readFooter(table);
  const index = handles && indexAt(table, handles.index);
  if (handles === undefined || index === undefined) return undefined;
  const blocks: DataBlock[] = [];
  for (const { key, handle } of index) {
    const bytes = blockBytes(table, handle);
    if (bytes === undefined) return undefined;
    blocks.push({ indexKey: key, bytes, isSound: isSound(bytes) });
    if (slice.spend(bytes.length)) yield;
  }
  return { blocks, hasSoundFilter: isFilterSound(table, handles.metaindex) };
}

/** Whether its end is there, which is written last. */
export function isFinishedTable(table: Buffer): boolean {
  return readFooter(table) !== undefined;
}

/** The first key of a data block, internal as the index's are; undefined: it cannot be read. */
export function firstKeyOf({ bytes }: DataBlock): Buffer | undefined {
  const content = unpacked(bytes);
  if (content === undefined) return undefined;
  const reader = new ByteReader(content);
  reader.varint();
  const size = reader.varint();
  reader.varint();
  const key = Buffer.from(reader.view(size));
  return reader.isSound ? key : undefined;
}

/** A table of these blocks, in their order, without a filter. */
export function writeTable(blocks: readonly DataBlock[]): Buffer {
  const parts: Buffer[] = [];
  let offset = 0;
  const append = (bytes: Buffer): BlockHandle => {
    parts.push(bytes);
    offset += bytes.length;
    const sizeBytes = bytes.length - TRAILER_SIZE;
    return { offset: offset - bytes.length, sizeBytes };
  };
  const entries = blocks.map(({ indexKey, bytes }) => ({ key: indexKey, handle: append(bytes) }));
  const metaindex = append(rawBlock(EMPTY_BLOCK));
  const index = append(rawBlock(indexContent(entries)));
  const footer = Buffer.alloc(FOOTER_SIZE);
  const handles = new ByteWriter(FOOTER_SIZE);
  writeHandle(handles, metaindex);
  writeHandle(handles, index);
  handles.written().copy(footer);
  MAGIC.copy(footer, FOOTER_SIZE - MAGIC.length);
  return Buffer.concat([...parts, footer]);
}

interface IndexEntry {
  readonly key: Buffer;
  readonly handle: BlockHandle;
}

function readFooter(
  table: Buffer,
): { readonly metaindex: BlockHandle; readonly index: BlockHandle } | undefined {
  if (table.length < FOOTER_SIZE) return undefined;
  const footer = table.subarray(table.length - FOOTER_SIZE);
  if (!footer.subarray(FOOTER_SIZE - MAGIC.length).equals(MAGIC)) return undefined;
  const reader = new ByteReader(footer);
  const handles = { metaindex: readHandle(reader), index: readHandle(reader) };
  return reader.isSound ? handles : undefined;
}

/** The entries of the index or of the metaindex; undefined: it is damaged. */
function indexAt(table: Buffer, handle: BlockHandle): IndexEntry[] | undefined {
  const bytes = blockBytes(table, handle);
  if (bytes === undefined || !isSound(bytes)) return undefined;
  const content = unpacked(bytes);
  return content && readIndex(content);
}

function isFilterSound(table: Buffer, metaindex: BlockHandle): boolean {
  const filters = indexAt(table, metaindex);
  if (filters === undefined) return false;
  return filters.every(({ handle }) => {
    const bytes = blockBytes(table, handle);
    return bytes !== undefined && isSound(bytes);
  });
}

function blockBytes(table: Buffer, { offset, sizeBytes }: BlockHandle): Buffer | undefined {
  const end = offset + sizeBytes + TRAILER_SIZE;
  return end <= table.length - FOOTER_SIZE ? table.subarray(offset, end) : undefined;
}

function isSound(block: Buffer): boolean {
  const crcOffset = block.length - 4;
  return maskedCrc(block.subarray(0, crcOffset)) === block.readUInt32LE(crcOffset);
}

/** LevelDB masks CRCs, since it may take the CRC of bytes that hold one. */
export function maskedCrc(bytes: Buffer): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + CRC_MASK_DELTA) >>> 0;
}

function unpacked(block: Buffer): Buffer | undefined {
  const content = block.subarray(0, block.length - TRAILER_SIZE);
  const type = block[content.length];
  if (type === RAW) return content;
  return type === SNAPPY ? unpackSnappy(content, INDEX_SIZE_MAX_BYTES) : undefined;
}

/**
 * `content`: entries, the offset of each restart 4, their count 4.
 * entry = | varint of the bytes shared with the key before | varint of the rest | varint of the value | rest | value |
 */
function readIndex(content: Buffer): IndexEntry[] | undefined {
  if (content.length < 4) return undefined;
  const restartCount = content.readUInt32LE(content.length - 4);
  const size = content.length - 4 - 4 * restartCount;
  if (size < 0) return undefined;
  const reader = new ByteReader(content.subarray(0, size));
  const entries: IndexEntry[] = [];
  let key = Buffer.alloc(0);
  while (reader.isSound && reader.remaining > 0) {
    const shared = reader.varint();
    const restSize = reader.varint();
    const valueSize = reader.varint();
    if (shared > key.length) return undefined;
    key = Buffer.concat([key.subarray(0, shared), reader.view(restSize)]);
    const value = new ByteReader(reader.view(valueSize));
    entries.push({ key, handle: readHandle(value) });
    if (!value.isSound) return undefined;
  }
  return reader.isSound ? entries : undefined;
}

function indexContent(entries: readonly IndexEntry[]): Buffer {
  const writer = new ByteWriter(64 * (entries.length + 1));
  const restarts = Buffer.alloc(4 * (entries.length + 1));
  for (const [position, { key, handle }] of entries.entries()) {
    restarts.writeUInt32LE(writer.size, 4 * position);
    const value = new ByteWriter(HANDLE_SIZE_MAX_BYTES);
    writeHandle(value, handle);
    writer.varint(0);
    writer.varint(key.length);
    writer.varint(value.size);
    writer.raw(key);
    writer.raw(value.written());
  }
  restarts.writeUInt32LE(entries.length, 4 * entries.length);
  writer.raw(restarts);
  return writer.written();
}

/** With its trailer. */
function rawBlock(content: Buffer): Buffer {
  const block = Buffer.concat([content, Buffer.alloc(TRAILER_SIZE)]);
  block[content.length] = RAW;
  const crcOffset = block.length - 4;
  block.writeUInt32LE(maskedCrc(block.subarray(0, crcOffset)), crcOffset);
  return block;
}

function readHandle(reader: ByteReader): BlockHandle {
  const offset = reader.varint();
  return { offset, sizeBytes: reader.varint() };
}

function writeHandle(writer: ByteWriter, { offset, sizeBytes }: BlockHandle): void {
  writer.varint(offset);
  writer.varint(sizeBytes);
}
