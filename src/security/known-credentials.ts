/**
 * Credentials that were admitted a moment ago, so that a client which sends its password with every
 * request does not have it stretched (PBKDF2) every time.
 *
 * Kept is a digest, under a salt of this process, of all that an admission depends on: user, password,
 * address and certificate. What is kept holds until security is changed, its users, sources or whatever else:
 * then all is judged afresh. Refusals are not kept. Whoever comes with the same
 * while it is judged hears what comes of that: after a change all connections of a user come at once, and
 * fewer may wait for a password to be stretched.
 */

import { createHmac } from 'node:crypto';
import type { Host } from '../base/host.ts';
import type { Client, Credentials, Gatekeeper } from './gatekeeper.ts';
import type { Permission, Target } from './permission.ts';

/** Beyond it the oldest goes. */
const KNOWN_MAX = 4_096;
const SALT_SIZE_BYTES = 32;

export class RememberingGatekeeper implements Gatekeeper {
  readonly #host: Host;
  readonly #gatekeeper: Gatekeeper;
  readonly #security: () => unknown;
  readonly #salt: Buffer;
  /** In the order in which they were admitted. */
  readonly #known = new Set<string>();
  /** What is being judged by `#knownSecurity`. */
  readonly #underWay = new Map<string, Promise<boolean>>();
  /** Undefined: nothing is known yet. */
  #knownSecurity: unknown;

  /** `security`: what `gatekeeper` acts on, another value after each change of it. */
  constructor(host: Host, gatekeeper: Gatekeeper, security: () => unknown) {
    this.#host = host;
    this.#gatekeeper = gatekeeper;
    this.#security = security;
    this.#salt = host.random.bytes(SALT_SIZE_BYTES);
  }

  isEnabled(): boolean {
    return this.#gatekeeper.isEnabled();
  }

  async authenticate(credentials: Credentials): Promise<boolean> {
    const { metrics } = this.#host;
    const security = this.#forgetOutdated();
    const digest = this.#digest(credentials);
    const underWay = this.#known.has(digest) ? true : this.#underWay.get(digest);
    if (underWay === undefined) return this.#judge(credentials, digest, security);
    const isAdmitted = await underWay;
    metrics.count(isAdmitted ? 'security_admissions_remembered_total' : 'security_refused_total');
    return isAdmitted;
  }

  async #judge(credentials: Credentials, digest: string, security: unknown): Promise<boolean> {
    const judgement = this.#gatekeeper.authenticate(credentials);
    this.#underWay.set(digest, judgement);
    try {
      const isAdmitted = await judgement;
      // What was judged by an older one says nothing of this one.
      if (isAdmitted && this.#forgetOutdated() === security) this.#remember(digest);
      return isAdmitted;
    } finally {
      // After a change it may be that of another.
      if (this.#underWay.get(digest) === judgement) this.#underWay.delete(digest);
    }
  }

  denial(client: Client, permission: Permission, target: Target | undefined): string | undefined {
    return this.#gatekeeper.denial(client, permission, target);
  }

  #forgetOutdated(): unknown {
    const security = this.#security();
    if (security !== this.#knownSecurity) {
      this.#knownSecurity = security;
      this.#known.clear();
      this.#underWay.clear();
    }
    return security;
  }

  #remember(digest: string): void {
    if (this.#known.size >= KNOWN_MAX) {
      const [oldest] = this.#known;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.add(digest);
  }

  /** Each part with its length, so that no two credentials are written alike. */
  #digest({ user, password, address, certificateName = '' }: Credentials): string {
    const hmac = createHmac('sha256', this.#salt);
    for (const part of [user, password, address, certificateName]) {
      hmac.update(`${part.length}:${part}`, 'latin1');
    }
    return hmac.digest('base64');
  }
}
