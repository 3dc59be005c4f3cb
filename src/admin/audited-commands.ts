/**
 * Commands that change something, recorded: before they are carried out, and how they ended.
 *
 * What is not named below as looking counts as changing. What cannot be recorded is not carried out,
 * unless the configuration says otherwise. Of what an operator types nothing is recorded that may be a
 * secret: passwords and the values of users' and groups' other options, and keys that are to be erased.
 */

import { isFault } from '../base/fault.ts';
import type { Random } from '../base/host.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';
import type { AuditEvent } from '../audit/audit-line.ts';
import type { AuditSink } from '../audit/refusal-record.ts';

/** These only look. */
export const LOOKING_COMMANDS: ReadonlySet<string> = new Set([
  'status',
  'metrics',
  'capacity',
  'config',
  'slowlog',
  'hotkeys',
  'hints',
  'transfers',
  'ring-status',
  'ringready',
  'key locate',
  'log show',
  'log tail',
  'audit show',
  'audit verify',
  'backup status',
  'bucket-type list',
  'bucket-type status',
  'cluster partitions',
  'cluster plan',
  'cluster status',
  'rate show',
  'repair status',
  'replication status',
  'security ciphers',
  'security print-grants',
  'security print-group',
  'security print-groups',
  'security print-sources',
  'security print-user',
  'security print-users',
  'security status',
  'tombstones count',
  'tombstones status',
]);

const TEXT_MAX_LENGTH = 256;
const DEPTH_MAX = 8;
const HIDDEN = '***';

type Options = Readonly<Record<string, unknown>>;

export interface AuditOptions {
  readonly sink: AuditSink;
  readonly random: Random;
  /** Whether what cannot be recorded is carried out all the same. */
  readonly isLenient: boolean;
}

export function auditedCommands(
  commands: ReadonlyMap<string, AdminCommand>,
  audit: AuditOptions,
): Map<string, AdminCommand> {
  return new Map(
    [...commands].map(([name, run]) => {
      const audited: AdminCommand = (options, operator) =>
        isRecorded(name, options)
          ? recorded({ name, options, operator }, run, audit)
          : run(options, operator);
      return [name, audited];
    }),
  );
}

/** Revealing keys changes nothing, but shows what may be patients' numbers. */
function isRecorded(name: string, options: Options): boolean {
  return !LOOKING_COMMANDS.has(name) || (name === 'hotkeys' && options['revealKeys'] === true);
}

interface Asked {
  readonly name: string;
  readonly options: Options;
  readonly operator: string | undefined;
}

async function recorded(
  { name, options, operator }: Asked,
  run: AdminCommand,
  { sink, random, isLenient }: AuditOptions,
): Promise<unknown> {
  const id = random.bytes(6).toString('hex');
  const append = async (event: AuditEvent): Promise<string | undefined> => {
    try {
      await sink.append(event);
      return undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      return error.message;
    }
  };
  const trouble = await append({
    event: 'command',
    id,
    operator: operator ?? 'unknown',
    command: name,
    arguments: withoutSecrets(name === 'key erase' ? { ...options, key: HIDDEN } : options),
  });
  if (trouble !== undefined && !isLenient) {
    throw new AdminRefusal(`nothing was done, because it could not be recorded: ${trouble}`);
  }
  let outcome = 'failed';
  try {
    const result = await run(options, operator);
    outcome = 'done';
    return result;
  } catch (error) {
    if (error instanceof AdminRefusal) outcome = 'refused';
    throw error;
  } finally {
    // It has happened: whoever asked hears how it went, recorded or not.
    await append({ event: 'command-ended', id, command: name, outcome });
  }
}

function withoutSecrets(options: Options): unknown {
  const { options: pairs, ...rest } = options;
  return {
    ...(shown(rest, 0) as object),
    ...(Array.isArray(pairs) ? { options: pairs.map(withoutValue) } : {}),
  };
}

/** `name=value`, of which only groups are no secret. */
function withoutValue(pair: unknown): string {
  const [, name = ''] = /^([^=]{1,64})=/.exec(String(pair)) ?? [];
  if (name === '') return HIDDEN;
  return name.toLowerCase() === 'groups' ? cut(String(pair)) : `${name}=${HIDDEN}`;
}

function shown(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((each) => shown(each, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      cut(name),
      /passw|secret/i.test(name) ? HIDDEN : shown(each, depth + 1),
    ]),
  );
}

function cut(text: string): string {
  return text.length <= TEXT_MAX_LENGTH ? text : `${text.slice(0, TEXT_MAX_LENGTH)}…`;
}
