/**
 * What a map phase in JavaScript is given: an object as JSON in Riak's form.
 *
 *   {"bucket_type": T, "bucket": B, "key": K, "vclock": base64,
 *    "values": [{"metadata": {…}, "data": "…"}]}
 *
 * The bucket's type is named unless it is the default one. Bytes that are no UTF-8 have no form.
 */

import { DEFAULT_BUCKET_TYPE } from '../base/names.ts';
import { encodeContext } from '../clock/context.ts';
import { termToJson } from './term-json.ts';
import { binary } from './term.ts';
import type { ByteString } from '../base/bytes.ts';
import type { ObjectKey } from '../base/names.ts';
import type { IndexEntry, Metadata, Sibling } from '../object/stored-object.ts';
import type { ObjectTerm, Term } from './term.ts';

/** Thrown and caught in this file: something has no JSON form. */
class NoForm extends Error {}

/** Undefined: something of it has no JSON form. */
export function objectToJson(object: ObjectTerm): string | undefined {
  try {
    return writtenObject(object);
  } catch (error) {
    if (error instanceof NoForm) return undefined;
    throw error;
  }
}

function writtenObject({ key, object: { context, siblings } }: ObjectTerm): string {
  const vclock = encodeContext(context).toString('base64');
  const values = siblings.map(
    (sibling) => `{"metadata":${metadataJson(sibling)},"data":${written(sibling.value)}}`,
  );
  return `{${keyMembers(key)},"vclock":"${vclock}","values":[${values.join(',')}]}`;
}

function keyMembers({ type, bucket, key }: ObjectKey): string {
  const names = `"bucket":${name(bucket)},"key":${name(key)}`;
  return type === DEFAULT_BUCKET_TYPE ? names : `"bucket_type":${name(type)},${names}`;
}

function metadataJson({ metadata, vtag, lastModifiedMicros, isTombstone }: Sibling): string {
  const modified = new Date(Math.floor(lastModifiedMicros / 1000)).toUTCString();
  const members = [
    `"X-Riak-VTag":${JSON.stringify(vtag)}`,
    `"X-Riak-Last-Modified":"${modified}"`,
    `"index":${indexJson(metadata.indexes ?? [])}`,
    `"Links":${linksJson(metadata.links ?? [])}`,
    `"X-Riak-Meta":${userJson(metadata)}`,
  ];
  const { contentType, charset, contentEncoding } = metadata;
  if (contentType !== undefined) members.unshift(`"content-type":${name(contentType)}`);
  if (charset !== undefined) members.push(`"charset":${name(charset)}`);
  if (contentEncoding !== undefined) members.push(`"content-encoding":${name(contentEncoding)}`);
  if (isTombstone) members.push('"X-Riak-Deleted":true');
  return `{${members.join(',')}}`;
}

/** One value as it is, several as a list; those of `_int` are numbers. */
function indexJson(entries: readonly IndexEntry[]): string {
  const termsByField = new Map<ByteString, string[]>();
  for (const { field, term } of entries) {
    const terms = termsByField.get(field) ?? [];
    terms.push(field.endsWith('_int') ? term : name(term));
    termsByField.set(field, terms);
  }
  const members = Array.from(termsByField, ([field, terms]) => {
    return `${name(field)}:${terms.length === 1 ? terms[0] : `[${terms.join(',')}]`}`;
  });
  return `{${members.join(',')}}`;
}

function linksJson(links: NonNullable<Metadata['links']>): string {
  const shown = links.map(({ bucket, key, tag }) => {
    const names = [bucket, key, tag].map((part) => name(part ?? ('' as ByteString)));
    return `[${names.join(',')}]`;
  });
  return `[${shown.join(',')}]`;
}

function userJson({ userMetadata = [] }: Metadata): string {
  const members = userMetadata.map(([member, value]) => `${name(member)}:${name(value)}`);
  return `{${members.join(',')}}`;
}

function name(bytes: ByteString): string {
  return written(binary(bytes));
}

function written(term: Term): string {
  const json = termToJson(term);
  if (json === undefined) throw new NoForm('no UTF-8');
  return json;
}
