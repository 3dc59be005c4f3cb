/**
 * What LevelDB holds for an entry: the whole value, or its head and where the value log has its body.
 *
 *   whole  = | head | body |, preceded by | 0xff | 0x00 | if it begins with 0xff itself
 *   parted = | 0xff | 0x01 | segment 4 | offset 4 | size 4 | CRC-32 of the body 4 | CRC-32 of these four 4 | head |
 *
 * Numbers are big-endian. Nearly every value is stored as it is, at no cost. The body's CRC ties a
 * place to the one body that was put there: bytes that have come to lie there otherwise are no body.
 * The place's own CRC keeps a damaged one from being followed; a head checks itself.
 */

import { crc32 } from 'node:zlib';
import { assert } from '../base/fault.ts';

/** Where in the value log a body is. */
export interface BodyPlace {
  readonly segment: number;
  /** Of the body itself, from the start of the segment. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc: number;
}

const MARK = 0xff;
const WHOLE = 0;
const PARTED = 1;
const MARK_SIZE = 2;
const PLACE_SIZE = 16;
const PARTED_PREFIX_SIZE = MARK_SIZE + PLACE_SIZE + 4;

const MARK_OF_WHOLE = Buffer.of(MARK, WHOLE);

/** May be a view of the buffers it is given. */
export function encodeWhole(head: Buffer, body: Buffer | undefined): Buffer {
  const value = body === undefined || body.length === 0 ? head : joined(head, body);
  return value[0] === MARK ? Buffer.concat([MARK_OF_WHOLE, value]) : value;
}

export function encodeParted(head: Buffer, place: BodyPlace): Buffer {
  const stored = Buffer.allocUnsafe(PARTED_PREFIX_SIZE + head.length);
  stored[0] = MARK;
  stored[1] = PARTED;
  stored.writeUInt32BE(place.segment, 2);
  stored.writeUInt32BE(place.offset, 6);
  stored.writeUInt32BE(place.sizeBytes, 10);
  stored.writeUInt32BE(place.crc, 14);
  stored.writeUInt32BE(crcOfPlace(stored), MARK_SIZE + PLACE_SIZE);
  head.copy(stored, PARTED_PREFIX_SIZE);
  return stored;
}

/** Whether the body is elsewhere. */
export function isParted(stored: Buffer): boolean {
  return stored[0] === MARK && stored[1] === PARTED;
}

/** Where the body is; undefined: not elsewhere, or the place is damaged. */
export function placeOf(stored: Buffer): BodyPlace | undefined {
  if (!isParted(stored) || stored.length < PARTED_PREFIX_SIZE) return undefined;
  if (crcOfPlace(stored) !== stored.readUInt32BE(MARK_SIZE + PLACE_SIZE)) return undefined;
  return {
    segment: stored.readUInt32BE(2),
    offset: stored.readUInt32BE(6),
    sizeBytes: stored.readUInt32BE(10),
    crc: stored.readUInt32BE(14),
  };
}

/** Of a parted value the head, of a whole one all of it: a view. */
export function headOf(stored: Buffer): Buffer {
  if (stored[0] !== MARK) return stored;
  return stored.subarray(isParted(stored) ? PARTED_PREFIX_SIZE : MARK_SIZE);
}

export function isSamePlace(left: BodyPlace, right: BodyPlace): boolean {
  return left.segment === right.segment && left.offset === right.offset;
}

function crcOfPlace(stored: Buffer): number {
  return crc32(stored.subarray(MARK_SIZE, MARK_SIZE + PLACE_SIZE));
}

/** Without copying where the one lies behind the other already, as the parts of a record do. */
function joined(head: Buffer, body: Buffer): Buffer {
  const isInOne = head.buffer === body.buffer && head.byteOffset + head.length === body.byteOffset;
  if (!isInOne) return Buffer.concat([head, body]);
  const value = Buffer.from(head.buffer, head.byteOffset, head.length + body.length);
  assert(value.length === head.length + body.length, 'parts in one buffer are joined in place');
  return value;
}
