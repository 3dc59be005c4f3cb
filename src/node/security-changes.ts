/**
 * Changes of users, sources and grants by an operator: agreed by the cluster, then spread.
 *
 * As with properties, a change is told as done when every member that is up acts on it. The log keeps
 * which command changed security at which epoch, and nothing of what it said.
 */

import type { ByteString } from '../base/bytes.ts';
import { isFault } from '../base/fault.ts';
import type { Host } from '../base/host.ts';
import { changeSecurity, type SecurityOutcome } from '../membership/changes.ts';
import type { Proposer } from '../membership/proposer.ts';
import { SALT_BYTES, type PasswordHasher } from '../security/password-hasher.ts';
import type { SecurityChange } from '../security/security-change.ts';
import type { PasswordHash, SecurityState } from '../security/security-state.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { PropertyChangeOptions } from './property-changes.ts';

export type SecurityChangeOutcome =
  | { readonly kind: 'changed' }
  /** It was so already. */
  | Exclude<SecurityOutcome, { readonly kind: 'changed' }>
  /** No majority in time; with `mayTakeEffect` it may come yet. `because`: it broke off at this node. */
  | { readonly kind: 'timeout'; readonly mayTakeEffect: boolean; readonly because?: string };

export interface SecurityChangePorts {
  readonly host: Host;
  readonly passwords: PasswordHasher;
  readonly proposer: Proposer;
  readonly heartbeats: Heartbeats;
}

export class SecurityChanges {
  readonly #ports: SecurityChangePorts;
  readonly #options: PropertyChangeOptions;

  constructor(ports: SecurityChangePorts, options: PropertyChangeOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** With a salt of its own. Rejects with the fault `overload` where too many are being made. */
  hash(password: ByteString): Promise<PasswordHash> {
    const { host, passwords } = this.#ports;
    return passwords.hash(password, host.random.bytes(SALT_BYTES));
  }

  /** Agrees on what `make` makes of the newest state; `command` names it in the log. */
  async change(
    command: string,
    make: (security: SecurityState) => SecurityChange,
  ): Promise<SecurityChangeOutcome> {
    const { host, proposer, heartbeats } = this.#ports;
    try {
      const outcome = await proposer.propose(
        (state) => changeSecurity(state, make),
        this.#options.agreeTimeoutMs,
      );
      if (outcome.kind !== 'changed') return outcome;
      const { epoch } = outcome.state;
      host.log.info('security.changed', { command, epoch });
      await heartbeats.spread(epoch, this.#options.spreadTimeoutMs);
      return { kind: 'changed' };
    } catch (error) {
      if (!isFault(error)) throw error;
      // This node's own store failed: what the others have agreed is not known.
      return { kind: 'timeout', mayTakeEffect: true, because: error.message };
    }
  }
}
