/**
 * What there is of users, groups, sources and grants, for an operator to see. Never a password's hash.
 */

import { byteStringToUtf8, type ByteString } from '../base/bytes.ts';
import { rolesOf } from '../security/grant-rules.ts';
import { PERMISSIONS, targetToString, type Permission } from '../security/permission.ts';
import { roleNameOf } from '../security/role-names.ts';
import {
  ALL,
  type FreeOptions,
  type Grant,
  type Group,
  type SecurityState,
} from '../security/security-state.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

type Options = Readonly<Record<string, unknown>>;

export interface SecurityStatus {
  readonly isEnabled: boolean;
  /** Whether this node can speak TLS with clients. */
  readonly hasClientTls: boolean;
}

/** Of this node. */
export interface ClientTls {
  /** Whether it can speak TLS with clients. */
  readonly hasClientTls: boolean;
  /** With colons between them. */
  readonly ciphers: string;
}

export interface RoleReport {
  readonly name: string;
  readonly groups: readonly string[];
  /** Of users only. */
  readonly hasPassword?: boolean;
  readonly options: Readonly<Record<string, string>>;
}

export interface SourceReport {
  readonly users: readonly string[];
  readonly cidr: string;
  readonly source: string;
  readonly options: Readonly<Record<string, string>>;
}

export interface GrantRow {
  /** Whose it is, where it is inherited. */
  readonly group?: string;
  /** Null: any. */
  readonly type: string | null;
  readonly bucket: string | null;
  readonly grants: readonly Permission[];
}

export interface GrantsReport {
  /** `user/NAME`, `group/NAME` or `all`. */
  readonly role: string;
  readonly inherited: readonly GrantRow[];
  readonly dedicated: readonly GrantRow[];
  readonly cumulative: readonly GrantRow[];
}

export function securityReports(
  newest: () => SecurityState,
  { hasClientTls, ciphers }: ClientTls,
): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['security status', async () => ({ isEnabled: newest().isEnabled, hasClientTls })],
    ['security print-users', async () => reportsOf(newest().users)],
    ['security print-user', async (options) => reportOf(newest().users, options, 'User')],
    ['security print-groups', async () => reportsOf(newest().groups)],
    ['security print-group', async (options) => reportOf(newest().groups, options, 'Group')],
    ['security print-sources', async () => sourceReports(newest())],
    ['security print-grants', async (options) => grantsReport(newest(), options)],
    ['security ciphers', async () => ciphers.split(':')],
  ]);
}

/** Roles by their names, which `user/` or `group/` may come before. */
export function rolesNamed(
  { users, groups }: Pick<SecurityState, 'users' | 'groups'>,
  names: readonly ByteString[],
): { readonly roles: readonly ByteString[]; readonly unknown: readonly ByteString[] } {
  const roles: ByteString[] = [];
  const unknown: ByteString[] = [];
  for (const name of names) {
    const [, kind, rest] = /^(user|group)\/(.*)$/s.exec(name) ?? [];
    const role = (rest ?? name) as ByteString;
    const isUser = kind !== 'group' && users.has(role);
    const isGroup = kind !== 'user' && groups.has(role);
    const isAll = kind === undefined && role === ALL;
    if (isUser || isGroup || isAll) roles.push(role);
    else unknown.push(name);
  }
  return { roles, unknown };
}

function reportsOf(roles: ReadonlyMap<ByteString, Group>): RoleReport[] {
  return [...roles]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, role]) => roleReport(name, role));
}

function reportOf(
  roles: ReadonlyMap<ByteString, Group>,
  options: Options,
  what: 'User' | 'Group',
): RoleReport[] {
  const name = nameIn(options);
  const role = roles.get(name);
  if (role === undefined) {
    throw new AdminRefusal(`${what}(s) not recognized: ${byteStringToUtf8(name)}`);
  }
  return [roleReport(name, role)];
}

function roleReport(name: ByteString, role: Group): RoleReport {
  return {
    name: byteStringToUtf8(name),
    groups: role.groups.map(byteStringToUtf8),
    ...('password' in role ? { hasPassword: role.password !== undefined } : {}),
    options: shownOptions(role.options),
  };
}

/** Users with the same source in one row. */
function sourceReports({ sources }: SecurityState): SourceReport[] {
  const rows = new Map<string, SourceReport & { readonly users: string[] }>();
  for (const { user, cidr, method, options } of sources) {
    const key = JSON.stringify([cidr, method, [...options]]);
    const row = rows.get(key) ?? {
      users: [],
      cidr,
      source: method,
      options: shownOptions(options),
    };
    row.users.push(byteStringToUtf8(user));
    rows.set(key, row);
  }
  return [...rows.values()];
}

function grantsReport(security: SecurityState, options: Options): GrantsReport {
  const name = nameIn(options);
  const { roles, unknown } = rolesNamed(security, [name]);
  const [role] = roles;
  if (role === undefined) {
    throw new AdminRefusal(`User(s) not recognized: ${unknown.map(byteStringToUtf8).join(', ')}`);
  }
  const kind = role === ALL ? '' : security.users.has(role) ? 'user/' : 'group/';
  const all = rolesOf(security, role);
  const inherited = security.grants.filter((each) => each.role !== role && all.has(each.role));
  const dedicated = security.grants.filter((each) => each.role === role);
  return {
    role: `${kind}${byteStringToUtf8(role)}`,
    inherited: inherited.map((each) => ({ group: byteStringToUtf8(each.role), ...rowOf(each) })),
    dedicated: dedicated.map(rowOf),
    cumulative: joined([...inherited, ...dedicated]).map(rowOf),
  };
}

/** Those on one target as one. */
function joined(grants: readonly Grant[]): Grant[] {
  const byTarget = new Map<string, Grant>();
  for (const grant of grants) {
    const key = targetToString(grant.target);
    const granted = new Set([...(byTarget.get(key)?.permissions ?? []), ...grant.permissions]);
    const permissions = PERMISSIONS.filter((permission) => granted.has(permission));
    byTarget.set(key, { ...grant, permissions });
  }
  return [...byTarget].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, each]) => each);
}

function rowOf({ target, permissions }: Grant): GrantRow {
  return {
    type: target === undefined ? null : byteStringToUtf8(target.type),
    bucket: target?.bucket === undefined ? null : byteStringToUtf8(target.bucket),
    grants: permissions,
  };
}

function shownOptions(options: FreeOptions): Record<string, string> {
  return Object.fromEntries(
    [...options].map(([name, value]) => [byteStringToUtf8(name), byteStringToUtf8(value)]),
  );
}

function nameIn({ name }: Options): ByteString {
  if (typeof name !== 'string' || name === '') throw new AdminRefusal('a name is needed');
  return roleNameOf(name);
}
