/**
 * Security in the state document.
 *
 * | field | form |
 * |---|---|
 * | isEnabled | boolean |
 * | users | array of [name, groups, password, options], sorted by name |
 * | groups | array of [name, groups, options], sorted by name |
 * | sources | array of [user or "all", CIDR, method, options], sorted by `sourceId` |
 * | grants | array of [role or "all", type or null, bucket or null, permissions], sorted by `grantId` |
 *
 * `password` is null or [salt, hash] in hex; `options` is an array of [name, value], sorted. A document
 * of before there was security has none of it, and is written so still while there is nothing to say.
 * What is read here is within its limits, and names only roles that are there.
 */

import type { ByteString } from '../base/bytes.ts';
import { cidrToString, parseCidr } from '../security/address.ts';
import { grantId } from '../security/grant-rules.ts';
import { PERMISSIONS, type Permission, type Target } from '../security/permission.ts';
import { nameFault } from '../security/role-names.ts';
import {
  ALL,
  isSourceMethod,
  NO_SECURITY,
  SECURITY_LIMITS,
  type FreeOptions,
  type Grant,
  type Group,
  type PasswordHash,
  type SecurityState,
  type Source,
  type User,
} from '../security/security-state.ts';
import { sourceId } from '../security/source-rules.ts';
import { asArray, asByteString, asObject, malformed, mustRise } from './document-values.ts';

const empty = JSON.stringify(toJson(NO_SECURITY));

/** Undefined where there is nothing to say. */
export function securityToJson(security: SecurityState): unknown {
  if (security === NO_SECURITY) return undefined;
  const json = toJson(security);
  return JSON.stringify(json) === empty ? undefined : json;
}

/** The security that a document's field holds. Throws the fault `malformed`. */
export function asSecurity(value: unknown): SecurityState {
  if (value === undefined) return NO_SECURITY;
  const fields = asObject(value, 'security');
  const { isEnabled } = fields;
  if (typeof isEnabled !== 'boolean') throw malformed('whether security is on');
  const { users: usersMax, groups: groupsMax } = SECURITY_LIMITS;
  const users = asRoles(asList(fields['users'], usersMax), asUser);
  const groups = asRoles(asList(fields['groups'], groupsMax), asGroup);
  for (const [name, { groups: joined }] of [...users, ...groups]) {
    if (users.has(name) && groups.has(name)) throw malformed('a user and a group share a name');
    if (!joined.every((each) => groups.has(each))) throw malformed('a role is in no known group');
  }
  const sources = asList(fields['sources'], SECURITY_LIMITS.sources).map((each) => asSource(each));
  const grants = asList(fields['grants'], SECURITY_LIMITS.grants).map((each) => asGrant(each));
  mustRise(sources.map(sourceId), 'its sources');
  mustRise(grants.map(grantId), 'its grants');
  if (!sources.every(({ user }) => user === ALL || users.has(user))) {
    throw malformed('a source is of no known user');
  }
  if (!grants.every(({ role }) => role === ALL || users.has(role) || groups.has(role))) {
    throw malformed('a grant is to nobody');
  }
  return { isEnabled, users, groups, sources, grants };
}

function toJson({ isEnabled, users, groups, sources, grants }: SecurityState): unknown {
  return {
    isEnabled,
    users: sorted(users).map(([name, user]) => [
      name,
      user.groups,
      user.password === undefined ? null : [user.password.salt, user.password.hash],
      sorted(user.options),
    ]),
    groups: sorted(groups).map(([name, group]) => [name, group.groups, sorted(group.options)]),
    sources: sources.map(({ user, cidr, method, options }) => [
      user,
      cidr,
      method,
      sorted(options),
    ]),
    grants: grants.map(({ role, target, permissions }) => [
      role,
      target?.type ?? null,
      target?.bucket ?? null,
      permissions,
    ]),
  };
}

function sorted<V>(map: ReadonlyMap<ByteString, V>): [ByteString, V][] {
  return [...map].sort(([left], [right]) => (left < right ? -1 : 1));
}

/** An array of arrays. */
function asList(value: unknown, lengthMax: number): unknown[][] {
  const entries = asArray(value, 'a list of security');
  if (entries.length > lengthMax) throw malformed('its security has too many entries');
  return entries.map((each) => asArray(each, 'an entry of security'));
}

function asRoles<Role>(
  entries: readonly unknown[][],
  asRole: (fields: readonly unknown[]) => Role,
): ReadonlyMap<ByteString, Role> {
  const roles = new Map<ByteString, Role>();
  for (const [name, ...fields] of entries) {
    const role = asByteString(name);
    if (nameFault(role) !== undefined) throw malformed('a role has no permitted name');
    roles.set(role, asRole(fields));
  }
  mustRise([...roles.keys()], 'its roles');
  if (roles.size !== entries.length) throw malformed('a role is named twice');
  return roles;
}

function asUser([groups, password, options, ...more]: readonly unknown[]): User {
  return { ...asGroup([groups, options, ...more]), password: asPassword(password) };
}

function asGroup([groups, options, ...more]: readonly unknown[]): Group {
  if (more.length > 0) throw malformed('a role has too many fields');
  const names = asArray(groups, 'the groups of a role').map(asByteString);
  if (names.length > SECURITY_LIMITS.memberships) throw malformed('a role is in too many groups');
  mustRise(names, 'the groups of a role');
  return { groups: names, options: asOptions(options) };
}

function asPassword(value: unknown): PasswordHash | undefined {
  if (value === null) return undefined;
  const [salt, hash, ...more] = asArray(value, 'a password');
  if (more.length > 0 || !isHex(salt, 16) || !isHex(hash, 20)) throw malformed('a password');
  return { salt, hash };
}

function isHex(value: unknown, bytes: number): value is string {
  return typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value);
}

function asOptions(value: unknown): FreeOptions {
  const options = asArray(value, 'options').map((each) => asArray(each, 'an option'));
  const { options: optionsMax, optionNameBytes, optionValueBytes } = SECURITY_LIMITS;
  if (options.length > optionsMax) throw malformed('there are too many options');
  const valueByName = options.map(([name, optionValue, ...more]) => {
    const entry = [asByteString(name), asByteString(optionValue)] as const;
    if (more.length > 0) throw malformed('an option has two fields');
    if (entry[0].length > optionNameBytes || entry[1].length > optionValueBytes) {
      throw malformed('an option is too long');
    }
    return entry;
  });
  mustRise(
    valueByName.map(([name]) => name),
    'its options',
  );
  return new Map(valueByName);
}

function asSource([user, cidrText, method, options, ...more]: readonly unknown[]): Source {
  if (more.length > 0) throw malformed('a source has four fields');
  const cidr = typeof cidrText === 'string' ? parseCidr(cidrText) : undefined;
  if (cidr === undefined || cidrToString(cidr) !== cidrText) throw malformed('a source’s network');
  if (typeof method !== 'string' || !isSourceMethod(method)) throw malformed('a source’s method');
  return { user: asByteString(user), cidr: cidrText, method, options: asOptions(options) };
}

function asGrant([role, type, bucket, permissions, ...more]: readonly unknown[]): Grant {
  if (more.length > 0) throw malformed('a grant has four fields');
  return {
    role: asByteString(role),
    target: asTarget(type, bucket),
    permissions: asPermissions(permissions),
  };
}

function asTarget(type: unknown, bucket: unknown): Target | undefined {
  if (type === null) {
    if (bucket !== null) throw malformed('a grant names a bucket without its type');
    return undefined;
  }
  const name = asByteString(type);
  return bucket === null ? { type: name } : { type: name, bucket: asByteString(bucket) };
}

/** In the order of `PERMISSIONS`, each once. */
function asPermissions(value: unknown): readonly Permission[] {
  const names = asArray(value, 'permissions');
  const permissions = PERMISSIONS.filter((permission) => names.includes(permission));
  const isSame = permissions.every((permission, index) => permission === names[index]);
  if (names.length === 0 || names.length !== permissions.length || !isSame) {
    throw malformed('the permissions of a grant');
  }
  return permissions;
}
