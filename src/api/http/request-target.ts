/**
 * What a request line asks for: a path and a query.
 *
 * A server is asked for a path. A whole URL is what a proxy is asked for, but every server has to
 * understand it (RFC 9112, section 3.2.2), and a client that was told of a proxy may send it. Which
 * host it names is not looked at, as with the header: a node answers for itself whatever it is called.
 * A fragment is the client's own affair; one that is sent all the same is passed over, as with Riak.
 */

import { Query } from './query.ts';

export interface RequestTarget {
  /** As it came, not decoded. */
  readonly path: string;
  readonly query: Query;
}

export function parseTarget(text: string): RequestTarget {
  const whole = text.startsWith('/') ? text : text.replace(SCHEME_AND_HOST, '');
  const hash = whole.indexOf('#');
  const origin = hash < 0 ? whole : whole.slice(0, hash);
  const mark = origin.indexOf('?');
  return mark < 0
    ? { path: origin, query: NO_QUERY }
    : { path: origin.slice(0, mark), query: new Query(origin.slice(mark + 1)) };
}

const NO_QUERY = new Query('');
const SCHEME_AND_HOST = /^https?:\/\/[^/?]*/i;
