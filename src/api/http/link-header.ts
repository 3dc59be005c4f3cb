/**
 * The `Link` header of a write.
 *
 *   riak:            </riak/B/K>; riaktag="T"            </riak/B>; rel="up"
 *   buckets, types:  </buckets/B/keys/K>; riaktag="T"    </buckets/B>; rel="up"
 *
 * Each form of URL takes its own form of links only. The header is cut at its commas first, wherever
 * they stand. The link up to the object's own bucket is what a GET shows; it is not stored.
 */

import { decodeName } from './percent.ts';
import type { Link } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';

/** The stored links in order, or undefined where the header is not of this form. */
export function parseLinkHeader(
  header: string,
  address: BucketAddress,
): readonly Link[] | undefined {
  const links: Link[] = [];
  for (const piece of header.split(',')) {
    const text = piece.trim();
    if (text === '') continue;
    const link = parseLink(text, address);
    if (link === undefined) return undefined;
    if (link !== 'up') links.push(link);
  }
  return links;
}

const PIECES = /^<\/([^>]*)>; ?(riaktag|rel)="([^"]*)"$/;

function parseLink(text: string, address: BucketAddress): Link | 'up' | undefined {
  const [, path, parameter, tag] = PIECES.exec(text) ?? [];
  if (path === undefined || tag === undefined) return undefined;
  const names = path.split('/');
  const isOldForm = address.form === 'riak';
  if (names.shift() !== (isOldForm ? 'riak' : 'buckets') || names.includes('')) return undefined;
  const bucket = decodeName(names[0] ?? '');
  if (parameter === 'rel') {
    return names.length === 1 && tag === 'up' && bucket === address.bucket ? 'up' : undefined;
  }
  const key = isOldForm ? names[1] : names[2];
  if (key === undefined || names.length !== (isOldForm ? 2 : 3)) return undefined;
  if (!isOldForm && names[1] !== 'keys') return undefined;
  return { bucket, key: decodeName(key), tag: decodeName(tag) };
}

/** What a client is told of a header that is not of its URL's form. */
export function badLinkText(address: BucketAddress): string {
  const form = address.form === 'riak' ? '/riak/BUCKET/KEY' : '/buckets/BUCKET/keys/KEY';
  return `Invalid Link header. Links must be of the form\n<${form}>; riaktag="TAG"\n`;
}
