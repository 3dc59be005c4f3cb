/**
 * Conditional requests: whether the state that a client names is still the state.
 *
 * The order is that of RFC 9110, section 13.2.2, with two habits of Riak's: only quoted strings count
 * as entity tags (`W/"x"` matches as `x`, the last quote may be missing), and `If-Modified-Since` is
 * looked at whatever the method.
 */

import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.ts';

/** What tells one state of a resource from another. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string;
  readonly lastModifiedMicros: number;
}

/** Whether a write has to look at the state first; `If-Modified-Since` alone is no reason for Riak. */
export function isConditional(headers: IncomingHttpHeaders): boolean {
  return (
    headers['if-match'] !== undefined ||
    headers['if-none-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined
  );
}

/**
 * The status that ends a request for something that exists, or undefined: it goes on. Without
 * validators only `*` matches, and dates do not count.
 */
export function checkConditions(
  headers: IncomingHttpHeaders,
  method: string,
  state: { readonly validators: Validators | undefined; readonly nowMicros: number },
): 304 | 412 | undefined {
  const { validators, nowMicros } = state;
  const lastModified = Math.floor((validators?.lastModifiedMicros ?? Number.NaN) / 1_000_000);

  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !matches(ifMatch, validators?.etag)) return 412;

  const unmodifiedSince = parseDateHeader(headers['if-unmodified-since']);
  if (unmodifiedSince !== undefined && lastModified > unmodifiedSince) return 412;

  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, validators?.etag)) {
    return method === 'GET' || method === 'HEAD' ? 304 : 412;
  }

  const modifiedSince = parseDateHeader(headers['if-modified-since']);
  if (modifiedSince === undefined || modifiedSince * 1_000_000 > nowMicros) return undefined;
  return lastModified <= modifiedSince ? 304 : undefined;
}

function parseDateHeader(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseHttpDate(text);
}

/** Whether a list of entity tags is `*` or names this one. */
function matches(list: string, etag: string | undefined): boolean {
  if (list.trim() === '*') return true;
  let open = list.indexOf('"');
  while (open >= 0) {
    const close = list.indexOf('"', open + 1);
    if (close < 0) return list.slice(open + 1) === etag;
    if (list.slice(open + 1, close) === etag) return true;
    open = list.indexOf('"', close + 1);
  }
  return false;
}
