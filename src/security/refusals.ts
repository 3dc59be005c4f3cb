/**
 * What a gatekeeper refuses, told to whoever keeps a record of it.
 */

import type { Client, Credentials, Gatekeeper } from './gatekeeper.ts';
import type { Permission, Target } from './permission.ts';

export type Refusal = Client &
  (
    | { readonly kind: 'login' }
    | {
        readonly kind: 'permission';
        readonly permission: Permission;
        readonly target: Target | undefined;
      }
  );

/** Must not throw; called before the client hears of it. */
export type RefusalListener = (refusal: Refusal) => void;

export class ReportingGatekeeper implements Gatekeeper {
  readonly #gatekeeper: Gatekeeper;
  readonly #refused: RefusalListener;

  constructor(gatekeeper: Gatekeeper, refused: RefusalListener) {
    this.#gatekeeper = gatekeeper;
    this.#refused = refused;
  }

  isEnabled(): boolean {
    return this.#gatekeeper.isEnabled();
  }

  async authenticate(credentials: Credentials): Promise<boolean> {
    const isAdmitted = await this.#gatekeeper.authenticate(credentials);
    const { user, address } = credentials;
    if (!isAdmitted) this.#refused({ kind: 'login', user, address });
    return isAdmitted;
  }

  denial(client: Client, permission: Permission, target: Target | undefined): string | undefined {
    const denial = this.#gatekeeper.denial(client, permission, target);
    if (denial !== undefined) this.#refused({ kind: 'permission', ...client, permission, target });
    return denial;
  }
}
