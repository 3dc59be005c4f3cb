/**
 * Which opening of the store wrote which segments of the value log.
 *
 * The number of a segment may come again: the last ones may have been collected when a process ends,
 * and a lost disk begins at 1. So each opening draws an origin, which is stored in one batch with the
 * first body of its segments. A number and its origin together name one sequence of bytes in every copy
 * of the store: a segment is written by one process, and only appended to.
 *
 *   entry = | (first segment 4 | origin 16)* | CRC-32 of all before 4 |
 *
 * Numbers are big-endian and rise; an origin is that of the segments from its first to the next one's.
 */

import { crc32 } from 'node:zlib';
import { assert } from '../base/fault.ts';

export const ORIGIN_SIZE_BYTES = 16;

export interface SegmentOrigin {
  readonly firstSegment: number;
  /** In hexadecimal. */
  readonly origin: string;
}

const CRC_SIZE = 4;
const ITEM_SIZE = 4 + ORIGIN_SIZE_BYTES;

/** What is known after an opening; those without a segment are left out. */
export function withOrigin(
  known: readonly SegmentOrigin[],
  begun: SegmentOrigin,
  segments: Iterable<number>,
): SegmentOrigin[] {
  // Nothing is there from the new one's first segment on.
  const before = known.filter(({ firstSegment }) => firstSegment < begun.firstSegment);
  const used = new Set([...segments].map((segment) => findOrigin(before, segment)));
  return [...before.filter(({ origin }) => used.has(origin)), begun];
}

/** Undefined: not known. */
export function findOrigin(known: readonly SegmentOrigin[], segment: number): string | undefined {
  return known.findLast(({ firstSegment }) => firstSegment <= segment)?.origin;
}

export function encodeOrigins(origins: readonly SegmentOrigin[]): Buffer {
  const entry = Buffer.alloc(origins.length * ITEM_SIZE + CRC_SIZE);
  for (const [index, { firstSegment, origin }] of origins.entries()) {
    const bytes = Buffer.from(origin, 'hex');
    assert(bytes.length === ORIGIN_SIZE_BYTES, 'an origin has sixteen bytes');
    entry.writeUInt32BE(firstSegment, index * ITEM_SIZE);
    bytes.copy(entry, index * ITEM_SIZE + 4);
  }
  const end = entry.length - CRC_SIZE;
  entry.writeUInt32BE(crc32(entry.subarray(0, end)), end);
  return entry;
}

/** Of a damaged entry nothing is known, nor where there is none. */
export function decodeOrigins(entry: Buffer | undefined): readonly SegmentOrigin[] {
  if (entry === undefined || entry.length < CRC_SIZE) return [];
  const end = entry.length - CRC_SIZE;
  if (end % ITEM_SIZE !== 0 || crc32(entry.subarray(0, end)) !== entry.readUInt32BE(end)) return [];
  return Array.from({ length: end / ITEM_SIZE }, (_, index) => {
    const at = index * ITEM_SIZE;
    const origin = entry.toString('hex', at + 4, at + ITEM_SIZE);
    return { firstSegment: entry.readUInt32BE(at), origin };
  });
}
