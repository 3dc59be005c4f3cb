/**
 * `vertebra migrate`: objects from Riak, another Vertebra or a file into a cluster, and back.
 *
 * Progress goes to stderr, the summary to stdout. The exit code is 1 where anything has to be looked
 * at: what failed, what is in conflict, what differs.
 */

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { parseDurationMs } from '../config/units.ts';
import { withLogin } from './login-options.ts';
import type { LoginArgumentsOf } from './login-options.ts';
import type { FileArguments } from './migrate-file-run.ts';
import type { EndArguments, RunArguments } from './migrate-run.ts';

export function addMigrateCommands(program: Command): void {
  const migrate = program
    .command('migrate')
    .description('bring objects from Riak, another cluster or a file, without downtime');
  addPlan(migrate);
  addCopy(migrate);
  addCompare(migrate);
  addExport(migrate);
  addImport(migrate);
}

export interface PlanArguments extends EndArguments {
  readonly set?: boolean;
}

export interface CopyArguments extends RunArguments {
  readonly ledger: string;
  readonly reverse?: boolean;
  readonly deletes?: boolean;
  readonly deletesMax: number;
  readonly onConflict: 'keep' | 'replace';
  readonly failuresMax: number;
}

export interface ExportArguments extends FileArguments, LoginArgumentsOf<'from'> {
  readonly from: string;
  readonly type?: readonly string[];
  readonly bucket?: readonly string[];
  readonly expect?: number;
}

export interface ImportArguments extends FileArguments, LoginArgumentsOf<'to'> {
  readonly to: string;
  readonly ledger?: string;
  readonly onConflict: 'keep' | 'replace';
}

function addPlan(migrate: Command): void {
  withEnds(migrate.command('plan'))
    .description('the bucket types and properties that the target lacks; changes nothing')
    .option('--set', 'set the properties of buckets that differ')
    .action(async (options: PlanArguments) => {
      const { runPlan } = await import('./migrate-run.ts');
      await runPlan(options);
    });
}

function addCopy(migrate: Command): void {
  withLoad(withEnds(migrate.command('copy')))
    .description('copy what the target has not; again: what has changed at the source since')
    .requiredOption('--ledger <folder>', 'what was copied; keep it until the move is over')
    .option('--reverse', 'back: from what was the target to what was the source')
    .option('--deletes', 'delete at the target what is gone from the source and was copied')
    .option('--deletes-max <count>', 'that may be deleted before it stops', wholeNumber, 10_000)
    .addOption(onConflict())
    .option(...FAILURES_MAX)
    .option(...EXPECT)
    .action(async (options: CopyArguments) => {
      const { runCopy } = await import('./migrate-run.ts');
      await runCopy(options);
    });
}

function addCompare(migrate: Command): void {
  withLoad(withEnds(migrate.command('compare')))
    .description('read both ends whole and count what differs; changes nothing')
    .option(...EXPECT)
    .action(async (options: RunArguments) => {
      const { runCompare } = await import('./migrate-run.ts');
      await runCompare(options);
    });
}

function addExport(migrate: Command): void {
  const command = migrate
    .command('export <file>')
    .requiredOption('--from <nodes>', 'Protocol Buffers host:port,… of the cluster');
  withLoad(withRequests(withScope(withLogin(command, 'from'))))
    .description('write objects to a file, a line of JSON each; compressed if it ends in .gz')
    .option(...EXPECT)
    .option(...FAILURES_MAX)
    .action(async (file: string, options: ExportArguments) => {
      const { runExport } = await import('./migrate-file-run.ts');
      await runExport(file, options);
    });
}

function addImport(migrate: Command): void {
  const command = migrate
    .command('import <file>')
    .requiredOption('--to <nodes>', 'Protocol Buffers host:port,… of the target');
  withLoad(withRequests(withLogin(command, 'to')))
    .description('store the objects of a file that the target has not')
    .option('--ledger <folder>', 'what was stored, to go on with and to leave later changes alone')
    .addOption(onConflict())
    .option(...FAILURES_MAX)
    .action(async (file: string, options: ImportArguments) => {
      const { runImport } = await import('./migrate-file-run.ts');
      await runImport(file, options);
    });
}

const FAILURES_MAX = [
  '--failures-max <count>',
  'objects that may fail before it stops',
  wholeNumber,
  1_000,
] as const;

const EXPECT = [
  '--expect <count>',
  'objects there are, for the time that is left',
  wholeNumber,
] as const;

function onConflict(): Option {
  return new Option('--on-conflict <way>', 'where the target holds its own')
    .choices(['keep', 'replace'])
    .default('keep');
}

function withEnds(command: Command): Command {
  const from = command.requiredOption(
    '--from <nodes>',
    'Protocol Buffers host:port,… of the source',
  );
  const to = withLogin(from, 'from').requiredOption('--to <nodes>', 'of the target');
  return withRequests(withScope(withLogin(to, 'to')));
}

function withScope(command: Command): Command {
  return command
    .option('--type <type>', 'a bucket type; several times. Default: default', collect)
    .option('--bucket <bucket>', 'only this bucket; several times', collect);
}

function withRequests(command: Command): Command {
  return command
    .option('--timeout <time>', 'of one request', durationMs, 30_000)
    .option('--patience <time>', 'with nodes that do not answer', durationMs, 300_000)
    .option('--json', 'the summary as JSON');
}

function withLoad(command: Command): Command {
  return command
    .option('--rate <rate>', 'objects a second at most, as 2000/s', rate)
    .option('--concurrency <count>', 'objects at a time', concurrency, 32)
    .option('--keys-to <file>', 'names what has to be looked at; the file holds keys')
    .option('--quiet', 'no progress on stderr');
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function concurrency(text: string): number {
  const count = wholeNumber(text);
  if (count >= 1 && count <= 1_000) return count;
  throw new InvalidArgumentError('It must be between 1 and 1000.');
}

function rate(text: string): number {
  const match = /^(\d{1,7}(?:\.\d{1,3})?)\/s$/.exec(text);
  const perSecond = Number(match?.[1]);
  if (perSecond > 0) return perSecond;
  throw new InvalidArgumentError('It must be a rate, as 2000/s.');
}

function durationMs(text: string): number {
  const value = parseDurationMs(text);
  if (value !== undefined && value >= 1 && value <= 86_400_000) return value;
  throw new InvalidArgumentError('It must be a duration, as 30s.');
}
