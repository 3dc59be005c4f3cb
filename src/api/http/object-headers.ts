/**
 * The headers that show one sibling, on an answer of its own or on a part of a multipart one.
 *
 * Stored metadata may come from Protocol Buffers, where anything goes: what cannot stand in a header
 * (control characters, names that are no tokens) is escaped or left out, so that nothing stored can
 * break an answer.
 */

import { formatHttpDate } from './http-date.ts';
import { bucketPath, escapeControls, keyPath } from './address.ts';
import { encodeName } from './percent.ts';
import type { IndexEntry, Link, Metadata, SiblingHead } from '../../object/stored-object.ts';
import type { UrlForm } from './address.ts';
import type { ByteString } from '../../base/bytes.ts';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

/** The media type, with the charset where there is one. */
export function contentTypeOf(metadata: Metadata): string {
  const contentType = escapeControls(metadata.contentType ?? DEFAULT_CONTENT_TYPE);
  return metadata.charset === undefined
    ? contentType
    : `${contentType}; charset=${escapeControls(metadata.charset)}`;
}

/** The media type alone, which negotiation is about. */
export function mediaTypeOf(metadata: Metadata): string {
  return escapeControls(metadata.contentType ?? DEFAULT_CONTENT_TYPE);
}

/** All links, the stored ones first, last the one up to the bucket. */
export function linkHeader(metadata: Metadata, bucket: ByteString, form: UrlForm): string {
  const up = `<${bucketPath(form, bucket)}>; rel="up"`;
  if (metadata.links === undefined || metadata.links.length === 0) return up;
  return [...metadata.links.map((link) => oneLink(link, form)), up].join(', ');
}

function oneLink(link: Link, form: UrlForm): string {
  const bucket = link.bucket ?? ('' as ByteString);
  const key = link.key ?? ('' as ByteString);
  return `<${keyPath(form, { bucket, key })}>; riaktag="${encodeName(link.tag ?? EMPTY)}"`;
}

/** Headers of a whole answer, flat; without context, which belongs to the object. */
export function siblingHeaders(sibling: SiblingHead, bucket: ByteString, form: UrlForm): string[] {
  const { metadata } = sibling;
  const headers = [
    'Content-Type',
    contentTypeOf(metadata),
    'Link',
    linkHeader(metadata, bucket, form),
    'ETag',
    `"${escapeControls(sibling.vtag)}"`,
    'Last-Modified',
    formatHttpDate(sibling.lastModifiedMicros),
  ];
  if (sibling.isTombstone) headers.push('X-Riak-Deleted', 'true');
  pushUserMetadata(headers, metadata);
  if (metadata.indexes !== undefined) pushJoinedIndexes(headers, metadata.indexes);
  return headers;
}

/** Headers of a part, in the order in which Riak writes them; the ETag is bare. */
export function partHeaders(sibling: SiblingHead, bucket: ByteString, form: UrlForm): string[] {
  const { metadata } = sibling;
  const headers = ['Content-Type', contentTypeOf(metadata)];
  if (metadata.contentEncoding !== undefined) {
    headers.push('Content-Encoding', escapeControls(metadata.contentEncoding));
  }
  headers.push('Link', linkHeader(metadata, bucket, form), 'Etag', escapeControls(sibling.vtag));
  headers.push('Last-Modified', formatHttpDate(sibling.lastModifiedMicros));
  if (sibling.isTombstone) headers.push('X-Riak-Deleted', 'true');
  pushUserMetadata(headers, metadata);
  for (const { field, term } of metadata.indexes ?? []) {
    pushSafely(headers, `x-riak-index-${field}`, term);
  }
  return headers;
}

function pushUserMetadata(headers: string[], metadata: Metadata): void {
  if (metadata.userMetadata === undefined) return;
  for (const [name, value] of metadata.userMetadata) pushSafely(headers, name, value);
}

function pushJoinedIndexes(headers: string[], indexes: readonly IndexEntry[]): void {
  const termsByField = new Map<ByteString, ByteString[]>();
  for (const { field, term } of indexes) {
    const terms = termsByField.get(field);
    if (terms === undefined) termsByField.set(field, [term]);
    else terms.push(term);
  }
  for (const [field, terms] of termsByField) {
    pushSafely(headers, `x-riak-index-${field}`, terms.join(', '));
  }
}

/** Headers that frame the answer: a stored pair of such a name would change its meaning. */
const RESERVED = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function pushSafely(headers: string[], name: string, value: string): void {
  if (!isToken(name) || RESERVED.has(name.toLowerCase())) return;
  headers.push(name, escapeControls(value));
}

function isToken(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name);
}

const EMPTY = '' as ByteString;
