/**
 * The command line.
 *
 * Others script against it, so names and exit codes are kept: 0 done, 1 it could not be done (one
 * sentence on stderr), 2 the command line itself was wrong. What a command needs is loaded when it is
 * run, so that a question to a running node does not wait for the whole server to be read.
 */

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { addAdminCommands } from './admin-command.ts';
import { addBenchCommands } from './bench-command.ts';
import { addCompletionCommands } from './completion-command.ts';
import { addConfigCommands } from './config-command.ts';
import type { DashboardArguments } from './dashboard-command.ts';
import { addMigrateCommands } from './migrate-command.ts';
import { RELEASE } from './release.ts';
import type { StartOptions } from './start-command.ts';

export async function runProgram(argv: readonly string[], entryPoint: string): Promise<void> {
  const program = createProgram(entryPoint);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version are no errors; commander has printed what there is to say.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    console.error(`vertebra: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

/** Nothing is run yet. */
export function createProgram(entryPoint: string): Command {
  const program = new Command('vertebra')
    .description('A distributed key-value store that speaks Riak')
    .version(RELEASE)
    .exitOverride()
    .showHelpAfterError();

  program
    .command('start')
    .description('run one node in the foreground')
    .requiredOption('--config <file>', 'the cluster.yml')
    .requiredOption('--node <name>', 'the name of the node in it')
    .option('--data <folder>', 'the data folder, in place of the one in the file')
    .option('--restored', 'the folder is a backup put back: once, for the first start from it')
    .action(async (options: StartOptions) => {
      const { runNode } = await import('./start-command.ts');
      await runNode(options);
    });

  program
    .command('dev')
    .description('run a whole cluster on this machine')
    .option('--config <file>', 'run the nodes of this cluster.yml')
    .option('--nodes <count>', 'nodes to run', wholeNumber, 3)
    .option(
      '--base-port <port>',
      'node i has HTTP port+10·i+8, PB +7, peer +9',
      wholeNumber,
      10_000,
    )
    .option('--data <folder>', 'where the nodes keep their data', 'data')
    .option('--bucket-types <file>', 'JSON of name → properties: created and activated')
    .action(async (options: DevArguments) => {
      const { runDev } = await import('./dev-command.ts');
      await runDev(options, entryPoint);
    });

  program
    .command('demo')
    .description('load patients, kill a node, and show that nothing acknowledged is lost')
    .option('--records <count>', 'patients', wholeNumber, 10_000)
    .option('--seed <number>', 'what the patients are made from', wholeNumber, 1)
    .option('--nodes <count>', 'nodes to run', wholeNumber, 3)
    .option('--base-port <port>', 'as for dev', wholeNumber, 20_000)
    .action(async (options: DemoArguments) => {
      const { runDemo } = await import('./demo/demo.ts');
      await runDemo(options, entryPoint);
    });

  addRepairStoreCommand(program);
  addBenchCommands(program, entryPoint);
  addDashboardCommand(program);
  addConfigCommands(program);
  addMigrateCommands(program);
  addAdminCommands(program);
  addCompletionCommands(program);
  return program;
}

function addRepairStoreCommand(program: Command): void {
  program
    .command('repair-store <folder>')
    .description('mend the data folder of a stopped node whose disk was damaged')
    .action(async (folder: string) => {
      const { repairStore } = await import('./repair-store-command.ts');
      console.log(await repairStore(folder));
    });
}

function addDashboardCommand(program: Command): void {
  program
    .command('dashboard')
    .description('a page that shows the cluster live, for this machine only')
    .option('--config <file...>', 'the cluster.yml; more than one: their nodes together', [
      'cluster.yml',
    ])
    .option('--port <port>', 'on loopback', wholeNumber, 8_700)
    .option('--show-keys', 'let the page ask for hot keys by name, and where a key is')
    .action(async (options: DashboardArguments) => {
      const { runDashboard } = await import('./dashboard-command.ts');
      await runDashboard(options);
    });
}

export interface DevArguments {
  readonly config?: string;
  readonly nodes: number;
  readonly basePort: number;
  readonly data: string;
  readonly bucketTypes?: string;
}

export interface DemoArguments {
  readonly records: number;
  readonly seed: number;
  readonly nodes: number;
  readonly basePort: number;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
