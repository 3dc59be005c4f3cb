/**
 * The record: an object in bytes, on disk and between nodes.
 *
 *   head = | version 1 | head size 4 | causality size 4 | causality | descriptions | body CRC 4 | head CRC 4 |
 *   body = | value | value | … |, in the order of the siblings
 *
 * Sizes are big-endian and the head size counts the whole head. The causality is in
 * `causality.ts`; the descriptions are one msgpackr array for each sibling. Both CRCs are CRC-32:
 * the head's covers the head before it, so a head can be read and trusted without its body, and
 * names the body's. Decoding copies no value, and never throws: what is not a whole, sound record
 * is no record.
 */

import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import type { Dot } from '../clock/version-vector.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { assert } from '../base/fault.ts';
import { causalHashOf, causalitySizeHint, readCausality, writeCausality } from './causality.ts';
import { describeSibling, readDescription } from './sibling-description.ts';
import type { ObjectHead, Sibling, SiblingHead, StoredObject } from './stored-object.ts';

/** A record's two parts; `body` is absent if all values are empty. */
export interface RecordParts {
  readonly head: Buffer;
  readonly body: Buffer | undefined;
}

const VERSION = 1;
const PREFIX_SIZE_BYTES = 9;
const SUFFIX_SIZE_BYTES = 8;
const HEAD_SIZE_OFFSET = 1;
const CAUSALITY_SIZE_OFFSET = 5;
const DESCRIPTIONS_SIZE_HINT = 160;

const packr = new Packr({ useRecords: false });

/**
 * Equal objects encode alike. The body of an object with one sibling is that sibling's value. An
 * object whose values were left out (what a head shows) has no record.
 */
export function encodeRecord(object: StoredObject): RecordParts {
  const { siblings } = object;
  for (const { value, valueSizeBytes } of siblings) {
    assert(value.length === valueSizeBytes, 'a value that was left out is never stored as empty');
  }
  const body =
    siblings.length === 1
      ? (siblings[0] as Sibling).value
      : Buffer.concat(siblings.map((sibling) => sibling.value));

  const writer = new ByteWriter(
    PREFIX_SIZE_BYTES +
      causalitySizeHint(object) +
      siblings.length * DESCRIPTIONS_SIZE_HINT +
      SUFFIX_SIZE_BYTES,
  );
  writer.u8(VERSION);
  writer.u32(0);
  writer.u32(0);
  writeCausality(writer, object);
  writer.u32At(CAUSALITY_SIZE_OFFSET, writer.size - PREFIX_SIZE_BYTES);
  writer.raw(packr.pack(siblings.map(describeSibling)));
  writer.u32(crc32(body));
  writer.u32At(HEAD_SIZE_OFFSET, writer.size + 4);
  writer.u32(crc32(writer.written()));
  return { head: writer.written(), body: body.length > 0 ? body : undefined };
}

/** Head and body in one buffer. */
export function joinRecord(parts: RecordParts): Buffer {
  return parts.body === undefined ? parts.head : Buffer.concat([parts.head, parts.body]);
}

/** The object of a whole record; its values are views of `record`. Undefined: not sound. */
export function decodeRecord(record: Buffer): StoredObject | undefined {
  const opened = openHead(record);
  if (opened === undefined) return undefined;
  const isSound = crc32(record.subarray(opened.headSize)) === opened.bodyCrc;
  return isSound ? assemble(record, opened) : undefined;
}

/**
 * As `decodeRecord`, of a record that a replica has just checked or made and that came here in one
 * process or in a frame, which has a CRC of its own: its body is not checked again.
 */
export function decodeChecked(record: Buffer): StoredObject | undefined {
  const opened = openHead(record);
  return opened === undefined ? undefined : assemble(record, opened);
}

function assemble(record: Buffer, opened: OpenedHead): StoredObject | undefined {
  const body = record.subarray(opened.headSize);
  const siblings: Sibling[] = [];
  let offset = 0;
  for (const head of opened.siblings) {
    const end = offset + head.valueSizeBytes;
    if (end > body.length) return undefined;
    siblings.push(withValue(head, body.subarray(offset, end)));
    offset = end;
  }
  return offset === body.length ? { context: opened.context, siblings } : undefined;
}

/** The head of a record, of which at least the head is there. Undefined: not sound. */
export function decodeHead(record: Buffer): ObjectHead | undefined {
  const opened = openHead(record);
  return opened === undefined ? undefined : { context: opened.context, siblings: opened.siblings };
}

/** The bytes of a record's head, if they are all there; not checked otherwise. */
export function sliceHead(record: Buffer): Buffer | undefined {
  const size = headSize(record);
  return size === undefined ? undefined : record.subarray(0, size);
}

/** Whether both CRCs are right: the whole record is as it was written. Decodes nothing. */
export function isSoundRecord(record: Buffer): boolean {
  if (sliceCausality(record) === undefined) return false;
  const size = record.readUInt32BE(HEAD_SIZE_OFFSET);
  return crc32(record.subarray(size)) === record.readUInt32BE(size - SUFFIX_SIZE_BYTES);
}

/** The bytes of a record's head if its CRC is right; what follows the head is not looked at. */
export function sliceSoundHead(record: Buffer): Buffer | undefined {
  return sliceCausality(record) === undefined ? undefined : sliceHead(record);
}

/** The causal hash of the object in a record or its head, without decoding it; CRC checked. */
export function recordCausalHash(record: Buffer): Buffer | undefined {
  const causality = sliceCausality(record);
  return causality === undefined ? undefined : causalHashOf(causality);
}

/** CRC-32 of the body, as a sound head names it. */
export function bodyCrcOf(head: Buffer): number {
  return head.readUInt32BE(head.length - SUFFIX_SIZE_BYTES);
}

/** Bytes of a record's head, if they are all there. */
export function headSize(record: Buffer): number | undefined {
  if (record.length < PREFIX_SIZE_BYTES + SUFFIX_SIZE_BYTES || record[0] !== VERSION) {
    return undefined;
  }
  const size = record.readUInt32BE(HEAD_SIZE_OFFSET);
  const isPossible = size >= PREFIX_SIZE_BYTES + SUFFIX_SIZE_BYTES && size <= record.length;
  return isPossible ? size : undefined;
}

/** The causality of a head whose CRC is right. */
function sliceCausality(record: Buffer): Buffer | undefined {
  const head = sliceHead(record);
  if (head === undefined) return undefined;
  const crcOffset = head.length - 4;
  if (crc32(head.subarray(0, crcOffset)) !== head.readUInt32BE(crcOffset)) return undefined;
  const end = PREFIX_SIZE_BYTES + head.readUInt32BE(CAUSALITY_SIZE_OFFSET);
  return end <= head.length - SUFFIX_SIZE_BYTES ? head.subarray(PREFIX_SIZE_BYTES, end) : undefined;
}

interface OpenedHead extends ObjectHead {
  readonly headSize: number;
  readonly bodyCrc: number;
}

function openHead(record: Buffer): OpenedHead | undefined {
  const bytes = sliceCausality(record);
  if (bytes === undefined) return undefined;
  const causality = readCausality(bytes);
  if (causality === undefined) return undefined;
  const headSize = record.readUInt32BE(HEAD_SIZE_OFFSET);
  const bodyCrcOffset = headSize - SUFFIX_SIZE_BYTES;
  const siblings = readSiblings(
    record.subarray(PREFIX_SIZE_BYTES + bytes.length, bodyCrcOffset),
    causality.dots,
  );
  if (siblings === undefined) return undefined;
  const bodyCrc = record.readUInt32BE(bodyCrcOffset);
  return { context: causality.context, siblings, headSize, bodyCrc };
}

function readSiblings(descriptions: Buffer, dots: readonly Dot[]): SiblingHead[] | undefined {
  let unpacked: unknown;
  try {
    unpacked = packr.unpack(descriptions);
  } catch {
    return undefined;
  }
  if (!Array.isArray(unpacked) || unpacked.length !== dots.length) return undefined;
  const siblings: SiblingHead[] = [];
  for (let index = 0; index < dots.length; index += 1) {
    const sibling = readDescription(unpacked[index], dots[index] as Dot);
    if (sibling === undefined) return undefined;
    siblings.push(sibling);
  }
  return siblings;
}

/** A sibling of its head and its value. Field by field: spreading takes many times as long. */
export function withValue(head: SiblingHead, value: Buffer): Sibling {
  return {
    dot: head.dot,
    lastModifiedMicros: head.lastModifiedMicros,
    vtag: head.vtag,
    metadata: head.metadata,
    isTombstone: head.isTombstone,
    valueSizeBytes: head.valueSizeBytes,
    value,
  };
}
