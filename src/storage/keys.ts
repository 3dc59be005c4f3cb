/**
 * The key layout: which bytes name an entry, so that order is meaning.
 *
 *   object   'o' partition type bucket key
 *   index    'i' type bucket field term key partition
 *   hint     'h' target partition type bucket key
 *   tomb     'd' partition type bucket key
 *   tree     't' partition n_val segment
 *   member   's' partition segment type bucket key
 *   meta     'm' name
 *   log      'v' segment of the value log, u32
 *   form     'v' "format": which releases can read this store (`store-form.ts`)
 *   copied   'v' "copied": this store is a copy, was mended or opened over a damaged log, and may have
 *            forgotten
 *
 * Numbers are big-endian, u16 where nothing else is said. Names hold any byte, so each but the last
 * of a key is escaped and ended: 0x00 → 0x01 0x01, 0x01 → 0x01 0x02, end → 0x00. Bytewise order of
 * the keys is then the order of the tuples of names, and all keys that share leading names lie
 * together. The last name of a key stands as it is. One range serves an index query on the whole
 * node, and tells the partition of each entry without its value.
 */

import { assert } from '../base/fault.ts';
import type { ByteString } from '../base/bytes.ts';
import {
  byteStringToBytes,
  byteStringToUtf8,
  bytesToByteString,
  utf8ToByteString,
} from '../base/bytes.ts';
import type { NodeId, ObjectKey, Partition } from '../base/names.ts';

/** Bytes from `from` (inclusive) to `to` (exclusive), as a scan takes them. */
export interface KeyRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

/** Keys of the store, both ends inclusive; undefined: no end is known. */
export interface KeySpan {
  readonly from: Buffer | undefined;
  readonly to: Buffer | undefined;
}

/** A bucket, for ranges. */
export type BucketName = Pick<ObjectKey, 'type' | 'bucket'>;

/** A field of a bucket, for index ranges. */
export interface IndexName extends BucketName {
  readonly field: ByteString;
}

/** An index entry as it is ordered: `_int` terms are already order-preserving bytes. */
export interface IndexTerm {
  readonly field: ByteString;
  readonly term: ByteString;
}

const OBJECT = 'o';
const INDEX = 'i';
const HINT = 'h';
const TOMB = 'd';
const TREE = 't';
const MEMBER = 's';
const META = 'm';
const LOG = 'v';

const END = '\x00';
/** Follows every name that has just ended, and comes before every longer one. */
const AFTER_END = '\x01';

const ESCAPE_CODE = 1;
const U16_SIZE = 2;
const U32_SIZE = 4;

export function encodeObjectKey(partition: Partition, key: ObjectKey): Buffer {
  return byteStringToBytes(
    joined(OBJECT + u16(partition) + named(key.type) + named(key.bucket) + key.key),
  );
}

export function decodeObjectKey(bytes: Buffer): { partition: Partition; key: ObjectKey } {
  const reader = new KeyReader(bytes, OBJECT);
  return { partition: reader.u16() as Partition, key: reader.objectKey() };
}

export function encodeIndexKey(partition: Partition, key: ObjectKey, entry: IndexTerm): Buffer {
  return byteStringToBytes(
    joined(
      indexPrefix({ type: key.type, bucket: key.bucket, field: entry.field }) +
        named(entry.term) +
        named(key.key) +
        u16(partition),
    ),
  );
}

export function decodeIndexKey(bytes: Buffer): {
  partition: Partition;
  key: ObjectKey;
  entry: IndexTerm;
} {
  const reader = new KeyReader(bytes, INDEX);
  const [type, bucket, field, term] = [reader.name(), reader.name(), reader.name(), reader.name()];
  const key = { type, bucket, key: reader.name() };
  return { partition: reader.u16() as Partition, key, entry: { field, term } };
}

/** What is behind the prefix of an index entry's key: all that a scan of one field needs of it. */
export interface IndexKeyTail {
  readonly term: ByteString;
  readonly key: ByteString;
  readonly partition: Partition;
}

/** Decodes what follows the prefix of a range of one field; `prefixSize` as `indexRange` gives it. */
export function decodeIndexKeyTail(bytes: Buffer, prefixSize: number): IndexKeyTail {
  const reader = new KeyReader(bytes, INDEX, prefixSize);
  return { term: reader.name(), key: reader.name(), partition: reader.u16() as Partition };
}

export function encodeHintKey(target: NodeId, partition: Partition, key: ObjectKey): Buffer {
  return byteStringToBytes(
    joined(hintPrefix(target) + u16(partition) + named(key.type) + named(key.bucket) + key.key),
  );
}

export function decodeHintKey(bytes: Buffer): {
  target: NodeId;
  partition: Partition;
  key: ObjectKey;
} {
  const reader = new KeyReader(bytes, HINT);
  const target = byteStringToUtf8(reader.name()) as NodeId;
  return { target, partition: reader.u16() as Partition, key: reader.objectKey() };
}

/** Notes that the copy of a key is a tombstone, for who looks for what can be reaped. */
export function encodeTombKey(partition: Partition, key: ObjectKey): Buffer {
  return byteStringToBytes(
    joined(TOMB + u16(partition) + named(key.type) + named(key.bucket) + key.key),
  );
}

export function decodeTombKey(bytes: Buffer): { partition: Partition; key: ObjectKey } {
  const reader = new KeyReader(bytes, TOMB);
  return { partition: reader.u16() as Partition, key: reader.objectKey() };
}

/** Where a segment of a hash tree is kept. */
export interface TreeSegment {
  readonly partition: Partition;
  readonly nVal: number;
  readonly segment: number;
}

export function encodeTreeKey({ partition, nVal, segment }: TreeSegment): Buffer {
  // Each write makes one of these: bytes are cheaper here than a string.
  const bytes = Buffer.allocUnsafe(1 + 3 * U16_SIZE);
  bytes[0] = TREE.charCodeAt(0);
  bytes.writeUInt16BE(partition, 1);
  bytes.writeUInt16BE(nVal, 3);
  bytes.writeUInt16BE(segment, 5);
  return bytes;
}

export function decodeTreeKey(bytes: Buffer): TreeSegment {
  const reader = new KeyReader(bytes, TREE);
  return { partition: reader.u16() as Partition, nVal: reader.u16(), segment: reader.u16() };
}

/** Files a copy under its segment of the hash trees; `objectKey` as `encodeObjectKey` gives it. */
export function encodeMemberKey(objectKey: Buffer, segment: number): Buffer {
  const bytes = Buffer.allocUnsafe(objectKey.length + U16_SIZE);
  bytes[0] = MEMBER.charCodeAt(0);
  objectKey.copy(bytes, 1, 1, 1 + U16_SIZE);
  bytes.writeUInt16BE(segment, 1 + U16_SIZE);
  objectKey.copy(bytes, 1 + 2 * U16_SIZE, 1 + U16_SIZE);
  return bytes;
}

export function decodeMemberKey(bytes: Buffer): { segment: number; key: ObjectKey } {
  const reader = new KeyReader(bytes, MEMBER);
  reader.u16();
  return { segment: reader.u16(), key: reader.objectKey() };
}

/** The copies of a partition in the segments from `first` to `last`, by segment, type, bucket, key. */
export function membersRange(
  partition: Partition,
  { first, last }: { readonly first: number; readonly last: number },
): KeyRange {
  const prefix = MEMBER + u16(partition);
  return { from: prefixRange(prefix + u16(first)).from, to: prefixRange(prefix + u16(last)).to };
}

/** Names of single entries of the node itself: identity, epochs, agreement state. */
export function encodeMetaKey(name: ByteString): Buffer {
  return byteStringToBytes(joined(META + name));
}

export function decodeMetaKey(bytes: Buffer): ByteString {
  return new KeyReader(bytes, META).rest();
}

/** The entries of the node itself whose names begin with `prefix`. */
export function metaRange(prefix: ByteString): KeyRange {
  return prefixRange(META + prefix);
}

/** Where the account of a segment of the value log is kept. */
export function encodeLogSegmentKey(segment: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + U32_SIZE);
  bytes[0] = LOG.charCodeAt(0);
  bytes.writeUInt32BE(segment, 1);
  return bytes;
}

/** Undefined for a key that `encodeLogSegmentKey` did not make. */
export function decodeLogSegmentKey(bytes: Buffer): number | undefined {
  const isOne = bytes.length === 1 + U32_SIZE && bytes[0] === LOG.charCodeAt(0);
  return isOne ? bytes.readUInt32BE(1) : undefined;
}

/** Of a store that was copied from another, mended or opened over a damaged log, and not started from since. */
export function copiedMarkKey(): Buffer {
  return Buffer.from(`${LOG}copied`, 'latin1');
}

/** What it holds in a mended store; in any other copy something else. */
export const MENDED_MARK: Buffer = Buffer.from('mended');

/** Where the form of the store is noted. */
export function storeFormKey(): Buffer {
  return Buffer.from(`${LOG}format`, 'latin1');
}

/** Where it is noted which opening of the store wrote which segments. */
export function segmentOriginsKey(): Buffer {
  return Buffer.from(`${LOG}origins`, 'latin1');
}

/** Whether the entry is the store's own, and nobody else's business. */
export function isStoresOwnKey(bytes: Buffer): boolean {
  if (decodeLogSegmentKey(bytes) !== undefined) return true;
  if (bytes[0] !== LOG.charCodeAt(0)) return false;
  return [copiedMarkKey(), storeFormKey(), segmentOriginsKey()].some((key) => bytes.equals(key));
}

/** The accounts of all segments of the value log. */
export function logSegmentsRange(): KeyRange {
  return prefixRange(LOG);
}

/** All objects of a partition, by type, bucket and key. */
export function partitionRange(partition: Partition): KeyRange {
  return prefixRange(OBJECT + u16(partition));
}

/** All objects of the node, by partition. */
export function allObjectsRange(): KeyRange {
  return prefixRange(OBJECT);
}

/** All objects of a bucket type in a partition, by bucket and key. */
export function typeRange(partition: Partition, type: ByteString): KeyRange {
  return prefixRange(OBJECT + u16(partition) + named(type));
}

/** All objects of a bucket in a partition, by key. */
export function bucketRange(partition: Partition, { type, bucket }: BucketName): KeyRange {
  return prefixRange(OBJECT + u16(partition) + named(type) + named(bucket));
}

/** The objects of a bucket in a partition whose keys lie between two keys, both inclusive. */
export function objectKeyRange(
  partition: Partition,
  name: BucketName,
  keys: { readonly first: ByteString; readonly last: ByteString },
): KeyRange {
  return {
    from: encodeObjectKey(partition, { ...name, key: keys.first }),
    to: keyAfter(encodeObjectKey(partition, { ...name, key: keys.last })),
  };
}

/** Where the buckets after this one begin, in the same type and partition. */
export function afterBucket(partition: Partition, { type, bucket }: BucketName): Buffer {
  return byteStringToBytes(
    joined(OBJECT + u16(partition) + named(type) + escaped(bucket) + AFTER_END),
  );
}

/** Terms of an index query; both ends inclusive. */
export interface TermRange {
  readonly first: ByteString;
  readonly last: ByteString;
  /** Start behind this entry: where the page before ended. */
  readonly after?: { readonly term: ByteString; readonly key: ByteString };
}

export interface IndexRange extends KeyRange {
  /** Bytes of the part that all entries of the range share. */
  readonly prefixSize: number;
}

/** The index entries of a field, by term and then key. Without `terms`: all of them. */
export function indexRange(name: IndexName, terms?: TermRange): IndexRange {
  const prefix = indexPrefix(name);
  const prefixSize = prefix.length;
  if (terms === undefined) return { ...prefixRange(prefix), prefixSize };
  const to = byteStringToBytes(joined(prefix + escaped(terms.last) + AFTER_END));
  const first = byteStringToBytes(joined(prefix + named(terms.first)));
  if (terms.after === undefined) return { from: first, to, prefixSize };
  const { term, key } = terms.after;
  const behind = byteStringToBytes(joined(prefix + named(term) + escaped(key) + AFTER_END));
  return { from: Buffer.compare(behind, first) > 0 ? behind : first, to, prefixSize };
}

/** All index entries of this node, by type and bucket. */
export function allIndexRange(): KeyRange {
  return prefixRange(INDEX);
}

/** The index entries of a bucket, by field, term and key. */
export function bucketIndexRange({ type, bucket }: BucketName): KeyRange {
  return prefixRange(INDEX + named(type) + named(bucket));
}

/** All hints of this node, by target. */
export function allHintsRange(): KeyRange {
  return prefixRange(HINT);
}

/** All hints for one node, by partition, type, bucket and key. */
export function hintRange(target: NodeId): KeyRange {
  return prefixRange(hintPrefix(target));
}

/** The tombstones of a partition, by type, bucket and key. */
export function tombRange(partition: Partition): KeyRange {
  return prefixRange(TOMB + u16(partition));
}

/** The tombstones of a bucket in a partition whose keys lie between two keys, both inclusive. */
export function tombKeyRange(
  partition: Partition,
  name: BucketName,
  keys: { readonly first: ByteString; readonly last: ByteString },
): KeyRange {
  return {
    from: encodeTombKey(partition, { ...name, key: keys.first }),
    to: keyAfter(encodeTombKey(partition, { ...name, key: keys.last })),
  };
}

/** The hash-tree segments of a partition, for every n_val or for one. */
export function treeRange(partition: Partition, nVal?: number): KeyRange {
  return prefixRange(TREE + u16(partition) + (nVal === undefined ? '' : u16(nVal)));
}

/** The smallest key above `key`: where a scan goes on that ended with it. */
export function keyAfter(key: Buffer): Buffer {
  const after = Buffer.allocUnsafe(key.length + 1);
  key.copy(after);
  after[key.length] = 0;
  return after;
}

function indexPrefix({ type, bucket, field }: IndexName): string {
  return INDEX + named(type) + named(bucket) + named(field);
}

function hintPrefix(target: NodeId): string {
  return HINT + named(utf8ToByteString(target));
}

/** The keys that begin with `prefix`: up to the prefix with its last byte that is not 0xff raised. */
function prefixRange(prefix: string): KeyRange {
  const from = byteStringToBytes(joined(prefix));
  let size = from.length;
  while (size > 0 && from[size - 1] === 0xff) size -= 1;
  assert(size > 0, 'a prefix begins with its space');
  const to = Buffer.from(from.subarray(0, size));
  to.writeUInt8(to.readUInt8(size - 1) + 1, size - 1);
  return { from, to };
}

function joined(text: string): ByteString {
  return text as ByteString;
}

/**
 * The partitions of which copies may lie between two keys, both inclusive; an end may be any bytes, and undefined
 * where none is known. All are below `ringSize`.
 */
export function partitionsWithin(span: KeySpan, ringSize: number): Partition[] {
  return partitionsTo(ringSize).filter((partition) => isWithin(partitionRange(partition), span));
}

/** As `partitionsWithin`, of what derives from copies: index entries do not say of which before they are read. */
export function derivedPartitionsWithin(span: KeySpan, ringSize: number): Partition[] {
  const partitions = partitionsTo(ringSize);
  if (isWithin(allIndexRange(), span)) return partitions;
  return partitions.filter((partition) => {
    const ranges = [TOMB, TREE, MEMBER].map((space) => prefixRange(space + u16(partition)));
    return ranges.some((range) => isWithin(range, span));
  });
}

function partitionsTo(ringSize: number): Partition[] {
  return Array.from({ length: ringSize }, (_, partition) => partition as Partition);
}

function isWithin(range: KeyRange, { from, to }: KeySpan): boolean {
  const isBefore = from !== undefined && Buffer.compare(range.to, from) <= 0;
  const isBehind = to !== undefined && Buffer.compare(range.from, to) > 0;
  return !isBefore && !isBehind;
}

function u16(value: number): string {
  assert(value >= 0 && value <= 0xffff && Number.isInteger(value), 'a u16 of a key fits');
  return String.fromCharCode(value >>> 8, value & 0xff);
}

function named(name: ByteString): string {
  return escaped(name) + END;
}

function escaped(name: ByteString): string {
  // Names are nearly always text, which needs no escape.
  if (!name.includes('\x00') && !name.includes('\x01')) return name;
  return name.replaceAll('\x01', '\x01\x02').replaceAll('\x00', '\x01\x01');
}

/** Reads a key's parts in the order in which they were written. */
class KeyReader {
  readonly #text: string;
  #offset: number;

  constructor(bytes: Buffer, space: string, offset = space.length) {
    this.#text = bytesToByteString(bytes);
    this.#offset = offset;
    assert(this.#text.startsWith(space), 'a key is decoded as what it is');
  }

  u16(): number {
    const offset = this.#offset;
    assert(offset + U16_SIZE <= this.#text.length, 'a key holds its numbers');
    this.#offset += U16_SIZE;
    return (this.#text.charCodeAt(offset) << 8) | this.#text.charCodeAt(offset + 1);
  }

  name(): ByteString {
    const end = this.#text.indexOf(END, this.#offset);
    assert(end >= 0, 'a name in a key ends');
    const name = unescaped(this.#text.slice(this.#offset, end));
    this.#offset = end + 1;
    return name;
  }

  rest(): ByteString {
    return this.#text.slice(this.#offset) as ByteString;
  }

  objectKey(): ObjectKey {
    const [type, bucket] = [this.name(), this.name()];
    return { type, bucket, key: this.rest() };
  }
}

function unescaped(name: string): ByteString {
  if (!name.includes('\x01')) return name as ByteString;
  let text = '';
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code === ESCAPE_CODE) index += 1;
    // The byte after the escape is the byte that was meant, plus one.
    text += code === ESCAPE_CODE ? String.fromCharCode(name.charCodeAt(index) - 1) : name[index];
  }
  return text as ByteString;
}
