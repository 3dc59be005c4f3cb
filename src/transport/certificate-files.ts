/**
 * Certificates in files, read anew when they change.
 *
 * Looked at every minute and when an operator says so. Files that cannot be used, such as a certificate
 * whose key has not been replaced yet, change nothing: they are logged, counted and tried again.
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { Fault, isFault } from '../base/fault.ts';
import { reasonOf } from './handshake.ts';
import type { Host } from '../base/host.ts';

/** PEM files. */
export interface CertificatePaths {
  readonly caFile?: string | undefined;
  readonly certFile: string;
  readonly keyFile: string;
  /** In OpenSSL's words, for those who connect with TLS here; undefined: Node's own list. */
  readonly ciphers?: string | undefined;
}

export interface Pems {
  /** Undefined where there is no such file. */
  readonly ca: Buffer | undefined;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** As configured: of the files nothing. */
  readonly ciphers: string | undefined;
}

/** What is told of changes, and under which names. */
interface ChangeNames {
  /** Log events begin with it. */
  readonly events: string;
  readonly renewals: string;
  readonly failures: string;
  /** Gauge: when the certificate ends. */
  readonly expiry: string;
}

/** Of what clients are shown. */
export const CLIENT_CERTIFICATES: ChangeNames = {
  events: 'client.certificates',
  renewals: 'client_tls_renewals_total',
  failures: 'client_tls_renewals_failed_total',
  expiry: 'client_tls_certificate_expiry_timestamp_seconds',
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
    const { events, renewals, failures } = this.#names;
    try {
      const pems = readPems(this.#paths);
      if (areEqual(pems, this.#pems)) return;
      this.#pems = pems;
      for (const renewed of this.#renewed) renewed(pems);
      this.#showExpiry();
      metrics.count(renewals);
      log.info(`${events}.renewed`, { file: this.#paths.certFile });
    } catch (error) {
      if (!isFault(error)) throw error;
      metrics.count(failures);
      log.error(`${events}.unusable`, { reason: error.message, kept: 'the ones in use' });
    }
  }

  /** Idempotent. */
  close(): void {
    this.#cancelLook();
  }

  #showExpiry(): void {
    const { validTo } = new X509Certificate(this.#pems.cert);
    this.#host.metrics.gauge(this.#names.expiry, Math.floor(Date.parse(validTo) / 1_000));
  }
}

function readPems({ caFile, certFile, keyFile, ciphers }: CertificatePaths): Pems {
  const ca = caFile === undefined ? undefined : readPem(caFile);
  const pems = { ca, cert: readPem(certFile), key: readPem(keyFile), ciphers };
  mustBeCiphers(ciphers);
  try {
    createSecureContext(pems);
  } catch (cause) {
    const told = `${certFile} and ${keyFile} are no certificate and key that can be used`;
    throw new Fault('config', `${told}: ${reasonOf(cause)}`, { cause });
  }
  return pems;
}

function mustBeCiphers(ciphers: string | undefined): void {
  try {
    createSecureContext({ ciphers });
  } catch (cause) {
    const told = `tls.client.ciphers names no ciphers that can be used: ${ciphers}`;
    throw new Fault('config', told, { cause });
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
  const isSameCa =
    left.ca === undefined || right.ca === undefined
      ? left.ca === right.ca
      : left.ca.equals(right.ca);
  return isSameCa && left.cert.equals(right.cert) && left.key.equals(right.key);
}
