/**
 * The `Link` header of a write.
 *
 *   riak:            </riak/B/K>; riaktag="T"            </riak/B>; rel="up"
 *   buckets, types:  </buckets/B/keys/K>; riaktag="T"    </buckets/B>; rel="up"
 *
 * Each form of URL takes its own form of links only. The header is cut at its commas first, wherever
 * they stand. The link up to the object's own bucket is what a GET shows; it is not stored, and may
 * stand there once.
 */

import { decodeName } from './percent.ts';
import type { Link } from '../../object/stored-object.ts';
import type { BucketAddress } from './address.ts';

/** The stored links in order, or undefined where the header is not of this form. */
export function parseLinkHeader(
  header: string,
  address: BucketAddress,
): readonly Link[] | undefined {
  const [toBucket, toKey] = address.form === 'riak' ? OLD_FORMS : FORMS;
  const links: Link[] = [];
  let isUpSeen = false;
  for (const piece of header.split(',')) {
    if (piece === '') continue;
    const [, upBucket, relation] = toBucket.exec(piece) ?? [];
    if (upBucket !== undefined && relation !== undefined) {
      const isUp = decodeName(relation) === 'up' && decodeName(upBucket) === address.bucket;
      if (!isUp || isUpSeen) return undefined;
      isUpSeen = true;
      continue;
    }
    const [, bucket, key, tag] = toKey.exec(piece) ?? [];
    if (bucket === undefined || key === undefined || tag === undefined) return undefined;
    links.push({ bucket: decodeName(bucket), key: decodeName(key), tag: decodeName(tag) });
  }
  return links;
}

/** To a bucket, and to a key; whatever stands around the link is passed over. */
const FORMS = [
  /<\/buckets\/([^/]+)>; ?rel="([^"]+)"/,
  /<\/buckets\/([^/]+)\/keys\/([^/]+)>; ?riaktag="([^"]+)"/,
] as const;
const OLD_FORMS = [
  /<\/riak\/([^/]+)>; ?rel="([^"]+)"/,
  /<\/riak\/([^/]+)\/([^/]+)>; ?riaktag="([^"]+)"/,
] as const;

/** What a client is told of a header that is not of its URL's form. */
export function badLinkText(address: BucketAddress): string {
  const form = address.form === 'riak' ? '/riak/BUCKET/KEY' : '/buckets/BUCKET/keys/KEY';
  return `Invalid Link header. Links must be of the form\n<${form}>; riaktag="TAG"\n`;
}
