/**
 * Users, groups, sources and grants as the boxed tables that operators know from `riak admin security`.
 */

import type {
  GrantRow,
  GrantsReport,
  RoleReport,
  SecurityStatus,
  SourceReport,
} from '../admin/security-reports.ts';

/** In place of a password's hash. */
const PASSWORD_SET = '********';

export function securityStatusText({ isEnabled, hasClientTls }: SecurityStatus): string {
  if (!isEnabled) return 'Disabled';
  return hasClientTls
    ? 'Enabled'
    : 'Enabled\nWARNING: this node has no TLS for clients (`tls.client`), so it can serve none';
}

export function usersText(users: readonly RoleReport[]): string {
  const rows = users.map(({ name, groups, hasPassword, options }) => [
    name,
    groups.join(', '),
    hasPassword === true ? PASSWORD_SET : '',
    optionsText(options),
  ]);
  return boxTable(['username', 'member of', 'password', 'options'], rows);
}

export function groupsText(groups: readonly RoleReport[]): string {
  const rows = groups.map((each) => [each.name, each.groups.join(', '), optionsText(each.options)]);
  return boxTable(['group', 'member of', 'options'], rows);
}

export function sourcesText(sources: readonly SourceReport[]): string {
  const rows = sources.map(({ users, cidr, source, options }) => [
    users.join(', '),
    cidr,
    source,
    optionsText(options),
  ]);
  return boxTable(['users', 'cidr', 'source', 'options'], rows);
}

export function grantsText({ role, inherited, dedicated, cumulative }: GrantsReport): string {
  const heading = ['type', 'bucket', 'grants'];
  return [
    `Inherited permissions (${role})`,
    boxTable(
      ['group', ...heading],
      inherited.map((row) => [row.group ?? '', ...cells(row)]),
    ),
    '',
    `Dedicated permissions (${role})`,
    boxTable(heading, dedicated.map(cells)),
    '',
    `Cumulative permissions (${role})`,
    boxTable(heading, cumulative.map(cells)),
  ].join('\n');
}

export function ciphersText(ciphers: readonly string[]): string {
  return ['Configured ciphers', '', ...ciphers].join('\n');
}

function cells({ type, bucket, grants }: GrantRow): string[] {
  return [type ?? '*', bucket ?? '*', grants.join(', ')];
}

function optionsText(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}

function boxTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const line = (row: readonly string[]): string => {
    const centred = widths.map((width, column) => {
      const cell = row[column] ?? '';
      return cell.padStart(cell.length + Math.floor((width - cell.length) / 2)).padEnd(width);
    });
    return `| ${centred.join(' | ')} |`;
  };
  return [rule, line(heading), rule, ...rows.map(line), ...(rows.length > 0 ? [rule] : [])].join(
    '\n',
  );
}
