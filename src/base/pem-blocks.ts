/**
 * The parts of a PEM file that holds several, one behind the other, with text between them.
 *
 * OpenSSL takes what it can read and is silent about the rest; Node.js takes the first only of several lists
 * of what was revoked. So a file is taken apart, and used as a whole or not at all. Source: RFC 7468.
 */

import { X509Certificate } from 'node:crypto';

const CERTIFICATE = '(?:X509 |TRUSTED )?CERTIFICATE';
const REVOCATION_LIST = 'X509 CRL';

/** One at least. Throws an error where there is none, or one cannot be read. */
export function certificatesIn(pem: Buffer): readonly X509Certificate[] {
  const blocks = blocksIn(pem, CERTIFICATE);
  if (blocks === undefined) throw new Error('of the authorities there is none, or one is cut off');
  return blocks.map((block) => new X509Certificate(block));
}

/** Each by itself; undefined where there is none, or one is cut off. */
export function revocationListsIn(pem: Buffer): Buffer[] | undefined {
  return blocksIn(pem, REVOCATION_LIST);
}

function blocksIn(pem: Buffer, label: string): Buffer[] | undefined {
  const text = pem.toString('latin1');
  const begun = text.match(new RegExp(`-----BEGIN ${label}-----`, 'g')) ?? [];
  const whole =
    text.match(new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, 'g')) ?? [];
  if (begun.length === 0 || begun.length !== whole.length) return undefined;
  return whole.map((block) => Buffer.from(`${block}\n`, 'latin1'));
}
