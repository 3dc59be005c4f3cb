/**
 * What LevelDB holds for an entry: the whole value, or its head and where the value log has its body.
 *
 *   all head = | head |, preceded by | 0xff | 0 | if it begins with 0xff itself
 *   whole    = | 0xff | 2 | CRC-32 of the key 4 | head | body |
 *   parted   = | 0xff | 3 | CRC-32 of the key 4 | place 16 | CRC-32 of the place 4 | head |
 *   place    = | segment 4 | offset 4 | size 4 | CRC-32 of the body 4 |
 *
 * Numbers are big-endian. Entries with a body, which are the copies of objects, are tied to their key:
 * LevelDB compares no checksum of what it reads, so a bit that flipped in a key would show one
 * patient's record under the number of another. The body's CRC ties a place to the one body that was put
 * there: bytes that have come to lie there otherwise are no body. The place's own CRC keeps a damaged
 * one from being followed; a head checks itself.
 *
 * Form 1 of the store (`store-form.ts`) had | 0xff | 1 | and no CRC of the key in parted values, and whole
 * ones as those that are all head; both are still read.
 */

import { crc32 } from 'node:zlib';

/** Where in the value log a body is. */
export interface BodyPlace {
  readonly segment: number;
  /** Of the body itself, from the start of the segment. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly crc: number;
}

const MARK = 0xff;
const UNTIED = 0;
const UNTIED_PARTED = 1;
const WHOLE = 2;
const PARTED = 3;
const MARK_SIZE = 2;
const CRC_SIZE = 4;
const PLACE_SIZE = 16;
/** What a tied value begins with. */
const TIE_SIZE = MARK_SIZE + CRC_SIZE;

const MARK_OF_UNTIED = Buffer.of(MARK, UNTIED);

/** A value without a body; may be `head` itself. */
export function encodeHead(head: Buffer): Buffer {
  return head[0] === MARK ? Buffer.concat([MARK_OF_UNTIED, head]) : head;
}

/** A value whose body is beside its head. */
export function encodeWhole(key: Buffer, head: Buffer, body: Buffer): Buffer {
  const stored = tied(WHOLE, key, head.length + body.length);
  head.copy(stored, TIE_SIZE);
  body.copy(stored, TIE_SIZE + head.length);
  return stored;
}

/** A value whose body is elsewhere. */
export function encodeParted(key: Buffer, head: Buffer, place: BodyPlace): Buffer {
  const stored = tied(PARTED, key, PLACE_SIZE + CRC_SIZE + head.length);
  let end = stored.writeUInt32BE(place.segment, TIE_SIZE);
  end = stored.writeUInt32BE(place.offset, end);
  end = stored.writeUInt32BE(place.sizeBytes, end);
  end = stored.writeUInt32BE(place.crc, end);
  end = stored.writeUInt32BE(crc32(stored.subarray(TIE_SIZE, end)), end);
  head.copy(stored, end);
  return stored;
}

/** Whether the body is elsewhere. */
export function isParted(stored: Buffer): boolean {
  return stored[0] === MARK && (stored[1] === PARTED || stored[1] === UNTIED_PARTED);
}

/** Whether a value that is tied to a key is tied to this one. */
export function isOfKey(key: Buffer, stored: Buffer): boolean {
  const isTied = stored[0] === MARK && (stored[1] === WHOLE || stored[1] === PARTED);
  if (!isTied) return true;
  return stored.length >= TIE_SIZE && crc32(key) === stored.readUInt32BE(MARK_SIZE);
}

/** Where the body is; undefined: not elsewhere, or the place is damaged. */
export function placeOf(stored: Buffer): BodyPlace | undefined {
  if (!isParted(stored)) return undefined;
  const start = placeStart(stored);
  const end = start + PLACE_SIZE;
  if (stored.length < end + CRC_SIZE) return undefined;
  if (crc32(stored.subarray(start, end)) !== stored.readUInt32BE(end)) return undefined;
  return {
    segment: stored.readUInt32BE(start),
    offset: stored.readUInt32BE(start + 4),
    sizeBytes: stored.readUInt32BE(start + 8),
    crc: stored.readUInt32BE(start + 12),
  };
}

/** Of a parted value the head, of another all of it: a view. */
export function headOf(stored: Buffer): Buffer {
  if (stored[0] !== MARK) return stored;
  if (isParted(stored)) return stored.subarray(placeStart(stored) + PLACE_SIZE + CRC_SIZE);
  return stored.subarray(stored[1] === WHOLE ? TIE_SIZE : MARK_SIZE);
}

export function isSamePlace(left: BodyPlace, right: BodyPlace): boolean {
  return left.segment === right.segment && left.offset === right.offset;
}

function placeStart(stored: Buffer): number {
  return stored[1] === PARTED ? TIE_SIZE : MARK_SIZE;
}

/** So many bytes, not filled yet, behind the tie. */
function tied(type: number, key: Buffer, sizeBytes: number): Buffer {
  const stored = Buffer.allocUnsafe(TIE_SIZE + sizeBytes);
  stored[0] = MARK;
  stored[1] = type;
  stored.writeUInt32BE(crc32(key), MARK_SIZE);
  return stored;
}
