/**
 * Who a client is to a cluster with security on, and how it knows the cluster's nodes.
 *
 * Plain values, so that they can be handed to another process. A password leaves the client only over
 * TLS, and only to a node whose certificate an authority vouches for and whose name is the expected one:
 * there is no way to leave the check out, and none to go on in clear.
 */

import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { ByteString } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { certificatesIn } from '../base/pem-blocks.ts';

export interface Credentials {
  readonly user: ByteString;
  /** Empty where a certificate, or the place alone, proves who one is. */
  readonly password: ByteString;
  /** PEM: authorities that vouch for the nodes; undefined: those that the system trusts. */
  readonly ca?: Buffer | undefined;
  /** PEM, together with `key`: shown to the nodes. */
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
  /** A node's certificate must be of one of these names; none: of the host it is reached at. */
  readonly serverNames: readonly string[];
}

/** Riak's default too; older versions can be broken. */
const TLS_VERSION_MIN = 'TLSv1.2';

/** Credentials made ready for many connections. */
export class Login {
  readonly user: ByteString;
  readonly password: ByteString;
  readonly #serverNames: readonly string[];
  readonly #context: ReturnType<typeof createSecureContext>;

  /** Throws a `config` fault where the certificates cannot be used. */
  constructor({ user, password, ca, cert, key, serverNames }: Credentials) {
    this.user = user;
    this.password = password;
    this.#serverNames = serverNames;
    try {
      // Of a list that is cut off TLS would take a part, and say nothing.
      const authorities = ca && certificatesIn(ca);
      const shown = { ca: authorities, cert, key };
      this.#context = createSecureContext({ minVersion: TLS_VERSION_MIN, ...shown });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Fault('config', `the certificates cannot be used: ${why}`, { cause });
    }
  }

  /** For a connection to `host`. */
  tlsOptions(host: string): ConnectionOptions {
    const names = this.#serverNames.length === 0 ? [host] : this.#serverNames;
    const asked = names.find((name) => isIP(name) === 0);
    return {
      host,
      secureContext: this.#context,
      minVersion: TLS_VERSION_MIN,
      // Else a variable of the environment could switch both checks off.
      rejectUnauthorized: true,
      // An address cannot be asked for by name.
      ...(asked !== undefined && { servername: asked }),
      checkServerIdentity: (_host, certificate) => {
        const faults = names.map((name) => checkServerIdentity(name, certificate));
        return faults.includes(undefined) ? undefined : faults[0];
      },
    };
  }

  /** The header of RFC 7617. */
  get basicAuthorization(): string {
    return `Basic ${Buffer.from(`${this.user}:${this.password}`, 'latin1').toString('base64')}`;
  }
}
