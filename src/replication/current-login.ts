/**
 * The login at a source, made ready once for as long as what it is made of stays the same.
 */

import { Login, type Credentials } from '../client/credentials.ts';
import type { Source } from './ports.ts';

export class CurrentLogin {
  readonly #credentials: Source['credentials'];
  #made: { readonly of: Credentials; readonly login: Login } | undefined;

  /** Throws a `config` fault where the certificates cannot be used. */
  constructor({ credentials }: Pick<Source, 'credentials'>) {
    this.#credentials = credentials;
    this.get();
  }

  /** For the next connection; undefined: security is off there. */
  get(): Login | undefined {
    const credentials = this.#credentials?.();
    if (credentials === undefined) return undefined;
    if (this.#made?.of !== credentials) {
      this.#made = { of: credentials, login: new Login(credentials) };
    }
    return this.#made.login;
  }
}
