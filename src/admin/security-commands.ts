/**
 * Security by an operator: `riak admin security …` in Riak's words.
 *
 * What changes something says what Riak says, which is often nothing. What is refused is refused with
 * one sentence, before anything is agreed. Password hashes are shown to nobody.
 */

import { byteStringToUtf8, utf8ToByteString, type ByteString } from '../base/bytes.ts';
import type { NodeService } from '../node/node-service.ts';
import type { SecurityChanges } from '../node/security-changes.ts';
import {
  addSource,
  deleteSource,
  grant,
  revoke,
  setEnabled,
  type GrantRequest,
} from '../security/access-changes.ts';
import { cidrToString, parseCidr } from '../security/address.ts';
import { isPermission, type Permission, type Target } from '../security/permission.ts';
import {
  addGroup,
  addUser,
  alterGroup,
  alterUser,
  deleteGroup,
  deleteUser,
  type RoleRequest,
  type UserRequest,
} from '../security/role-changes.ts';
import { roleNameOf } from '../security/role-names.ts';
import type { SecurityChange } from '../security/security-change.ts';
import {
  ALL,
  isSourceMethod,
  SECURITY_LIMITS,
  type SecurityState,
  type SourceMethod,
} from '../security/security-state.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import type { Done } from './cluster-commands.ts';
import { rolesNamed, securityReports, type ClientTls } from './security-reports.ts';
import { mustBeAgreed } from './security-refusals.ts';

type Options = Readonly<Record<string, unknown>>;

/** The part of a node that these commands need. */
export interface SecurityNode extends Pick<NodeService, 'state'> {
  cluster(): { readonly securityChanges: Pick<SecurityChanges, 'hash' | 'change'> };
}

type Make = (security: SecurityState) => SecurityChange;

type Change = (command: string, make: Make, message?: string) => Promise<Done>;

type Entries = [command: string, carryOut: AdminCommand][];

export function securityCommands(
  node: SecurityNode,
  clientTls: ClientTls,
): Map<string, AdminCommand> {
  const change: Change = async (command, make, message = '') => {
    mustBeAgreed(await node.cluster().securityChanges.change(command, make));
    return { message };
  };
  return new Map([
    ['security enable', async () => enable(change, clientTls.hasClientTls)],
    ['security disable', () => change('disable', (security) => setEnabled(security, false))],
    ...roleCommands(node, change),
    ...accessCommands(change),
    ...securityReports(() => node.state().security, clientTls),
  ]);
}

function roleCommands(node: SecurityNode, change: Change): Entries {
  const ofUser =
    (command: string, make: (security: SecurityState, request: UserRequest) => SecurityChange) =>
    async (options: Options): Promise<Done> => {
      const request = await userRequest(node, options);
      return change(command, (security) => make(security, request));
    };
  const ofGroup =
    (command: string, make: (security: SecurityState, request: RoleRequest) => SecurityChange) =>
    async (options: Options): Promise<Done> => {
      const request = groupRequest(options);
      return change(command, (security) => make(security, request));
    };
  const deletion =
    (command: string, make: (security: SecurityState, name: ByteString) => SecurityChange) =>
    async (options: Options): Promise<Done> => {
      const name = mustName(options, 'name');
      const message = `Successfully deleted ${byteStringToUtf8(name)}`;
      return change(command, (security) => make(security, name), message);
    };
  return [
    ['security add-user', ofUser('add-user', addUser)],
    ['security alter-user', ofUser('alter-user', alterUser)],
    ['security del-user', deletion('del-user', deleteUser)],
    ['security add-group', ofGroup('add-group', addGroup)],
    ['security alter-group', ofGroup('alter-group', alterGroup)],
    ['security del-group', deletion('del-group', deleteGroup)],
  ];
}

function accessCommands(change: Change): Entries {
  return [
    [
      'security add-source',
      async (options) => {
        const free = toFreeOptions(optionsOf(options), []);
        const request = { ...sourcePlace(options), method: methodOf(options), options: free };
        const make: Make = (security) => addSource(security, request);
        return change('add-source', make, 'Successfully added source');
      },
    ],
    [
      'security del-source',
      async (options) => {
        const place = sourcePlace(options);
        return change('del-source', (each) => deleteSource(each, place), 'Deleted source');
      },
    ],
    [
      'security grant',
      async (options) => change('grant', grantChange(options, grant), 'Successfully granted'),
    ],
    [
      'security revoke',
      async (options) => change('revoke', grantChange(options, revoke), 'Successfully revoked'),
    ],
  ];
}

function enable(change: Change, hasClientTls: boolean): Promise<Done> {
  if (!hasClientTls) {
    throw new AdminRefusal(
      'Security cannot be enabled: this node has no TLS for clients (`tls.client` in cluster.yml)',
    );
  }
  return change('enable', (security) => setEnabled(security, true));
}

async function userRequest(node: SecurityNode, options: Options): Promise<UserRequest> {
  const request = groupRequest(options, ['password']);
  const password = optionsOf(options).get('password');
  if (password === undefined) return { ...request, password: undefined };
  const bytes = utf8ToByteString(password);
  if (bytes === '') throw new AdminRefusal('The password is empty');
  if (bytes.length > SECURITY_LIMITS.passwordBytes) {
    throw new AdminRefusal(`The password is longer than ${SECURITY_LIMITS.passwordBytes} bytes`);
  }
  return { ...request, password: await node.cluster().securityChanges.hash(bytes) };
}

function groupRequest(options: Options, apart: readonly string[] = []): RoleRequest {
  const given = optionsOf(options);
  if (given.has('password') && !apart.includes('password')) {
    throw new AdminRefusal('A group has no password');
  }
  return {
    name: mustName(options, 'name'),
    groups: given.has('groups') ? namesIn(given.get('groups') ?? '') : undefined,
    options: toFreeOptions(given, ['groups', 'password']),
  };
}

function sourcePlace(options: Options): { users: readonly ByteString[]; cidr: string } {
  const text = mustText(options, 'cidr');
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new AdminRefusal(`Invalid CIDR: ${text}`);
  const users = mustList(namesIn(mustText(options, 'users')), 'a user');
  if (users.includes(ALL) && users.length > 1) {
    throw new AdminRefusal('A source is for all or for the users that it names');
  }
  return { users, cidr: cidrToString(cidr) };
}

function methodOf(options: Options): SourceMethod {
  const name = mustText(options, 'source');
  if (isSourceMethod(name)) return name;
  throw new AdminRefusal(
    `Source not supported: ${name}; there are trust, password and certificate`,
  );
}

function grantChange(
  options: Options,
  make: (security: SecurityState, request: GrantRequest) => SecurityChange,
): Make {
  const permissions = permissionsOf(options);
  const target = targetOf(options);
  const names = mustList(namesIn(mustText(options, 'roles')), 'a user or group');
  return (security) => {
    // Looked up in the state that is changed: another change may have come first.
    const { roles, unknown } = rolesNamed(security, names);
    if (unknown.length > 0) return { kind: 'refused', reason: 'unknown-users', names: unknown };
    return make(security, { roles, target, permissions });
  };
}

function permissionsOf(options: Options): readonly Permission[] {
  const names = mustText(options, 'permissions')
    .split(',')
    .filter((name) => name !== '');
  const unknown = names.filter((name) => !isPermission(name));
  if (unknown.length > 0) {
    throw new AdminRefusal(`Permission not recognized: ${unknown.join(', ')}`);
  }
  return mustList(names.filter(isPermission), 'a permission');
}

function targetOf(options: Options): Target | undefined {
  const type = mustText(options, 'type');
  const { bucket } = options;
  const hasBucket = typeof bucket === 'string' && bucket !== '';
  if (type === 'any') {
    if (hasBucket) throw new AdminRefusal('A bucket is named with its type, not with any');
    return undefined;
  }
  const name = utf8ToByteString(type);
  return hasBucket ? { type: name, bucket: utf8ToByteString(bucket) } : { type: name };
}

/** `key=value` each; keys are lower-cased. */
function optionsOf({ options }: Options): ReadonlyMap<string, string> {
  const texts = Array.isArray(options) ? options : [];
  return new Map(
    texts.map((text: unknown) => {
      const end = typeof text === 'string' ? text.indexOf('=') : -1;
      if (typeof text !== 'string' || end < 1) {
        throw new AdminRefusal(`Invalid option ${String(text)}, options are of the form key=value`);
      }
      return [text.slice(0, end).toLowerCase(), text.slice(end + 1)];
    }),
  );
}

function toFreeOptions(
  given: ReadonlyMap<string, string>,
  apart: readonly string[],
): ReadonlyMap<ByteString, ByteString> {
  const free = [...given].filter(([name]) => !apart.includes(name));
  return new Map(free.map(([name, value]) => [utf8ToByteString(name), utf8ToByteString(value)]));
}

function namesIn(text: string): readonly ByteString[] {
  const names = text.split(',').filter((name) => name !== '');
  return [...new Set(names.map(roleNameOf))];
}

function mustList<Name>(names: readonly Name[], what: string): readonly Name[] {
  if (names.length === 0) throw new AdminRefusal(`${what} is needed`);
  return names;
}

function mustName(options: Options, option: string): ByteString {
  return roleNameOf(mustText(options, option));
}

function mustText(options: Options, option: string): string {
  const value = options[option];
  if (typeof value === 'string' && value !== '') return value;
  throw new AdminRefusal(`${option} is needed`);
}
