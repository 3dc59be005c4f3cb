/**
 * Keys as they lie in the files of a replication queue: blocks, one behind the other.
 *
 * | bytes | field                                                                |
 * | ----- | -------------------------------------------------------------------- |
 * | 4     | size of what follows the checksum, big-endian                        |
 * | 4     | its CRC-32                                                           |
 * | 1     | format, 1                                                            |
 * | –     | each key: wall time of its offer in ms (varint), size (varint), bytes |
 *
 * A block that is damaged costs its keys, and those behind it where its size is not believable any more.
 */

import { crc32 } from 'node:zlib';
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { ByteString } from '../base/bytes.ts';

export interface SpooledKey {
  readonly id: ByteString;
  /** By the wall: it outlives the process. */
  readonly offeredAtMs: number;
}

export interface SpoolContents {
  readonly keys: readonly SpooledKey[];
  /** Bytes that could not be read. */
  readonly damagedBytes: number;
}

const HEADER_BYTES = 8;
const FORMAT = 1;
const KEY_OVERHEAD_BYTES = 16;

/** What a key takes in a block at most. */
export function spooledBytes(id: ByteString): number {
  return id.length + KEY_OVERHEAD_BYTES;
}

export function encodeBlock(keys: readonly SpooledKey[]): Buffer {
  const size = keys.reduce((sum, { id }) => sum + spooledBytes(id), HEADER_BYTES + 1);
  const writer = new ByteWriter(size);
  writer.u32(0);
  writer.u32(0);
  writer.u8(FORMAT);
  for (const { id, offeredAtMs } of keys) {
    writer.varint(offeredAtMs);
    writer.varint(id.length);
    writer.byteString(id);
  }
  writer.u32At(0, writer.size - HEADER_BYTES);
  writer.u32At(4, crc32(writer.written().subarray(HEADER_BYTES)));
  return writer.written();
}

export function decodeBlocks(file: Buffer): SpoolContents {
  const keys: SpooledKey[] = [];
  let damagedBytes = 0;
  let offset = 0;
  while (offset < file.length) {
    const left = file.length - offset;
    const size = left < HEADER_BYTES ? 0 : file.readUInt32BE(offset);
    if (size === 0 || size > left - HEADER_BYTES)
      return { keys, damagedBytes: damagedBytes + left };
    const payload = file.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + size);
    const isSound = crc32(payload) === file.readUInt32BE(offset + 4) && addKeys(payload, keys);
    if (!isSound) damagedBytes += HEADER_BYTES + size;
    offset += HEADER_BYTES + size;
  }
  return { keys, damagedBytes };
}

/** False: a later release has written it, or nobody. */
function addKeys(payload: Buffer, keys: SpooledKey[]): boolean {
  const reader = new ByteReader(payload);
  if (reader.u8() !== FORMAT) return false;
  const added: SpooledKey[] = [];
  while (reader.remaining > 0 && reader.isSound) {
    const offeredAtMs = reader.varint();
    added.push({ id: reader.byteString(reader.varint()), offeredAtMs });
  }
  if (!reader.isSound) return false;
  for (const key of added) keys.push(key);
  return true;
}
