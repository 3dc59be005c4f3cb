/**
 * What a user may do: their own grants, those of the groups they are in, and those of everyone.
 *
 * Groups inherit from the groups they are in, however deep; a circle of groups is walked once. A grant
 * on a bucket, on its type or on `any` suffices. What a user has in all is worked out at their first
 * request and kept, so that a later one costs three look-ups.
 */

import type { ByteString } from '../base/bytes.ts';
import { PERMISSIONS, targetToString, type Permission, type Target } from './permission.ts';
import { ALL, type Grant, type SecurityState } from './security-state.ts';

/** Permissions as bits. */
type PermissionSet = number;

interface TypeGrants {
  onType: PermissionSet;
  readonly byBucket: Map<ByteString, PermissionSet>;
}

interface GrantsOfUser {
  onAny: PermissionSet;
  readonly byType: Map<ByteString, TypeGrants>;
}

type Roles = Pick<SecurityState, 'users' | 'groups'>;

const bitByPermission: ReadonlyMap<string, PermissionSet> = new Map(
  PERMISSIONS.map((permission, index) => [permission, 1 << index]),
);

export class GrantRules {
  readonly #security: SecurityState;
  readonly #grantsByRole = new Map<ByteString, Grant[]>();
  /** As many as there are users at most. */
  readonly #rulesByUser = new Map<string, GrantsOfUser>();

  constructor(security: SecurityState) {
    this.#security = security;
    for (const grant of security.grants) {
      const grants = this.#grantsByRole.get(grant.role);
      if (grants === undefined) this.#grantsByRole.set(grant.role, [grant]);
      else grants.push(grant);
    }
  }

  /** Never, for a name that is no user. */
  allows(user: string, permission: Permission, target: Target | undefined): boolean {
    const rules = this.#rulesByUser.get(user) ?? this.#gather(user as ByteString);
    if (rules === undefined) return false;
    const bit = bitByPermission.get(permission) ?? 0;
    if ((rules.onAny & bit) !== 0) return true;
    if (target === undefined) return false;
    const ofType = rules.byType.get(target.type);
    if (ofType === undefined) return false;
    if ((ofType.onType & bit) !== 0) return true;
    return target.bucket !== undefined && ((ofType.byBucket.get(target.bucket) ?? 0) & bit) !== 0;
  }

  #gather(user: ByteString): GrantsOfUser | undefined {
    if (!this.#security.users.has(user)) return undefined;
    const rules: GrantsOfUser = { onAny: 0, byType: new Map() };
    for (const role of rolesOf(this.#security, user)) {
      for (const grant of this.#grantsByRole.get(role) ?? []) addGrant(rules, grant);
    }
    this.#rulesByUser.set(user, rules);
    return rules;
  }
}

function addGrant(rules: GrantsOfUser, { target, permissions }: Grant): void {
  let bits = 0;
  for (const permission of permissions) bits |= bitByPermission.get(permission) ?? 0;
  if (target === undefined) {
    rules.onAny |= bits;
    return;
  }
  let ofType = rules.byType.get(target.type);
  if (ofType === undefined) {
    ofType = { onType: 0, byBucket: new Map() };
    rules.byType.set(target.type, ofType);
  }
  if (target.bucket === undefined) ofType.onType |= bits;
  else ofType.byBucket.set(target.bucket, (ofType.byBucket.get(target.bucket) ?? 0) | bits);
}

/** The role, the groups it is in, directly or not, and `ALL`; each once. */
export function rolesOf({ users, groups }: Roles, role: ByteString): ReadonlySet<ByteString> {
  const roles = new Set<ByteString>([role]);
  // A set is walked in the order in which it grows.
  for (const each of roles) {
    const member = each === role ? (users.get(each) ?? groups.get(each)) : groups.get(each);
    for (const group of member?.groups ?? []) roles.add(group);
  }
  return roles.add(ALL);
}

/** One string for what a grant is about, equal exactly for grants that are joined into one. */
export function grantId({ role, target }: Pick<Grant, 'role' | 'target'>): ByteString {
  return `${role.length}:${role}${targetToString(target)}` as ByteString;
}
