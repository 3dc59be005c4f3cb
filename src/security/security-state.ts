/**
 * The security state: who there is, from where they come, and what they may do.
 *
 * Part of the cluster state, so all of it is agreed by the members. Users and groups (roles) share one
 * namespace; names are UTF-8 as byte strings. An immutable value: changes make a new one.
 */

import type { ByteString } from '../base/bytes.ts';
import type { Permission, Target } from './permission.ts';

/** In sources every user, in grants everyone that there is; no role has this name. */
export const ALL = 'all' as ByteString;

export const SECURITY_LIMITS = {
  users: 10_000,
  groups: 1_000,
  /** Groups that one role is a direct member of. */
  memberships: 64,
  sources: 10_000,
  /** One for each role and target. */
  grants: 20_000,
  nameBytes: 256,
  passwordBytes: 1_024,
  /** Of one role or source. */
  options: 16,
  optionNameBytes: 64,
  optionValueBytes: 256,
} as const;

/** What an operator notes beside a role or a source; nothing depends on it. */
export type FreeOptions = ReadonlyMap<ByteString, ByteString>;

/** PBKDF2 with HMAC-SHA1, 65,536 iterations; lower-case hex. Never to be shown or logged. */
export interface PasswordHash {
  /** 16 bytes. */
  readonly salt: string;
  /** 20 bytes. */
  readonly hash: string;
}

export interface Group {
  /** Sorted; what is granted to them is inherited. They may name each other in a circle. */
  readonly groups: readonly ByteString[];
  readonly options: FreeOptions;
}

export interface User extends Group {
  readonly password: PasswordHash | undefined;
}

const SOURCE_METHODS = ['trust', 'password', 'certificate'] as const;

export type SourceMethod = (typeof SOURCE_METHODS)[number];

export function isSourceMethod(name: string): name is SourceMethod {
  return SOURCE_METHODS.some((method) => method === name);
}

/** How a user that comes from a network proves who they are. */
export interface Source {
  /** Or `ALL`. */
  readonly user: ByteString;
  /** In the form that `cidrToString` writes. */
  readonly cidr: string;
  readonly method: SourceMethod;
  readonly options: FreeOptions;
}

export interface Grant {
  /** A user, a group, or `ALL`. */
  readonly role: ByteString;
  /** Undefined: `any`. */
  readonly target: Target | undefined;
  /** In the order of `PERMISSIONS`; never empty. */
  readonly permissions: readonly Permission[];
}

export interface SecurityState {
  readonly isEnabled: boolean;
  readonly users: ReadonlyMap<ByteString, User>;
  readonly groups: ReadonlyMap<ByteString, Group>;
  /** Sorted by `sourceId`. */
  readonly sources: readonly Source[];
  /** Sorted by `grantId`. */
  readonly grants: readonly Grant[];
}

/** What a cluster begins with. */
export const NO_SECURITY: SecurityState = {
  isEnabled: false,
  users: new Map(),
  groups: new Map(),
  sources: [],
  grants: [],
};
