/**
 * What a record's head says of one sibling: a msgpackr array in which place is meaning, without the
 * dot (that is in the causality).
 *
 *   [last modified, vtag, tombstone 0 or 1, value size,
 *    content type, charset, content encoding, links, user metadata, indexes]
 *
 * Absent fields are null, and missing at the end. Links, user metadata and indexes are flat lists of
 * three, two and two fields each. A byte above 0x7f takes two: msgpackr keeps text in UTF-8.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Mutable } from '../base/mutable.ts';
import type { Dot } from '../clock/version-vector.ts';
import type { IndexEntry, Link, Metadata, SiblingHead } from './stored-object.ts';

type Field = string | number | null | undefined | readonly (string | null)[];

const FIELD_COUNT_MIN = 4;
const NO_METADATA: Metadata = {};

export function describeSibling(sibling: SiblingHead): readonly Field[] {
  const { metadata } = sibling;
  const fields: Field[] = [
    sibling.lastModifiedMicros,
    sibling.vtag,
    sibling.isTombstone ? 1 : 0,
    sibling.valueSizeBytes,
    metadata.contentType,
    metadata.charset,
    metadata.contentEncoding,
    flatLinks(metadata.links),
    flatPairs(metadata.userMetadata),
    flatIndexes(metadata.indexes),
  ];
  while (fields.length > FIELD_COUNT_MIN && fields.at(-1) === undefined) fields.pop();
  for (let index = FIELD_COUNT_MIN; index < fields.length; index += 1) fields[index] ??= null;
  return fields;
}

/** Undefined for what `describeSibling` does not make. */
export function readDescription(fields: unknown, dot: Dot): SiblingHead | undefined {
  if (!Array.isArray(fields) || fields.length < FIELD_COUNT_MIN) return undefined;
  const [lastModifiedMicros, vtag, tombstone, valueSizeBytes] = fields as readonly unknown[];
  if (!isCount(lastModifiedMicros) || !isCount(valueSizeBytes)) return undefined;
  if (!isByteString(vtag) || (tombstone !== 0 && tombstone !== 1)) return undefined;
  const metadata = fields.length === FIELD_COUNT_MIN ? NO_METADATA : readMetadata(fields);
  if (metadata === undefined) return undefined;
  return { dot, lastModifiedMicros, vtag, metadata, isTombstone: tombstone === 1, valueSizeBytes };
}

function flatLinks(links: readonly Link[] | undefined): (string | null)[] | undefined {
  return links?.flatMap((link) => [link.bucket ?? null, link.key ?? null, link.tag ?? null]);
}

function flatPairs(pairs: Metadata['userMetadata']): string[] | undefined {
  return pairs?.flat();
}

function flatIndexes(indexes: readonly IndexEntry[] | undefined): string[] | undefined {
  return indexes?.flatMap((entry) => [entry.field, entry.term]);
}

function readMetadata(fields: readonly unknown[]): Metadata | undefined {
  const [, , , , contentType, charset, contentEncoding, links, userMetadata, indexes] = fields;
  const metadata: Mutable<Metadata> = {};
  if (isPresent(contentType)) {
    if (!isByteString(contentType)) return undefined;
    metadata.contentType = contentType;
  }
  if (isPresent(charset)) {
    if (!isByteString(charset)) return undefined;
    metadata.charset = charset;
  }
  if (isPresent(contentEncoding)) {
    if (!isByteString(contentEncoding)) return undefined;
    metadata.contentEncoding = contentEncoding;
  }
  if (isPresent(links)) {
    if (!isFlatList(links, 3, isLinkField)) return undefined;
    metadata.links = readLinks(links);
  }
  if (isPresent(userMetadata)) {
    if (!isFlatList(userMetadata, 2, isByteString)) return undefined;
    metadata.userMetadata = readPairs(userMetadata);
  }
  if (isPresent(indexes)) {
    if (!isFlatList(indexes, 2, isByteString)) return undefined;
    metadata.indexes = readPairs(indexes).map(([field, term]) => ({ field, term }));
  }
  return metadata;
}

function readLinks(flat: readonly (ByteString | null)[]): Link[] {
  const links: Link[] = [];
  for (let index = 0; index < flat.length; index += 3) {
    links.push({
      bucket: flat[index] ?? undefined,
      key: flat[index + 1] ?? undefined,
      tag: flat[index + 2] ?? undefined,
    });
  }
  return links;
}

function readPairs(flat: readonly ByteString[]): (readonly [ByteString, ByteString])[] {
  const pairs: (readonly [ByteString, ByteString])[] = [];
  for (let index = 0; index < flat.length; index += 2) {
    pairs.push([flat[index] as ByteString, flat[index + 1] as ByteString]);
  }
  return pairs;
}

function isPresent(field: unknown): boolean {
  return field !== undefined && field !== null;
}

function isCount(field: unknown): field is number {
  return Number.isSafeInteger(field) && (field as number) >= 0;
}

function isByteString(field: unknown): field is ByteString {
  // oxlint-disable-next-line no-control-regex -- a byte is U+0000 to U+00FF
  return typeof field === 'string' && !/[^\u0000-\u00ff]/.test(field);
}

function isLinkField(field: unknown): field is ByteString | null {
  return field === null || isByteString(field);
}

function isFlatList<F>(
  field: unknown,
  width: number,
  isField: (field: unknown) => field is F,
): field is F[] {
  return Array.isArray(field) && field.length % width === 0 && field.every(isField);
}
