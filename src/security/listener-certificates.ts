/**
 * What a node shows to the clients that connect with TLS, and whom it believes: a port, so that the
 * listeners need not know where certificates come from, nor that they change.
 */

/** PEM. */
export interface ListenerPems {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authorities that vouch for clients; undefined: no client can prove itself by a certificate. */
  readonly ca: Buffer | undefined;
  /** What these have revoked, a list of each; undefined: nothing counts as revoked. */
  readonly crl: Buffer[] | undefined;
  /** In OpenSSL's words; undefined: Node's own list. */
  readonly ciphers: string | undefined;
}

export interface ListenerCertificates {
  current(): ListenerPems;
  /** `renewed` is called whenever `current` has changed. */
  onRenewal(renewed: () => void): void;
}

/** Older versions of TLS are refused. */
export const TLS_VERSION_MIN = 'TLSv1.2';
