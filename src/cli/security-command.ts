/**
 * `vertebra admin security`: users, groups, sources and grants, in Riak's words.
 */

import type { Command } from 'commander';
import type { Done } from '../admin/cluster-commands.ts';
import type { Ask } from './admin-command.ts';
import {
  ciphersText,
  grantsText,
  groupsText,
  securityStatusText,
  sourcesText,
  usersText,
} from './security-text.ts';

export function addSecurityCommands(admin: Command, ask: Ask): void {
  const security = admin.command('security').description('who may do what');
  security
    .command('enable')
    .description('let in only who proves who they are, over TLS')
    .action(() => ask('security enable', {}, messageOf));
  security
    .command('disable')
    .description('let everyone in, and keep what is known of them')
    .action(() => ask('security disable', {}, messageOf));
  security
    .command('status')
    .description('whether security is enabled')
    .action(() => ask('security status', {}, securityStatusText));
  addRoleCommands(security, ask);
  addSourceCommands(security, ask);
  addGrantCommands(security, ask);
  security
    .command('ciphers')
    .description('the ciphers for TLS with clients')
    .action(() => ask('security ciphers', {}, ciphersText));
}

function addRoleCommands(security: Command, ask: Ask): void {
  for (const [role, allowed, text] of [
    ['user', 'password=…, groups=a,b and others', usersText],
    ['group', 'groups=a,b and others', groupsText],
  ] as const) {
    for (const [verb, what] of [
      ['add', 'add'],
      ['alter', 'change'],
    ] as const) {
      security
        .command(`${verb}-${role} <name> [options...]`)
        .description(`${what} a ${role}; options are ${allowed}, each key=value`)
        .action((name: string, options: readonly string[]) =>
          ask(`security ${verb}-${role}`, { name, options }, messageOf),
        );
    }
    security
      .command(`del-${role} <name>`)
      .description(`delete a ${role}, with all grants`)
      .action((name: string) => ask(`security del-${role}`, { name }, messageOf));
    security
      .command(`print-${role}s`)
      .description(`all ${role}s`)
      .action(() => ask(`security print-${role}s`, {}, text));
    security
      .command(`print-${role} <name>`)
      .description(`one ${role}`)
      .action((name: string) => ask(`security print-${role}`, { name }, text));
  }
}

function addSourceCommands(security: Command, ask: Ask): void {
  security
    .command('add-source <users> <cidr> <source> [options...]')
    .description(
      'how users (a,b or all) from a network prove themselves: trust|password|certificate',
    )
    .action((users: string, cidr: string, source: string, options: readonly string[]) =>
      ask('security add-source', { users, cidr, source, options }, messageOf),
    );
  security
    .command('del-source <users> <cidr>')
    .description('take a source away')
    .action((users: string, cidr: string) =>
      ask('security del-source', { users, cidr }, messageOf),
    );
  security
    .command('print-sources')
    .description('all sources')
    .action(() => ask('security print-sources', {}, sourcesText));
}

function addGrantCommands(security: Command, ask: Ask): void {
  for (const [verb, preposition] of [
    ['grant', 'to'],
    ['revoke', 'from'],
  ] as const) {
    security
      .command(`${verb} <permissions> <on...>`)
      .description(`PERMISSION[,…] on any|TYPE [BUCKET] ${preposition} all|USER|GROUP[,…]`)
      .action((permissions: string, words: readonly string[]) =>
        ask(`security ${verb}`, { permissions, ...grantWords(words, preposition) }, messageOf),
      );
  }
  security
    .command('print-grants <name>')
    .description('what a user or group may do: its own grants and those that it inherits')
    .action((name: string) => ask('security print-grants', { name }, grantsText));
}

/** `on TYPE [BUCKET] to ROLES`. */
function grantWords(
  words: readonly string[],
  preposition: 'to' | 'from',
): { readonly type: string; readonly bucket?: string; readonly roles: string } {
  const [on, type, ...rest] = words;
  const roles = rest.at(-1);
  const isSentence = on === 'on' && rest.at(-2) === preposition && rest.length <= 3;
  if (!isSentence || type === undefined || roles === undefined) {
    throw new Error(`it must read: PERMISSIONS on any|TYPE [BUCKET] ${preposition} all|NAMES`);
  }
  return rest.length === 3 ? { type, bucket: rest[0] ?? '', roles } : { type, roles };
}

function messageOf({ message }: Done): string {
  return message;
}
