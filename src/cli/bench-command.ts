/**
 * `vertebra bench`: the load harness; see `bench/README.md`.
 */

import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { RunArguments } from '../../bench/run-command.ts';
import type { SuiteArguments } from '../../bench/suite-command.ts';
import { withLogin } from './login-options.ts';

export function addBenchCommands(program: Command, entryPoint: string): void {
  const bench = program.command('bench').description('load a cluster, and look for every write');
  addRun(bench, entryPoint);
  bench
    .command('list')
    .description('the workloads there are')
    .action(async () => {
      const { listCommand } = await import('../../bench/list-command.ts');
      listCommand();
    });
  bench
    .command('check')
    .description('check workload files, or basho_bench configurations')
    .argument('<file...>', 'the files')
    .action(async (files: string[]) => {
      const { checkCommand } = await import('../../bench/list-command.ts');
      checkCommand(files);
    });
  bench
    .command('compare')
    .description('compare repeated runs, with confidence intervals')
    .argument('<before>', 'a result, or a folder of results')
    .argument('<after>', 'another')
    .option('--fail-worse <share>', 'exit with 1 where a figure is surely worse by more, as 10%')
    .action(async (before: string, after: string, { failWorse }: { failWorse?: string }) => {
      const { compareCommand } = await import('../../bench/compare-command.ts');
      compareCommand(before, after, failWorse);
    });
  bench
    .command('merge')
    .description('results of generators that loaded one cluster at once, as one report')
    .argument('<result...>', 'results, or their folders')
    .requiredOption('--out <folder>', 'where the report goes')
    .action(async (results: string[], { out }: { out: string }) => {
      const { mergeCommand } = await import('../../bench/merge-command.ts');
      mergeCommand(results, out);
    });
  bench
    .command('suite')
    .description('every figure of the baseline in ten minutes, on nodes of its own')
    .option('--base-port <port>', 'as for dev', wholeNumber, 24_000)
    .option('--out <folder>', 'where the results go', 'data/bench/suite')
    .option('--only <name>', 'just one part')
    .action(async (options: SuiteArguments) => {
      const { suiteCommand } = await import('../../bench/suite-command.ts');
      await suiteCommand(options, entryPoint);
    });
}

function addRun(bench: Command, entryPoint: string): void {
  withLogin(bench.command('run'))
    .description('run a workload: its name, a .yml file, or a basho_bench .config')
    .argument('<workload>', 'see `vertebra bench list`')
    .option(
      '--target <target>',
      'pb://host:port,… or http(s)://host:port,… or null or engine:folder; ' +
        'else the first node of `vertebra dev`',
    )
    .option('--query-nodes <nodes>', 'HTTP host:port,… beside pb, for queries; HTTPS with --user')
    .option('--start <nodes>', 'start so many nodes on this machine for the run', positive)
    .option('--base-port <port>', 'of these nodes, as for dev', wholeNumber, 24_000)
    .option('--data <folder>', 'where they keep their data; removed unless given')
    .option('--scale <factor>', 'sets of keys this much larger or smaller', decimal, 1)
    .option('--duration <time>', 'of each measured phase')
    .option('--clients <count>', 'clients of each measured phase', positive)
    .option('--rate <rate>', 'an open loop at 2000/s, or at 60% of the closed one')
    .option('--warm-up <operations>', 'operations before anything counts', wholeNumber)
    .option('--steady <time>', 'longest wait for a rate that has come to rest; 0s: none')
    .option('--without <operations>', 'operations of the workload to leave out, with commas')
    .option('--processes <count>', 'worker processes', positive)
    .option('--generator <k/n>', 'the k-th of n that load one cluster together; see merge')
    .option('--begin <time>', 'when the loops after the load begin, as 2026-11-24T12:00:00Z')
    .option('--seed <number>', 'what keys and values are drawn from', wholeNumber, 1)
    .option('--timeout <time>', 'of one request', '10s')
    .option('--interval <time>', 'of the reports over time; 1s, or 10s for long runs')
    .option('--no-load', 'the keys are there already')
    .option('--no-verify', 'do not look for the acknowledged writes')
    .option('--verify-keys <count>', 'keys followed in each process', wholeNumber, 1_000_000)
    .option('--patience <time>', 'how long what is missing is looked for', '30s')
    .option('--repeat <count>', 'runs, for `bench compare`', positive, 1)
    .option('--out <folder>', 'where the report goes')
    .action(async (workload: string, options: RunArguments) => {
      const { runCommand } = await import('../../bench/run-command.ts');
      await runCommand(workload, options, entryPoint);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function positive(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

function decimal(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new InvalidArgumentError('It must be above 0.');
  return value;
}
