/**
 * What a node logs in with at a source of replication, read anew when its files change.
 *
 * Looked at every minute and when an operator says so, as certificates are. Files that cannot be used change nothing:
 * that is logged, counted and tried again. Connections that are open go on with what they were opened with.
 */

import { utf8ToByteString } from '../base/bytes.ts';
import { Fault, isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { Login, type Credentials } from '../client/credentials.ts';
import type { SourceLogin } from '../config/replication-settings.ts';
import { readPassword, readPem } from './login-options.ts';

const LOOK_MS = 60_000;

type SecretsHost = Pick<Host, 'clock' | 'log' | 'metrics'>;

export class SourceSecrets {
  readonly #host: SecretsHost;
  readonly #source: string;
  readonly #login: SourceLogin;
  #credentials: Credentials;
  #cancelLook: () => void = () => {};
  #isClosed = false;

  private constructor(
    host: SecretsHost,
    { source, login }: { readonly source: string; readonly login: SourceLogin },
    credentials: Credentials,
  ) {
    this.#host = host;
    this.#source = source;
    this.#login = login;
    this.#credentials = credentials;
  }

  /** Rejects with `config` where a file is of no use. */
  static async open(
    host: SecretsHost,
    place: { readonly source: string; readonly login: SourceLogin },
  ): Promise<SourceSecrets> {
    return new SourceSecrets(host, place, await usableCredentials(place.login));
  }

  current(): Credentials {
    return this.#credentials;
  }

  /** Looks for changes every minute, until `close`. */
  watch(): void {
    this.#cancelLook = this.#host.clock.after(LOOK_MS, () => {
      void this.reload().then(() => {
        if (!this.#isClosed) this.watch();
      });
    });
  }

  /** Takes what the files hold now, if it has changed and can be used. */
  async reload(): Promise<void> {
    const { log, metrics } = this.#host;
    const source = this.#source;
    try {
      const credentials = await usableCredentials(this.#login);
      if (areEqual(credentials, this.#credentials)) return;
      this.#credentials = credentials;
      metrics.count('replication_login_renewals_total');
      log.info('replication.login-renewed', { source });
    } catch (error) {
      if (!isFault(error)) throw error;
      metrics.count('replication_login_renewals_failed_total');
      const fields = { source, reason: error.message, kept: 'what was in use' };
      log.error('replication.login-unusable', fields);
    }
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelLook();
  }
}

/** Nobody is there to be asked: without a file the password is empty. */
async function usableCredentials(login: SourceLogin): Promise<Credentials> {
  const { user, passwordFile, caFile, certFile, keyFile, serverNames } = login;
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map(readPem));
  const password = passwordFile === undefined ? '' : await readPassword(passwordFile);
  const credentials = {
    user: utf8ToByteString(user),
    password: utf8ToByteString(password),
    ca,
    cert,
    key,
    serverNames,
  };
  try {
    const usable = new Login(credentials);
    return usable && credentials;
  } catch (error) {
    if (!isFault(error)) throw error;
    const files = [caFile, certFile, keyFile].filter((file) => file !== undefined);
    throw new Fault('config', `${files.join(', ')}: ${error.message}`, { cause: error });
  }
}

function areEqual(left: Credentials, right: Credentials): boolean {
  const isSame = (one: Buffer | undefined, other: Buffer | undefined): boolean =>
    one === undefined || other === undefined ? one === other : one.equals(other);
  return (
    left.password === right.password &&
    isSame(left.ca, right.ca) &&
    isSame(left.cert, right.cert) &&
    isSame(left.key, right.key)
  );
}
