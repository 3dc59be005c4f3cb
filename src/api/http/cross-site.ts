/**
 * Cross-site requests: a browser on another site must not write to a node by way of its visitor.
 *
 * Refused are `Origin: null` and a `Referer` of another scheme, host or port than the request's own,
 * or one that is no URL; a request without either is no browser's.
 */

import type { Exchange } from './exchange.ts';

export function isCrossSite(exchange: Exchange): boolean {
  const { headers } = exchange;
  if (headers.origin === 'null') return true;
  const { referer } = headers;
  if (referer === undefined) return false;
  const scheme = exchange.isEncrypted ? 'https' : 'http';
  const own = originOf(`${scheme}://${headers.host ?? ''}`);
  return own === undefined || originOf(referer) !== own;
}

/** Scheme, host and port, the port left out where it is the scheme's own. */
function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}
