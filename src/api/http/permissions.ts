/**
 * What each route needs while security is on: who may come, and which permission each method asks for.
 * One line for each route; a method without an entry is refused.
 *
 * Open to everyone, over plain HTTP too, is what says nothing of anyone's data. `/` and `/stats` are so
 * in Riak; `/livez`, `/readyz` and `/metrics` are for probes and scrapers of the machines' operators,
 * which have no credentials: they tell counts and states of the node, as `/stats` does.
 */

import { LINKS_REFUSED } from '../../security/needs.ts';
import type { Demand } from '../../security/needs.ts';
import type { Permission, Target } from '../../security/permission.ts';

export type RouteName =
  | 'root'
  | 'ping'
  | 'livez'
  | 'readyz'
  | 'stats'
  | 'metrics'
  | 'mapreduce'
  | 'buckets'
  | 'keys'
  | 'bucket properties'
  | 'type properties'
  | 'object'
  | 'link walk'
  | 'index'
  | 'query'
  | 'counter'
  | 'datatype'
  | 'fold';

type Access =
  /** Anyone. */
  | { readonly kind: 'open' }
  /** Any user that has been admitted. */
  | { readonly kind: 'users' }
  /** By method, on the target of the resource. */
  | { readonly kind: 'granted'; readonly byMethod: Readonly<Record<string, Permission>> }
  /** What the resource says, which depends on the body, or on more than the route. */
  | { readonly kind: 'by-request' }
  /** Nobody. */
  | { readonly kind: 'refused'; readonly demand: Demand };

const OPEN: Access = { kind: 'open' };

export const ACCESS: Readonly<Record<RouteName, Access>> = {
  root: OPEN,
  ping: { kind: 'users' },
  livez: OPEN,
  readyz: OPEN,
  stats: OPEN,
  metrics: OPEN,
  mapreduce: { kind: 'by-request' },
  buckets: granted({ GET: 'riak_kv.list_buckets', HEAD: 'riak_kv.list_buckets' }),
  keys: granted({ GET: 'riak_kv.list_keys', HEAD: 'riak_kv.list_keys' }),
  'bucket properties': granted({
    GET: 'riak_core.get_bucket',
    HEAD: 'riak_core.get_bucket',
    PUT: 'riak_core.set_bucket',
    DELETE: 'riak_core.set_bucket',
  }),
  'type properties': granted({
    GET: 'riak_core.get_bucket_type',
    HEAD: 'riak_core.get_bucket_type',
    PUT: 'riak_core.set_bucket_type',
  }),
  object: granted({
    GET: 'riak_kv.get',
    HEAD: 'riak_kv.get',
    PUT: 'riak_kv.put',
    POST: 'riak_kv.put',
    DELETE: 'riak_kv.delete',
  }),
  'link walk': { kind: 'refused', demand: LINKS_REFUSED },
  index: granted({ GET: 'riak_kv.index', HEAD: 'riak_kv.index' }),
  query: granted({ POST: 'riak_kv.index' }),
  counter: granted({ GET: 'riak_kv.get', POST: 'riak_kv.put' }),
  datatype: granted({ GET: 'riak_kv.get', HEAD: 'riak_kv.get', POST: 'riak_kv.put' }),
  fold: { kind: 'by-request' },
};

/** What a resource tells of itself, so that it can be judged who may ask for it. */
export interface Guarded {
  readonly route: RouteName;
  /** The bucket or the type that it is about; undefined: neither. */
  readonly target?: Target;
  /** Where it depends on the request, whose body has been read. */
  demand?(): Demand;
}

/** What a request for the resource needs; deny by default. */
export function demandOf(resource: Guarded, method: string): Demand {
  const access = ACCESS[resource.route];
  switch (access.kind) {
    case 'open':
    case 'users':
      return [];
    case 'granted': {
      const permission = access.byMethod[method];
      if (permission === undefined || resource.target === undefined) return NOT_PLANNED;
      return [{ permission, target: resource.target }];
    }
    case 'by-request':
      return resource.demand?.() ?? NOT_PLANNED;
    case 'refused':
      return access.demand;
  }
}

const NOT_PLANNED: Demand = { refusal: 'Permission denied' };

function granted(byMethod: Readonly<Record<string, Permission>>): Access {
  return { kind: 'granted', byMethod };
}
