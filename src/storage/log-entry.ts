/**
 * One entry of a value-log segment: a body, and whose it is.
 *
 *   entry = | CRC-32 of the next three and the key 4 | CRC-32 of the body 4 | key size 4 | body size 4 | key | body |
 *
 * Numbers are big-endian. Entries follow each other without a gap. The first CRC makes it safe to step
 * from entry to entry: sizes are trusted only when they and the key are as they were written. Reads
 * of bodies do not come this way, they know their place.
 */

import { crc32 } from 'node:zlib';
import { assert } from '../base/fault.ts';

/** What is written. */
export interface LogContent {
  readonly key: Buffer;
  readonly body: Buffer;
  /** As `Put.bodyCrc`. */
  readonly bodyCrc?: number | undefined;
}

export interface LogEntry {
  /** A view. */
  readonly key: Buffer;
  readonly bodySizeBytes: number;
  readonly bodyCrc: number;
}

export type LogEntryRead =
  | { readonly kind: 'entry'; readonly entry: LogEntry }
  /** As many bytes, from its start, show what it is; its body not counted. */
  | { readonly kind: 'cut'; readonly neededBytes: number }
  | { readonly kind: 'damaged' };

const FIXED_SIZE = 16;
/** Far above any usual key, far below what a damaged size would have one read. */
export const LOG_KEY_MAX_BYTES = 1024 * 1024;

/** Bytes before the body. */
export function logEntryHeadSize(keySizeBytes: number): number {
  return FIXED_SIZE + keySizeBytes;
}

export function logEntrySize(keySizeBytes: number, bodySizeBytes: number): number {
  return FIXED_SIZE + keySizeBytes + bodySizeBytes;
}

/** Writes the entry into `bytes` from `offset`, where there is room for it; the CRC of the body. */
export function writeLogEntry(
  bytes: Buffer,
  offset: number,
  { key, body, bodyCrc = crc32(body) }: LogContent,
): number {
  assert(key.length <= LOG_KEY_MAX_BYTES, 'a key of the value log is not too long');
  bytes.writeUInt32BE(bodyCrc, offset + 4);
  bytes.writeUInt32BE(key.length, offset + 8);
  bytes.writeUInt32BE(body.length, offset + 12);
  key.copy(bytes, offset + FIXED_SIZE);
  const bodyOffset = offset + FIXED_SIZE + key.length;
  bytes.writeUInt32BE(crc32(bytes.subarray(offset + 4, bodyOffset)), offset);
  body.copy(bytes, bodyOffset);
  return bodyCrc;
}

/** The entry that starts at `offset`; its body need not be there, and is not checked. */
export function readLogEntry(bytes: Buffer, offset: number): LogEntryRead {
  if (bytes.length - offset < FIXED_SIZE) return { kind: 'cut', neededBytes: FIXED_SIZE };
  const keySize = bytes.readUInt32BE(offset + 8);
  if (keySize > LOG_KEY_MAX_BYTES) return { kind: 'damaged' };
  const neededBytes = FIXED_SIZE + keySize;
  if (bytes.length - offset < neededBytes) return { kind: 'cut', neededBytes };
  const covered = bytes.subarray(offset + 4, offset + neededBytes);
  if (crc32(covered) !== bytes.readUInt32BE(offset)) return { kind: 'damaged' };
  const entry = {
    key: bytes.subarray(offset + FIXED_SIZE, offset + neededBytes),
    bodySizeBytes: bytes.readUInt32BE(offset + 12),
    bodyCrc: bytes.readUInt32BE(offset + 4),
  };
  return { kind: 'entry', entry };
}
