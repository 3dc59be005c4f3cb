/**
 * The gatekeeper over the agreed state.
 *
 * It always reads the newest state, so what was changed counts from the next request on. What follows
 * from a state (`SourceRules`, `GrantRules`) is made at the first question about it and kept until
 * security is another value; an epoch that changes nothing of it leaves it the same. While security is off
 * nothing is made, and nothing is asked.
 */

import type { Metrics } from '../base/host.ts';
import type { ByteString } from '../base/bytes.ts';
import { parseAddress } from '../security/address.ts';
import {
  denialText,
  type Client,
  type Credentials,
  type Gatekeeper,
} from '../security/gatekeeper.ts';
import { GrantRules } from '../security/grant-rules.ts';
import type { PasswordHasher } from '../security/password-hasher.ts';
import type { Permission, Target } from '../security/permission.ts';
import type { SecurityState, Source } from '../security/security-state.ts';
import { SourceRules } from '../security/source-rules.ts';

interface Rules {
  readonly security: SecurityState;
  readonly sources: SourceRules;
  readonly grants: GrantRules;
}

export class AgreedGatekeeper implements Gatekeeper {
  readonly #metrics: Metrics;
  readonly #passwords: PasswordHasher;
  readonly #newest: () => SecurityState;
  #kept: Rules | undefined;

  constructor(metrics: Metrics, passwords: PasswordHasher, newest: () => SecurityState) {
    this.#metrics = metrics;
    this.#passwords = passwords;
    this.#newest = newest;
  }

  isEnabled(): boolean {
    return this.#newest().isEnabled;
  }

  async authenticate(credentials: Credentials): Promise<boolean> {
    const { security, sources } = this.#rules();
    const user = security.users.get(credentials.user as ByteString);
    const address = parseAddress(credentials.address);
    // An unknown user has no source, so that what follows is the same for everyone who is refused.
    const source = user && address && sources.find(credentials.user, address);
    if (source !== undefined && isProven(source, credentials)) return true;
    const password = source?.method === 'password' ? user?.password : undefined;
    if (await this.#passwords.matches(credentials.password, password)) return true;
    this.#metrics.count('security_refused_total');
    return false;
  }

  denial({ user }: Client, permission: Permission, target: Target | undefined): string | undefined {
    const { security, grants } = this.#rules();
    if (!security.isEnabled || grants.allows(user, permission, target)) return undefined;
    this.#metrics.count('security_denied_total');
    return denialText(user, permission, target);
  }

  #rules(): Rules {
    const security = this.#newest();
    if (this.#kept?.security !== security) {
      const sources = new SourceRules(security.sources);
      this.#kept = { security, sources, grants: new GrantRules(security) };
    }
    return this.#kept;
  }
}

/** Without a password. */
function isProven({ method }: Source, { user, certificateName }: Credentials): boolean {
  if (method === 'trust') return true;
  return method === 'certificate' && certificateName === user;
}
