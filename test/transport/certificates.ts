/**
 * Certificates for tests, made on the spot: an authority and what it vouches for. Just enough of
 * X.509 v3 and of its lists of what was revoked, in DER, for TLS to be content, so that no tool and no
 * private key in the repository is needed. Source: RFC 5280.
 */

import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerTls } from '../../src/transport/peer-certificates.ts';

const ECDSA_WITH = {
  sha1: oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01),
  sha256: oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
};
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const SUBJECT_ALT_NAME = oid(0x55, 0x1d, 0x11);

export class Authority {
  readonly #name: string;
  readonly #digest: keyof typeof ECDSA_WITH;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** Who vouches for it, up to the one that nobody has to vouch for; none: that is itself. */
  #above: Authority | undefined;

  constructor(name: string, digest: keyof typeof ECDSA_WITH = 'sha256') {
    this.#name = name;
    this.#digest = digest;
  }

  /** One that this one vouches for. */
  intermediate(name: string): Authority {
    const other = new Authority(name, this.#digest);
    other.#above = this;
    return other;
  }

  /**
   * Writes three PEM files into `folder` for a node that is reached at 127.0.0.1. Behind its certificate
   * are those of all authorities but the first one, which is in the third file. It is valid from and to so
   * many days from now.
   */
  issue(folder: string, node: string, valid: readonly [number, number] = [-1, 1]): PeerTls {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const files = {
      caFile: join(folder, `${node}-ca.pem`),
      certFile: join(folder, `${node}.pem`),
      keyFile: join(folder, `${node}.key`),
    };
    const address = extension(SUBJECT_ALT_NAME, sequence(tlv(0x87, Buffer.of(127, 0, 0, 1))));
    const own = this.#certificate(node, keys.publicKey, address, valid);
    writeFileSync(files.caFile, this.#first());
    writeFileSync(files.certFile, own + this.#between());
    writeFileSync(files.keyFile, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return files;
  }

  /**
   * Writes a list of what this one has revoked, which ends so many days from now: the certificates in these
   * PEM files.
   */
  revoke(listFile: string, certFiles: readonly string[], endsInDays = 1): void {
    const algorithm = sequence(ECDSA_WITH[this.#digest]);
    const revoked = certFiles.map((file) => {
      const { serialNumber } = new X509Certificate(readFileSync(file));
      return sequence(tlv(0x02, Buffer.from(serialNumber, 'hex')), time(-0.5));
    });
    const body = sequence(
      tlv(0x02, Buffer.of(1)),
      algorithm,
      distinguishedName(this.#name),
      time(-2),
      time(endsInDays),
      ...(revoked.length === 0 ? [] : [sequence(...revoked)]),
    );
    writeFileSync(listFile, this.#signed('X509 CRL', body, algorithm));
  }

  #first(): string {
    if (this.#above !== undefined) return this.#above.#first();
    return this.#certificate(this.#name, this.#keys.publicKey, IS_AUTHORITY);
  }

  #between(): string {
    if (this.#above === undefined) return '';
    const own = this.#above.#certificate(this.#name, this.#keys.publicKey, IS_AUTHORITY);
    return own + this.#above.#between();
  }

  #certificate(
    subject: string,
    publicKey: KeyObject,
    extensionField: Buffer,
    [from, to]: readonly [number, number] = [-1, 1],
  ): string {
    const algorithm = sequence(ECDSA_WITH[this.#digest]);
    const body = sequence(
      tlv(0xa0, tlv(0x02, Buffer.of(2))),
      tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
      algorithm,
      distinguishedName(this.#name),
      sequence(time(from), time(to)),
      distinguishedName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      tlv(0xa3, sequence(extensionField)),
    );
    return this.#signed('CERTIFICATE', body, algorithm);
  }

  #signed(label: string, body: Buffer, algorithm: Buffer): string {
    const signature = sign(this.#digest, body, this.#keys.privateKey);
    const der = sequence(body, algorithm, tlv(0x03, Buffer.concat([Buffer.of(0), signature])));
    const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
    return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
  }
}

const IS_AUTHORITY = extension(BASIC_CONSTRAINTS, sequence(tlv(0x01, Buffer.of(0xff))));

/** Tag, length, value. */
function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), value]);
}

function sequence(...fields: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(fields));
}

function oid(...bytes: readonly number[]): Buffer {
  return tlv(0x06, Buffer.of(...bytes));
}

function distinguishedName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(name)))));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, tlv(0x04, value));
}

/** So many days from now. */
function time(days: number): Buffer {
  const at = new Date(Date.now() + days * 86_400_000).toISOString();
  return tlv(0x18, Buffer.from(`${at.slice(0, 19).replace(/[-:T]/g, '')}Z`));
}
