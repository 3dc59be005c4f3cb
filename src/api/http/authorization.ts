/**
 * Who asks, and whether they may: what the pipeline judges while security is on.
 *
 * Credentials are taken over TLS only, with every request (RFC 7617). A request over plain HTTP is told
 * so, whatever it brings.
 */

import { htmlAnswer, textAnswer } from './answer.ts';
import { ACCESS, demandOf } from './permissions.ts';
import { findDenial } from '../../security/needs.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Resource } from './resource.ts';

const TRY_HTTPS =
  'Security is enabled and Riak does not accept credentials over HTTP. Try HTTPS instead.';
/** A name and a password are short. */
const CREDENTIALS_MAX = 8_192;

/** Notes who the client is; its refusal, unless it was admitted or need not be. */
export async function refuseStranger(
  exchange: Exchange,
  resource: Resource,
): Promise<Answer | undefined> {
  if (ACCESS[resource.route].kind === 'open') return undefined;
  const { host, service } = exchange.context;
  if (!exchange.isEncrypted) {
    host.metrics.count('http_plain_refused_total');
    return textAnswer(426, TRY_HTTPS);
  }
  const credentials = parseBasic(exchange.header('authorization'));
  const { address } = exchange;
  const isAdmitted =
    credentials !== undefined &&
    (await service.gatekeeper.authenticate({ ...credentials, address }));
  if (isAdmitted) {
    exchange.user = credentials.user;
    return undefined;
  }
  host.metrics.count('http_auth_failed_total');
  return htmlAnswer(401, '', ['WWW-Authenticate', 'Basic realm="Riak"']);
}

/** The refusal of a client that was admitted and lacks a permission. */
export function refuseUser(exchange: Exchange, resource: Resource): Answer | undefined {
  if (ACCESS[resource.route].kind === 'open') return undefined;
  const { user, address, method, context } = exchange;
  // Whoever gets here has been admitted; what has not is not served.
  if (user === undefined) return htmlAnswer(401);
  const denial = findDenial(
    context.service.gatekeeper,
    { user, address },
    demandOf(resource, method),
  );
  return denial === undefined ? undefined : textAnswer(403, denial);
}

interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** One character for a byte; the password may hold colons and may be empty. */
export function parseBasic(header: string | undefined): BasicCredentials | undefined {
  if (header === undefined || header.length > CREDENTIALS_MAX) return undefined;
  const [, encoded] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header.trim()) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
