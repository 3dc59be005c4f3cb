/**
 * The parts of a PEM file that holds several, one behind the other, with text between them.
 *
 * OpenSSL takes what it can read and is silent about the rest; Node.js takes the first only of several lists
 * of what was revoked. So a file is taken apart, and the parts are used, all or none. Source: RFC 7468.
 */

import { X509Certificate } from 'node:crypto';

const CERTIFICATE = '(?:X509 |TRUSTED )?CERTIFICATE';
const REVOCATION_LIST = 'X509 CRL';
/**
 * At the begin of a line, perhaps after a mark of the order of bytes, or right behind the end of another, as where
 * files are put together whose last line does not end. Elsewhere it is text: a comment may name it.
 */
const STARTS = '(?<=^[ \\t]*(?:\\xEF\\xBB\\xBF)?|-----END [A-Z0-9 ]+-----)';

/** The certificates alone, one at least, each on lines of its own. Throws an error where one cannot be read. */
export function certificatesIn(pem: Buffer): Buffer {
  const blocks = blocksIn(pem, CERTIFICATE);
  if (blocks === undefined) throw new Error('of the authorities there is none, or one is cut off');
  for (const block of blocks) mustBeCertificate(block);
  return Buffer.concat(blocks);
}

function mustBeCertificate(block: Buffer): X509Certificate {
  return new X509Certificate(block);
}

/** Each by itself; undefined where there is none, or one is cut off. */
export function revocationListsIn(pem: Buffer): Buffer[] | undefined {
  return blocksIn(pem, REVOCATION_LIST);
}

function blocksIn(pem: Buffer, label: string): Buffer[] | undefined {
  const text = pem.toString('latin1');
  const begun = text.match(new RegExp(`${STARTS}-----BEGIN ${label}-----`, 'gm')) ?? [];
  const whole =
    text.match(new RegExp(`${STARTS}-----BEGIN (${label})-----[^-]*-----END \\1-----`, 'gm')) ?? [];
  if (begun.length === 0 || begun.length !== whole.length) return undefined;
  return whole.map((block) => Buffer.from(`${block}\n`, 'latin1'));
}
