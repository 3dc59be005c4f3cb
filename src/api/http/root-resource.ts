/**
 * `/`: the list of resources, from which old clients learn the paths.
 */

import type { Answer } from './answer.ts';
import type { Form, Offer, Resource } from './resource.ts';

/** Riak's names, some of them once for each generation of URLs. */
const RESOURCES: readonly (readonly [name: string, path: string])[] = [
  ['riak_kv_wm_buckets', '/buckets'],
  ['riak_kv_wm_buckets', '/riak'],
  ['riak_kv_wm_buckets', '/types'],
  ['riak_kv_wm_bucket_type', '/types'],
  ['riak_kv_wm_counter', '/buckets'],
  ['riak_kv_wm_crdt', '/types'],
  ['riak_kv_wm_index', '/buckets'],
  ['riak_kv_wm_index', '/types'],
  ['riak_kv_wm_keylist', '/buckets'],
  ['riak_kv_wm_keylist', '/types'],
  ['riak_kv_wm_link_walker', '/buckets'],
  ['riak_kv_wm_link_walker', '/riak'],
  ['riak_kv_wm_mapred', '/mapred'],
  ['riak_kv_wm_object', '/buckets'],
  ['riak_kv_wm_object', '/riak'],
  ['riak_kv_wm_object', '/types'],
  ['riak_kv_wm_ping', '/ping'],
  ['riak_kv_wm_props', '/buckets'],
  ['riak_kv_wm_props', '/types'],
  ['riak_kv_wm_stats', '/stats'],
];

const OFFER: Offer = {
  mediaTypes: ['text/html', 'application/json'],
  encodings: ['identity'],
};

const LINK = RESOURCES.map(([name, path]) => `<${path}>; rel="${name}"`).join(',');
const JSON_BODY = `{${RESOURCES.map(([name, path]) => `"${name}":"${path}"`).join(',')}}`;
const HTML_BODY = `<html><body><ul>${RESOURCES.map(([name, path]) => {
  return `<li><a href="${path}">${name}</a></li>`;
}).join('')}</ul></body></html>`;

export class RootResource implements Resource {
  readonly route = 'root';
  readonly methods = ['GET', 'HEAD'];
  readonly isOpenToOtherSites = true;

  offer(): Offer {
    return OFFER;
  }

  act({ mediaType }: Form): Answer {
    const body = mediaType === 'text/html' ? HTML_BODY : JSON_BODY;
    return { status: 200, headers: ['Content-Type', mediaType, 'Link', LINK], body };
  }
}
