/**
 * From path to resource.
 *
 * Three generations of URLs name the same things: `/riak/B/K`, `/buckets/B/keys/K` and
 * `/types/T/buckets/B/keys/K`. A path is split at its raw slashes, empty pieces are dropped, and only
 * then each piece is decoded, so that `%2F` within a piece is part of a name.
 */

import { CounterResource } from './counter-resource.ts';
import { DatatypeResource } from './datatype-resource.ts';
import { parseFoldPath } from './fold-path.ts';
import { FoldResource } from './fold-resource.ts';
import { HealthResource } from './health-resource.ts';
import { IndexResource } from './index-resource.ts';
import { LinkWalkResource } from './link-walk-resource.ts';
import { ListBucketsResource } from './list-buckets-resource.ts';
import { ListKeysResource } from './list-keys-resource.ts';
import { MapReduceResource } from './mapreduce-resource.ts';
import { MetricsResource } from './metrics-resource.ts';
import { ObjectDeleteResource } from './object-delete-resource.ts';
import { ObjectReadResource } from './object-read-resource.ts';
import { ObjectWriteResource } from './object-write-resource.ts';
import { decodeName } from './percent.ts';
import { PingResource } from './ping-resource.ts';
import { bucketPropertiesResource, typePropertiesResource } from './properties-resource.ts';
import { QueryResource } from './query-resource.ts';
import { RootResource } from './root-resource.ts';
import { StatsResource } from './stats-resource.ts';
import { DEFAULT_BUCKET_TYPE } from '../../base/names.ts';
import type { ByteString } from '../../base/bytes.ts';
import type { BucketAddress } from './address.ts';
import type { Exchange } from './exchange.ts';
import type { Resource } from './resource.ts';

/** The names of a path, decoded; `path` is what precedes the `?`. */
export function splitPath(path: string): readonly ByteString[] {
  const names: ByteString[] = [];
  let start = 0;
  while (start < path.length) {
    const slash = path.indexOf('/', start);
    const end = slash < 0 ? path.length : slash;
    if (end > start) names.push(decodeName(path.slice(start, end)));
    start = end + 1;
  }
  return names;
}

/** The resource that `names` lead to, or undefined: there is none. */
export function findResource(
  exchange: Exchange,
  names: readonly ByteString[],
): Resource | undefined {
  const [first, second, third] = names;
  switch (first) {
    case undefined:
      return new RootResource();
    case 'ping':
      return names.length === 1 ? new PingResource() : undefined;
    case 'livez':
      return names.length === 1 ? new HealthResource(exchange, 'livez') : undefined;
    case 'readyz':
      return names.length === 1 ? new HealthResource(exchange, 'readyz') : undefined;
    case 'stats':
      return names.length === 1 ? new StatsResource(exchange) : undefined;
    case 'metrics':
      return names.length === 1 ? new MetricsResource(exchange) : undefined;
    case 'mapred':
      return names.length === 1 ? new MapReduceResource(exchange) : undefined;
    case 'riak':
      return findOldResource(exchange, names);
    case 'buckets':
      return findBucketResource(exchange, 'buckets', {
        type: DEFAULT_BUCKET_TYPE,
        names: names.slice(1),
      });
    case 'types':
      if (second === undefined) return undefined;
      if (third === 'props' && names.length === 3) {
        return typePropertiesResource(exchange, second);
      }
      if (third !== 'buckets') return undefined;
      return findBucketResource(exchange, 'types', { type: second, names: names.slice(3) });
    default:
      return findFold(exchange, names);
  }
}

function findFold(exchange: Exchange, names: readonly ByteString[]): Resource | undefined {
  const path = parseFoldPath(names);
  return path === undefined ? undefined : new FoldResource(exchange, path);
}

/** `/riak`, `/riak/B`, `/riak/B/K` and `/riak/B/K/step…`. */
function findOldResource(exchange: Exchange, names: readonly ByteString[]): Resource | undefined {
  const [, bucket, key] = names;
  const type = DEFAULT_BUCKET_TYPE;
  if (bucket === undefined) return new ListBucketsResource(exchange, type);
  const address: BucketAddress = { form: 'riak', type, bucket };
  if (key !== undefined) return findKeyResource(exchange, address, names.slice(2));
  if (exchange.method === 'POST') return new ObjectWriteResource(exchange, address, undefined);
  const keys = exchange.query.get('keys');
  if (keys === 'true' || keys === 'stream') return new ListKeysResource(exchange, address);
  // The URL names the list of keys and the properties alike; without either there is nothing.
  const isHidden = exchange.query.get('props') === 'false';
  return isHidden ? undefined : bucketPropertiesResource(exchange, address);
}

/** What follows `/buckets` and `/types/T/buckets`. */
function findBucketResource(
  exchange: Exchange,
  form: 'buckets' | 'types',
  target: { readonly type: ByteString; readonly names: readonly ByteString[] },
): Resource | undefined {
  const { type, names } = target;
  const [bucket, what, key] = names;
  if (bucket === undefined) return new ListBucketsResource(exchange, type);
  const address: BucketAddress = { form, type, bucket };
  switch (what) {
    case 'props':
      return names.length === 2 ? bucketPropertiesResource(exchange, address) : undefined;
    case 'keys':
      if (key !== undefined) return findKeyResource(exchange, address, names.slice(2));
      return exchange.method === 'POST'
        ? new ObjectWriteResource(exchange, address, undefined)
        : new ListKeysResource(exchange, address);
    case 'index':
      return key === undefined || names.length > 5
        ? undefined
        : new IndexResource(exchange, address, { field: key, terms: names.slice(3) });
    case 'query':
      return names.length === 2 ? new QueryResource(exchange, address) : undefined;
    case 'counters':
      return form === 'buckets' && key !== undefined && names.length === 3
        ? new CounterResource(exchange, { type, bucket, key })
        : undefined;
    case 'datatypes':
      if (form !== 'types' || names.length > 3) return undefined;
      return key === undefined && exchange.method !== 'POST'
        ? undefined
        : new DatatypeResource(exchange, address, key);
    case undefined:
    default:
      return undefined;
  }
}

/** A key, and perhaps a walk along the links that start there. */
function findKeyResource(
  exchange: Exchange,
  address: BucketAddress,
  names: readonly ByteString[],
): Resource | undefined {
  const [key, ...steps] = names;
  if (key === undefined) return undefined;
  if (steps.length > 0)
    return new LinkWalkResource(exchange, address, { key, stepCount: steps.length });
  switch (exchange.method) {
    case 'PUT':
    case 'POST':
      return new ObjectWriteResource(exchange, address, key);
    case 'DELETE':
      return new ObjectDeleteResource(exchange, address, key);
    default:
      return new ObjectReadResource(exchange, address, key);
  }
}
