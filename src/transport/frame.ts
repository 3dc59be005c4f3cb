/**
 * The frame: all the messages of one tick, with a checksum.
 *
 * `proto/peer.proto` describes it; this is its encoding by hand, because the layout is fixed and a
 * generic encoder would copy every value twice more. What is written is the protobuf message
 *
 *   field 2, fixed32  0x15, CRC-32 of the msgpack bytes
 *   field 1, bytes    0x0a, varint length, the msgpack bytes
 *
 * checksum first, so that the values are packed straight into their place behind the head. Either
 * order is read, as protobuf demands. Byte arrays that come out are views of the frame received.
 */

import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import { Fault } from '../base/fault.ts';
import type { WireValue } from '../peer/tuple-reader.ts';
import { isPlainMsgpack } from './plain-msgpack.ts';

const CRC32_TAG = 0x15;
const MESSAGES_TAG = 0x0a;
const CRC32_FIELD_SIZE_BYTES = 5;
const VARINT_MAX_SIZE_BYTES = 5;
const HEAD_MAX_SIZE_BYTES = CRC32_FIELD_SIZE_BYTES + 1 + VARINT_MAX_SIZE_BYTES;

/** msgpackr leaves that much of the lowest byte of the option free at the start of what it packs. */
const RESERVE_START_SPACE = 2_048;

/** msgpackr does not start in a buffer that has less than this left, nor fill its last bytes. */
const PACK_SLACK_SIZE_BYTES = 4_096;

/** Frames are packed one behind the other into memory of this size; large ones have their own. */
const SLAB_SIZE_BYTES = 64 * 1024;
const SHARING_MAX_BYTES = SLAB_SIZE_BYTES / 4;

/** The largest frame that is read. */
export const FRAME_MAX_BYTES = 128 * 1024 * 1024;

/** The largest message: alone in a frame it still fits, whatever the estimate missed. */
const MESSAGE_MAX_BYTES = 120 * 1024 * 1024;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });
let slab = Buffer.alloc(0);

/** `sizeHint`: about how many bytes the messages take; too little costs a copy, nothing else. */
export function encodeFrame(messages: readonly WireValue[], sizeHint: number): Buffer {
  makeRoom(sizeHint + HEAD_MAX_SIZE_BYTES + PACK_SLACK_SIZE_BYTES);
  const packed = packr.pack(messages, RESERVE_START_SPACE | HEAD_MAX_SIZE_BYTES);
  const body = packed.subarray(HEAD_MAX_SIZE_BYTES);
  const start = VARINT_MAX_SIZE_BYTES - varintSize(body.length);
  packed[start] = CRC32_TAG;
  packed.writeUInt32LE(crc32(body), start + 1);
  packed[start + CRC32_FIELD_SIZE_BYTES] = MESSAGES_TAG;
  writeVarint(packed, start + CRC32_FIELD_SIZE_BYTES + 1, body.length);
  return packed.subarray(start);
}

/** Room for a whole frame: growing on the way would copy everything again. */
function makeRoom(sizeBytes: number): void {
  // msgpackr goes on behind what it packed last, and never back.
  if (slab.length - packr.position >= sizeBytes) return;
  slab = Buffer.allocUnsafeSlow(sizeBytes > SHARING_MAX_BYTES ? sizeBytes : SLAB_SIZE_BYTES);
  packr.useBuffer(slab);
}

/** The messages; a `peer-malformed` fault says what is wrong with the frame. */
export function decodeFrame(frame: Buffer): readonly unknown[] {
  const { body, checksum } = readFields(frame);
  if (crc32(body) !== checksum) throw malformedFrame('checksum');
  if (!isPlainMsgpack(body)) throw malformedFrame('not plain msgpack');
  const messages: unknown = unpackr.unpack(body);
  if (!Array.isArray(messages)) throw malformedFrame('not an array');
  return messages;
}

/** About how many bytes a value takes in a frame; names of bytes that are no ASCII take up to twice as many. */
export function wireSize(value: WireValue): number {
  if (typeof value === 'string') return value.length + 5;
  if (typeof value !== 'object' || value === null) return 9;
  if (value instanceof Uint8Array) return value.length + 5;
  let sizeBytes = 5;
  for (const element of value) sizeBytes += wireSize(element);
  return sizeBytes;
}

/** Whether no frame could hold `message`, whose `wireSize` is `sizeBytes`. */
export function isTooLarge(message: WireValue, sizeBytes: number): boolean {
  if (sizeBytes <= MESSAGE_MAX_BYTES / 2) return false;
  return sizeBytes + bytesBeyondAscii(message) > MESSAGE_MAX_BYTES;
}

function bytesBeyondAscii(value: WireValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value) - value.length;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  let count = 0;
  for (const element of value) count += bytesBeyondAscii(element);
  return count;
}

function malformedFrame(what: string): Fault {
  return new Fault('peer-malformed', `a frame is malformed: ${what}`);
}

/** Absent fields have protobuf's defaults. */
function readFields(frame: Buffer): { readonly body: Buffer; readonly checksum: number } {
  let body: Buffer = Buffer.alloc(0);
  let checksum = 0;
  let position = 0;
  while (position < frame.length) {
    const tag = frame[position];
    position += 1;
    if (tag === CRC32_TAG) {
      if (position + 4 > frame.length) throw malformedFrame('cut off');
      checksum = frame.readUInt32LE(position);
      position += 4;
    } else if (tag === MESSAGES_TAG) {
      const length = readVarint(frame, position);
      position += length.sizeBytes;
      if (position + length.value > frame.length) throw malformedFrame('cut off');
      body = frame.subarray(position, position + length.value);
      position += length.value;
    } else {
      throw malformedFrame('unknown field');
    }
  }
  return { body, checksum };
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

function writeVarint(target: Buffer, start: number, value: number): void {
  let position = start;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) {
    target[position] = (rest & 0x7f) | 0x80;
    position += 1;
  }
  target[position] = rest;
}

function readVarint(
  source: Buffer,
  start: number,
): { readonly value: number; readonly sizeBytes: number } {
  let value = 0;
  for (let index = 0; index < VARINT_MAX_SIZE_BYTES; index += 1) {
    const byte = source[start + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, sizeBytes: index + 1 };
  }
  throw malformedFrame('length');
}
