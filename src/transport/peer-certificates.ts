/**
 * The certificates of the links between nodes, read anew when they change.
 *
 * Links that are opened after a change use the new files, whichever side opens them; open ones stay as
 * they are. Files that cannot be used, such as a certificate whose key has not been replaced yet, change
 * nothing: they are logged, counted and tried again. To change the authority, first put the old and the
 * new one into every node's file, then the certificates, then take the old one out.
 */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import { credentials, ServerCredentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';

/** PEM files; both sides of a connection show a certificate that the authority has signed. */
export interface PeerTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

interface Pems {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

const LOOK_MS = 60_000;

export class PeerCertificates {
  readonly server: ServerCredentials;
  readonly #host: Host;
  readonly #tls: PeerTls | undefined;
  readonly #renewable: RenewableCredentials | undefined;
  #pems: Pems | undefined;
  #client: ChannelCredentials;
  #cancelLook: () => void = () => {};

  /** Without `tls` nothing is encrypted. Throws a `config` fault that names the file. */
  constructor(host: Host, tls: PeerTls | undefined) {
    this.#host = host;
    this.#tls = tls;
    if (tls === undefined) {
      this.#client = credentials.createInsecure();
      this.server = ServerCredentials.createInsecure();
      return;
    }
    const pems = readPems(tls);
    this.#pems = pems;
    this.#client = clientCredentials(pems);
    this.#renewable = new RenewableCredentials(pems);
    this.server = this.#renewable;
    this.#showExpiry(pems);
  }

  /** For the next connection. */
  client(): ChannelCredentials {
    return this.#client;
  }

  /** Looks for changes every minute, until `close`. */
  watch(): void {
    if (this.#tls === undefined) return;
    this.#cancelLook = this.#host.clock.after(LOOK_MS, () => {
      this.reload();
      this.watch();
    });
  }

  /** Takes what the files hold now, if it has changed and can be used. */
  reload(): void {
    const { log, metrics } = this.#host;
    if (this.#tls === undefined) return;
    try {
      const pems = readPems(this.#tls);
      if (this.#pems !== undefined && areEqual(pems, this.#pems)) return;
      this.#client = clientCredentials(pems);
      this.#renewable?.renew(pems);
      this.#pems = pems;
      this.#showExpiry(pems);
      metrics.count('tls_renewals_total');
      log.info('peer.certificates.renewed', { file: this.#tls.certFile });
    } catch (error) {
      if (!isFault(error)) throw error;
      metrics.count('tls_renewals_failed_total');
      log.error('peer.certificates.unusable', { reason: error.message, kept: 'the ones in use' });
    }
  }

  /** Idempotent. */
  close(): void {
    this.#cancelLook();
  }

  #showExpiry({ cert }: Pems): void {
    const endSeconds = Math.floor(Date.parse(new X509Certificate(cert).validTo) / 1_000);
    this.#host.metrics.gauge('tls_certificate_expiry_timestamp_seconds', endSeconds);
  }
}

/** Whether the certificate is for this node: by its common name, or by the host in the node's name. */
export function isCertifiedAs(node: NodeId, certificate: PeerCertificate | undefined): boolean {
  // Without a certificate gRPC gives none, or an empty one.
  if (certificate?.subject === undefined) return false;
  if (certificate.subject.CN === node) return true;
  return checkServerIdentity(node.slice(node.lastIndexOf('@') + 1), certificate) === undefined;
}

class RenewableCredentials extends ServerCredentials {
  constructor(pems: Pems) {
    super({ requestCert: true, rejectUnauthorized: true }, contextOf(pems));
  }

  renew(pems: Pems): void {
    this.updateSecureContextOptions(contextOf(pems));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ ca, cert, key }: Pems): SecureContextOptions {
  return { ca, cert, key };
}

function clientCredentials({ ca, cert, key }: Pems): ChannelCredentials {
  return credentials.createSsl(ca, key, cert);
}

function readPems({ caFile, certFile, keyFile }: PeerTls): Pems {
  const pems = { ca: readPem(caFile), cert: readPem(certFile), key: readPem(keyFile) };
  try {
    createSecureContext(contextOf(pems));
  } catch (cause) {
    throw new Fault('config', `${certFile}, ${keyFile} are no certificate and its key`, { cause });
  }
  return pems;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Fault('config', `the certificate file ${path} cannot be read`, { cause });
  }
}

function areEqual(left: Pems, right: Pems): boolean {
  return left.ca.equals(right.ca) && left.cert.equals(right.cert) && left.key.equals(right.key);
}
