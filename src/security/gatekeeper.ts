/**
 * The gatekeeper: what the edges ask before they serve a client.
 *
 * Who someone is, is asked once for a connection or a request; what they may do, at each request, so
 * that a grant that is taken away counts from the next one on. All strings are byte strings, one
 * character for a byte, as clients sent them.
 */

import { targetText, type Permission, type Target } from './permission.ts';

/** Who asks. */
export interface Client {
  /** Compared as sent: Riak lower-cases only what is said to `security add-user`. */
  readonly user: string;
  /** Of the client's socket: IPv4, IPv6, or IPv4 mapped to IPv6. */
  readonly address: string;
}

export interface Credentials extends Client {
  readonly password: string;
  /** The common name in the client's verified certificate, lower-cased. */
  readonly certificateName?: string;
}

export interface Gatekeeper {
  /** Reads the newest agreed state: a change counts from the next request on. */
  isEnabled(): boolean;

  /**
   * True for the user as admitted. `password` sources cost a PBKDF2 on a pool thread, and so does
   * every refusal, so that its time tells nothing. Rejects with the fault `overload` where too many
   * wait for theirs.
   */
  authenticate(credentials: Credentials): Promise<boolean>;

  /** Undefined: allowed. Else the sentence that says what is missing. */
  denial(client: Client, permission: Permission, target: Target | undefined): string | undefined;
}

/** Riak's words. */
export function denialText(
  user: string,
  permission: Permission,
  target: Target | undefined,
): string {
  const on = targetText(target);
  return `Permission denied: User '${user}' does not have '${permission}' on ${on}`;
}
