/**
 * Certificates in files, read anew when they change.
 *
 * Looked at every minute and when an operator says so. Files that cannot be used, such as a certificate
 * whose key has not been replaced yet, or whose time has not come, change nothing: they are logged, counted
 * and tried again.
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { Fault, isFault } from '../base/fault.ts';
import { certificatesIn, revocationListsIn } from '../base/pem-blocks.ts';
import { reasonOf } from './handshake.ts';
import { firstExpiryMs } from './revocation-list.ts';
import type { Host } from '../base/host.ts';

/** PEM files. */
export interface CertificatePaths {
  readonly caFile?: string | undefined;
  readonly certFile: string;
  readonly keyFile: string;
  /** What the authorities have revoked; undefined: nothing counts as revoked. */
  readonly crlFile?: string | undefined;
  /** In OpenSSL's words, for those who connect with TLS here; undefined: Node's own list. */
  readonly ciphers?: string | undefined;
}

export interface Pems {
  /** Undefined where there is no such file. */
  readonly ca: Buffer | undefined;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** As `ca`; each list by itself. */
  readonly crl: Buffer[] | undefined;
  /** As configured: of the files nothing. */
  readonly ciphers: string | undefined;
}

/** What is told of changes, and under which names. */
interface ChangeNames {
  /** Log events begin with it. */
  readonly events: string;
  readonly renewals: string;
  readonly failures: string;
  /** Gauges: when the certificate ends, and the first of the lists of what was revoked. */
  readonly expiry: string;
  readonly crlExpiry: string;
}

/** Of what clients are shown. */
export const CLIENT_CERTIFICATES: ChangeNames = {
  events: 'client.certificates',
  renewals: 'client_tls_renewals_total',
  failures: 'client_tls_renewals_failed_total',
  expiry: 'client_tls_certificate_expiry_timestamp_seconds',
  crlExpiry: 'client_tls_crl_expiry_timestamp_seconds',
};

const LOOK_MS = 60_000;

export class CertificateFiles {
  readonly #host: Host;
  readonly #paths: CertificatePaths;
  readonly #names: ChangeNames;
  readonly #renewed: ((pems: Pems) => void)[] = [];
  #pems: Pems;
  #cancelLook: () => void = () => {};

  /** Throws a `config` fault that names the file. */
  constructor(host: Host, paths: CertificatePaths, names: ChangeNames) {
    this.#host = host;
    this.#paths = paths;
    this.#names = names;
    this.#pems = readPems(paths);
    this.#showExpiry();
  }

  current(): Pems {
    return this.#pems;
  }

  onRenewal(renewed: (pems: Pems) => void): void {
    this.#renewed.push(renewed);
  }

  /** Looks for changes every minute, until `close`. */
  watch(): void {
    this.#cancelLook = this.#host.clock.after(LOOK_MS, () => {
      this.reload();
      this.watch();
    });
  }

  /** Takes what the files hold now, if it has changed and can be used. */
  reload(): void {
    const { log, metrics } = this.#host;
    const { events, renewals } = this.#names;
    try {
      const pems = this.#withValid(readPems(this.#paths));
      if (areEqual(pems, this.#pems)) return;
      this.#pems = pems;
      for (const renewed of this.#renewed) renewed(pems);
      this.#showExpiry();
      metrics.count(renewals);
      log.info(`${events}.renewed`, { file: this.#paths.certFile });
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#noteFailure(error.message);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#cancelLook();
  }

  /** With the certificate in use where the time of the one that was read has not come, or is over. */
  #withValid(read: Pems): Pems {
    const { cert, key } = this.#pems;
    if (read.cert.equals(cert)) return read;
    const { validFrom, validTo } = new X509Certificate(read.cert);
    const nowMs = this.#host.clock.wallMicros() / 1_000;
    if (Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo)) return read;
    this.#noteFailure(`${this.#paths.certFile} is valid from ${validFrom} to ${validTo} only`);
    return { ...read, cert, key };
  }

  #noteFailure(reason: string): void {
    const { log, metrics } = this.#host;
    metrics.count(this.#names.failures);
    log.error(`${this.#names.events}.unusable`, { reason, kept: 'the ones in use' });
  }

  #showExpiry(): void {
    const { metrics } = this.#host;
    const { cert, crl } = this.#pems;
    const { validTo } = new X509Certificate(cert);
    metrics.gauge(this.#names.expiry, Math.floor(Date.parse(validTo) / 1_000));
    const crlEndMs = crl && firstExpiryMs(Buffer.concat(crl));
    if (crlEndMs !== undefined) metrics.gauge(this.#names.crlExpiry, Math.floor(crlEndMs / 1_000));
  }
}

/** Throws a `config` fault that names the file which a node could not start with. */
export function readPems({ caFile, certFile, keyFile, crlFile, ciphers }: CertificatePaths): Pems {
  const ca = caFile === undefined ? undefined : readAuthorities(caFile);
  const crl = crlFile === undefined ? undefined : readRevocationLists(crlFile);
  const pems = { ca, cert: readPem(certFile), key: readPem(keyFile), crl, ciphers };
  mustBeUsable({ ciphers }, `tls.client.ciphers names no ciphers that can be used: ${ciphers}`);
  mustBeUsable({ crl }, `${crlFile} is no list of revoked certificates that can be used`);
  mustBeUsable(pems, `${certFile} and ${keyFile} are no certificate and key that can be used`);
  return pems;
}

function readRevocationLists(path: string): Buffer[] {
  const lists = revocationListsIn(readPem(path));
  if (lists !== undefined) return lists;
  throw new Fault('config', `${path} is no list of revoked certificates that can be used`);
}

/** OpenSSL would trust those before the first that it cannot read, and be silent about it. */
function readAuthorities(path: string): Buffer {
  const pem = readPem(path);
  try {
    return certificatesIn(pem);
  } catch (cause) {
    const told = `${path} is no list of authorities to be used: ${reasonOf(cause)}`;
    throw new Fault('config', told, { cause });
  }
}

function mustBeUsable(options: SecureContextOptions, told: string): void {
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new Fault('config', `${told}: ${reasonOf(cause)}`, { cause });
  }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Fault('config', `the certificate file ${path} cannot be read`, { cause });
  }
}

function areEqual(left: Pems, right: Pems): boolean {
  const [one, other] = [filesOf(left), filesOf(right)];
  return one.length === other.length && one.every((pem, index) => other[index]?.equals(pem));
}

/** Which of them there are does not change while the node runs. */
function filesOf({ ca, cert, key, crl = [] }: Pems): readonly Buffer[] {
  return [...(ca === undefined ? [] : [ca]), cert, key, Buffer.concat(crl)];
}
