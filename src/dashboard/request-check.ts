/**
 * Whether a request may be answered: it comes from this machine, by the dashboard's own page.
 * Pure.
 *
 * A page of another site can make a browser send requests to loopback. Against a name that is made
 * to point here (DNS rebinding) stands the Host header, against other sites Origin and Sec-Fetch-
 * Site, and against other users of this machine the secret in the path, which only who started the
 * dashboard is shown.
 */

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface CheckedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export type Judgement =
  /** What is asked for, below the dashboard's own path. */
  | { readonly kind: 'allowed'; readonly path: string }
  | { readonly kind: 'refused'; readonly status: 403 | 404 | 405; readonly text: string };

/** By whatever port: it may be forwarded. */
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

export function judgeRequest(
  { method, target, headers }: CheckedRequest,
  secret: string,
): Judgement {
  const { host = '', origin } = headers;
  if (!LOOPBACK_HOST.test(host)) return refused(403, 'this is not a name of this machine’s own');
  if (origin !== undefined && origin.toLowerCase() !== `http://${host}`.toLowerCase()) {
    return refused(403, 'a page of another site asks');
  }
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    return refused(403, 'a page of another site asks');
  }
  if (!['GET', 'HEAD', 'POST'].includes(method)) return refused(405, 'nothing here can be changed');
  if (method === 'POST' && origin === undefined)
    return refused(403, 'only the page itself may ask this');
  const [, given = '', path] = /^\/([^/?]*)\/([^?]*)(?:\?.*)?$/.exec(target) ?? [];
  if (path === undefined || !isEqual(given, secret)) {
    return refused(404, 'the address was printed, whole, where the dashboard was started');
  }
  return { kind: 'allowed', path };
}

function refused(status: 403 | 404 | 405, text: string): Judgement {
  return { kind: 'refused', status, text };
}

function isEqual(given: string, secret: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(secret)];
  return left.length === right.length && timingSafeEqual(left, right);
}
