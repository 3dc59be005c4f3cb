/**
 * Where a request points: a bucket, or a key in it, and in which generation of URLs that was said.
 *
 * Links and locations go out in the form in which the client came in.
 */

import { encodeName } from './percent.ts';
import type { ByteString } from '../../base/bytes.ts';

/** By the first piece of the path: `/riak/B/K`, `/buckets/B/keys/K`, `/types/T/buckets/B/keys/K`. */
export type UrlForm = 'riak' | 'buckets' | 'types';

export interface BucketAddress {
  readonly form: UrlForm;
  readonly type: ByteString;
  readonly bucket: ByteString;
}

/** The path of a bucket as links name it: without its type. */
export function bucketPath(form: UrlForm, bucket: ByteString): string {
  return form === 'riak' ? `/riak/${encodeName(bucket)}` : `/buckets/${encodeName(bucket)}`;
}

/** The path of a key as links name it: without its type. */
export function keyPath(
  form: UrlForm,
  name: { readonly bucket: ByteString; readonly key: ByteString },
): string {
  const separator = form === 'riak' ? '/' : '/keys/';
  return `${bucketPath(form, name.bucket)}${separator}${encodeName(name.key)}`;
}

/**
 * The path of a generated key, whose bucket and type stand as they are, as Riak has it; control
 * characters alone are escaped, for they would break the header.
 */
export function createdLocation(address: BucketAddress, key: string): string {
  const { form, type, bucket } = address;
  const location =
    form === 'riak'
      ? `/riak/${bucket}/${key}`
      : `${form === 'types' ? `/types/${type}` : ''}/buckets/${bucket}/keys/${key}`;
  return escapeControls(location);
}

/** What a header value may hold: bytes from 0x20, without 0x7F, and tabs. */
export function escapeControls(text: string): string {
  if (!CONTROLS.test(text)) return text;
  let escaped = '';
  for (const character of text) {
    const isControl = (character < ' ' && character !== '\t') || character === '\x7f';
    escaped += isControl ? encodeName(character as ByteString) : character;
  }
  return escaped;
}

const CONTROLS = /[^\t\x20-\x7e\x80-\uffff]/;
