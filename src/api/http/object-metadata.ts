/**
 * What a write says about its value, in headers: media type, coding, links, metadata, index entries.
 *
 * User metadata is stored under its whole header name and comes back spelled that way: as received where
 * it is long, while Erlang writes the words of names of up to 20 characters with a capital. Repeated
 * headers are one, joined by `, `, as everywhere in HTTP.
 */

import { parseIndexEntries } from '../../object/index-entries.ts';
import { textAnswer } from './answer.ts';
import { badLinkText, parseLinkHeader } from './link-header.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { Mutable } from '../../base/mutable.ts';
import type { IndexRefusal } from '../../object/index-entries.ts';
import type { Link, Metadata } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';

const META_PREFIX = 'x-riak-meta-';
const INDEX_PREFIX = 'x-riak-index-';

/** The metadata, or the answer to what is wrong with it. */
export function readMetadata(
  exchange: Exchange,
  address: BucketAddress,
): { readonly metadata: Metadata } | Answer {
  const { headers } = exchange;
  const metadata: Mutable<Metadata> = {};
  const { mediaType, charset } = splitContentType(headers['content-type'] ?? '');
  metadata.contentType = mediaType;
  if (charset !== undefined) metadata.charset = charset;
  const coding = headers['content-encoding'];
  if (coding !== undefined) metadata.contentEncoding = coding as ByteString;

  const linkHeader = exchange.header('link');
  if (linkHeader !== undefined) {
    const links: readonly Link[] | undefined = parseLinkHeader(linkHeader, address);
    if (links === undefined) return textAnswer(400, badLinkText(address));
    if (links.length > 0) metadata.links = links;
  }
  const { userMetadata, indexPairs } = readStoredHeaders(exchange.rawHeaders);
  if (userMetadata.length > 0) metadata.userMetadata = userMetadata;
  if (indexPairs.length > 0) {
    const outcome = parseIndexEntries(indexPairs);
    if (outcome.kind === 'refused') {
      return textAnswer(400, outcome.refusals.map(indexRefusalText).join(''));
    }
    metadata.indexes = outcome.entries;
  }
  return { metadata };
}

/** Media type and, if named in lower case, charset; other parameters are not kept. */
export function splitContentType(header: string): {
  readonly mediaType: ByteString;
  readonly charset: ByteString | undefined;
} {
  // Nearly all say the media type alone.
  if (!/[; ]/.test(header)) return { mediaType: header as ByteString, charset: undefined };
  const [mediaType = '', ...parameters] = header.split(/[; ]/).filter((piece) => piece !== '');
  const pairs = parameters.map((text) => text.split('=').filter((piece) => piece !== ''));
  const [, charset, ...others] = pairs.find(([name]) => name === 'charset') ?? [];
  return {
    mediaType: mediaType as ByteString,
    charset: others.length === 0 ? (charset as ByteString | undefined) : undefined,
  };
}

interface StoredHeaders {
  readonly userMetadata: (readonly [key: ByteString, value: ByteString])[];
  readonly indexPairs: (readonly [field: ByteString, value: ByteString])[];
}

function readStoredHeaders(rawHeaders: readonly string[]): StoredHeaders {
  const stored: StoredHeaders = { userMetadata: [], indexPairs: [] };
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    // Nearly all headers end here.
    if (name.length < META_PREFIX.length || (name[0] !== 'X' && name[0] !== 'x')) continue;
    const lower = name.toLowerCase();
    const value = (rawHeaders[index + 1] ?? '') as ByteString;
    if (lower.startsWith(META_PREFIX)) addUserMetadata(stored.userMetadata, name, value);
    else if (lower.startsWith(INDEX_PREFIX)) {
      const field = lower.slice(INDEX_PREFIX.length) as ByteString;
      for (const term of splitTerms(value)) stored.indexPairs.push([field, term]);
    }
  }
  return stored;
}

function addUserMetadata(
  userMetadata: StoredHeaders['userMetadata'],
  name: string,
  value: ByteString,
): void {
  const lower = name.toLowerCase();
  const known = userMetadata.findIndex(([key]) => key.toLowerCase() === lower);
  const earlier = userMetadata[known];
  if (earlier === undefined) userMetadata.push([storedName(name), value]);
  else userMetadata[known] = [earlier[0], `${earlier[1]}, ${value}` as ByteString];
}

const REWRITTEN_LENGTH_MAX = 20;

/** `x-riak-meta-color` is stored as `X-Riak-Meta-Color`. */
function storedName(name: string): ByteString {
  if (name.length > REWRITTEN_LENGTH_MAX) return name as ByteString;
  return name
    .toLowerCase()
    .replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase()) as ByteString;
}

/** Terms are set apart by a comma and one blank; a comma without blank is part of a term. */
function splitTerms(value: ByteString): readonly ByteString[] {
  return value.split(/,[ \t]/) as ByteString[];
}

function indexRefusalText(refusal: IndexRefusal): string {
  return refusal.kind === 'unknown-field-type'
    ? `Unknown field type for field: '${refusal.field}'.\n`
    : `Could not parse field '${refusal.field}', value '${refusal.value}'.\n`;
}
