/**
 * Users and groups: added, altered, deleted.
 *
 * They share one namespace. Who is deleted takes their sources, grants and memberships along, so that
 * nobody who is given the name later inherits anything.
 */

import { utf8ToByteString, type ByteString } from '../base/bytes.ts';
import { nameFault } from './role-names.ts';
import {
  changed,
  optionsRefusal,
  refused,
  type SecurityChange,
  type SecurityRefusal,
} from './security-change.ts';
import {
  SECURITY_LIMITS,
  type FreeOptions,
  type Group,
  type PasswordHash,
  type SecurityState,
} from './security-state.ts';

/** What is said of a role; what is left out stays as it is. */
export interface RoleRequest {
  readonly name: ByteString;
  readonly groups: readonly ByteString[] | undefined;
  /** Options that a role has and that are not named here stay. */
  readonly options: FreeOptions;
}

export interface UserRequest extends RoleRequest {
  readonly password: PasswordHash | undefined;
}

const NAME_REFUSALS = {
  reserved: 'reserved-name',
  illegal: 'illegal-name',
  'too-long': 'long-name',
} as const satisfies Record<string, SecurityRefusal>;

export function addUser(security: SecurityState, request: UserRequest): SecurityChange {
  return newNameRefusal(security, request.name) ?? withUser(security, request);
}

export function alterUser(security: SecurityState, request: UserRequest): SecurityChange {
  if (!security.users.has(request.name)) return refused('unknown-users', [request.name]);
  return withUser(security, request);
}

export function addGroup(security: SecurityState, request: RoleRequest): SecurityChange {
  return newNameRefusal(security, request.name) ?? withGroup(security, request);
}

export function alterGroup(security: SecurityState, request: RoleRequest): SecurityChange {
  if (!security.groups.has(request.name)) return refused('unknown-groups', [request.name]);
  return withGroup(security, request);
}

export function deleteUser(security: SecurityState, name: ByteString): SecurityChange {
  if (!security.users.has(name)) return refused('unknown-users', [name]);
  return changed(security, {
    users: without(security.users, name),
    sources: security.sources.filter(({ user }) => user !== name),
    grants: security.grants.filter(({ role }) => role !== name),
  });
}

export function deleteGroup(security: SecurityState, name: ByteString): SecurityChange {
  if (!security.groups.has(name)) return refused('unknown-groups', [name]);
  return changed(security, {
    users: withoutMembership(security.users, name),
    groups: withoutMembership(without(security.groups, name), name),
    grants: security.grants.filter(({ role }) => role !== name),
  });
}

function newNameRefusal(
  { users, groups }: SecurityState,
  name: ByteString,
): SecurityChange | undefined {
  const fault = nameFault(name);
  if (fault !== undefined) return refused(NAME_REFUSALS[fault]);
  return users.has(name) || groups.has(name) ? refused('name-in-use') : undefined;
}

function withUser(security: SecurityState, request: UserRequest): SecurityChange {
  const before = security.users.get(request.name);
  const membership = membershipOf(security, request, before);
  if ('kind' in membership) return membership;
  const user = { ...membership, password: request.password ?? before?.password };
  return changed(security, { users: new Map(security.users).set(request.name, user) });
}

function withGroup(security: SecurityState, request: RoleRequest): SecurityChange {
  const membership = membershipOf(security, request, security.groups.get(request.name));
  if ('kind' in membership) return membership;
  return changed(security, { groups: new Map(security.groups).set(request.name, membership) });
}

function membershipOf(
  security: SecurityState,
  request: RoleRequest,
  before: Group | undefined,
): Group | SecurityChange {
  const groups = [...new Set(request.groups ?? before?.groups ?? [])];
  groups.sort((left, right) => (left < right ? -1 : 1));
  const unknown = groups.filter((group) => !security.groups.has(group));
  if (unknown.length > 0) return refused('unknown-groups', unknown);
  if (groups.length > SECURITY_LIMITS.memberships) {
    return refused('too-many', [utf8ToByteString('groups of one role')]);
  }
  const options = new Map([...(before?.options ?? []), ...request.options]);
  return optionsRefusal(options) ?? { groups, options };
}

function without<Role>(
  roles: ReadonlyMap<ByteString, Role>,
  name: ByteString,
): ReadonlyMap<ByteString, Role> {
  const rest = new Map(roles);
  rest.delete(name);
  return rest;
}

function withoutMembership<Role extends Group>(
  roles: ReadonlyMap<ByteString, Role>,
  group: ByteString,
): ReadonlyMap<ByteString, Role> {
  const rest = new Map(roles);
  for (const [name, role] of roles) {
    if (!role.groups.includes(group)) continue;
    rest.set(name, { ...role, groups: role.groups.filter((each) => each !== group) });
  }
  return rest;
}
