/**
 * The wire form of many keys and copies at once: flat lists, (type, bucket, key, bytes) one after the
 * other, so that a list costs one array and not one for each of its elements.
 */

import { asBuffer } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { FetchedCopy, KeyHash, KeyHead, KeyRecord } from './messages.ts';
import { malformed } from './tuple-reader.ts';
import type { TupleReader, WireTuple, WireValue } from './tuple-reader.ts';
import { readKey } from './wire-values.ts';

export function keysToTuple(keys: readonly ObjectKey[]): WireTuple {
  const fields: WireValue[] = [];
  for (const { type, bucket, key } of keys) fields.push(type, bucket, key);
  return fields;
}

export function headsToTuple(heads: readonly KeyHead[]): WireTuple {
  const fields: WireValue[] = [];
  for (const { key, head } of heads) fields.push(key.type, key.bucket, key.key, head);
  return fields;
}

export function readKeyHead(reader: TupleReader): KeyHead {
  return { key: readKey(reader), head: reader.bytes() };
}

export function hashesToTuple(hashes: readonly KeyHash[]): WireTuple {
  const fields: WireValue[] = [];
  for (const { key, hash } of hashes) fields.push(key.type, key.bucket, key.key, hash);
  return fields;
}

export function readKeyHash(reader: TupleReader): KeyHash {
  return { key: readKey(reader), hash: reader.bytes() };
}

export function recordsToTuple(records: readonly KeyRecord[]): WireTuple {
  const fields: WireValue[] = [];
  for (const { key, record } of records) fields.push(key.type, key.bucket, key.key, record);
  return fields;
}

export function readKeyRecord(reader: TupleReader): KeyRecord {
  return { key: readKey(reader), record: reader.bytes() };
}

/** The bytes; nil where there is no copy, true where it is damaged. */
export function copiesToTuple(copies: readonly FetchedCopy[]): WireTuple {
  return copies.map((copy) => (copy === 'absent' ? null : copy === 'damaged' ? true : copy));
}

export function readFetchedCopy(reader: TupleReader): FetchedCopy {
  const value = reader.raw();
  if (value === null) return 'absent';
  if (value === true) return 'damaged';
  if (!(value instanceof Uint8Array)) throw malformed('no copy');
  return asBuffer(value);
}
