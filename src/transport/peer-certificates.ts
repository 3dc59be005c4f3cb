/**
 * The certificates of the links between nodes, read anew when they change (`certificate-files.ts`).
 *
 * Links and streams that are opened after a change use the new files, whichever side opens them; open ones
 * stay as they are. To change the authority, first put the old and the new one into every node's file, then the
 * certificates, then take the old one out.
 */

import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import { credentials, ServerCredentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { assert } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import type { NodeId } from '../base/names.ts';
import { CertificateFiles } from './certificate-files.ts';
import type { Pems } from './certificate-files.ts';

/** PEM files; both sides of a connection show a certificate that the authority has signed. */
export interface PeerTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly crlFile?: string | undefined;
}

export class PeerCertificates {
  readonly server: ServerCredentials;
  readonly #files: CertificateFiles | undefined;
  #client: ChannelCredentials;

  /** Without `tls` nothing is encrypted. Throws a `config` fault that names the file. */
  constructor(host: Host, tls: PeerTls | undefined) {
    if (tls === undefined) {
      this.#client = credentials.createInsecure();
      this.server = ServerCredentials.createInsecure();
      return;
    }
    const files = new CertificateFiles(host, tls, {
      events: 'peer.certificates',
      renewals: 'tls_renewals_total',
      failures: 'tls_renewals_failed_total',
      expiry: 'tls_certificate_expiry_timestamp_seconds',
      crlExpiry: 'tls_crl_expiry_timestamp_seconds',
    });
    this.#files = files;
    this.#client = clientCredentials(files.current());
    const server = new RenewableCredentials(files.current());
    this.server = server;
    files.onRenewal((pems) => {
      this.#client = clientCredentials(pems);
      server.renew(pems);
    });
  }

  /** For the next connection. */
  client(): ChannelCredentials {
    return this.#client;
  }

  /** Looks for changes every minute, until `close`. */
  watch(): void {
    this.#files?.watch();
  }

  /** Takes what the files hold now, if it has changed and can be used. */
  reload(): void {
    this.#files?.reload();
  }

  /** Idempotent. */
  close(): void {
    this.#files?.close();
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

function contextOf({ ca, cert, key, crl }: Pems): SecureContextOptions {
  return { ca: authorityIn(ca), cert, key, ...(crl === undefined ? {} : { crl }) };
}

function clientCredentials(pems: Pems): ChannelCredentials {
  return credentials.createFromSecureContext(createSecureContext(contextOf(pems)));
}

/** Without one the authorities of the whole world would do. */
function authorityIn(ca: Buffer | undefined): Buffer {
  assert(ca !== undefined, 'links between nodes have an authority');
  return ca;
}
