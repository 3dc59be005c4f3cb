/**
 * `vertebra admin cluster`: who is in the cluster, changed by an operator in Riak's words.
 */

import type { Command } from 'commander';
import type { Done } from '../admin/cluster-commands.ts';
import type { Ask } from './admin-command.ts';
import { partitionsText, planText, statusText } from './cluster-text.ts';

export function addClusterCommands(admin: Command, ask: Ask): void {
  const cluster = admin.command('cluster').description('members: stage, plan, commit');
  addStaging(cluster, ask);
  cluster
    .command('plan')
    .description('what the staged changes would do, under a hash')
    .action(() => ask('cluster plan', {}, planText));
  cluster
    .command('commit [hash]')
    .description('carry out the plan that was shown under this hash')
    .option('--yes', 'whatever the plan is by now')
    .action((hash: string | undefined, { yes }: { readonly yes?: boolean }) =>
      ask('cluster commit', { hash, isSure: yes === true }, messageOf),
    );
  cluster
    .command('clear')
    .description('forget the staged changes')
    .action(() => ask('cluster clear', {}, messageOf));
  cluster
    .command('status')
    .description('members, their shares of the ring, and the step that is open')
    .option('--check', 'exit with 1 and say why unless all members are up and no step is open')
    .action(({ check }: { readonly check?: boolean }) =>
      ask('cluster status', { mustBeSettled: check === true }, statusText),
    );
  cluster
    .command('partitions [node]')
    .description("a node's partitions; default the node that is asked")
    .action((node?: string) => ask('cluster partitions', { node }, partitionsText));
  cluster
    .command('recover')
    .description('offline, when a majority is gone for good: go on with the survivors')
    .requiredOption('--data <folder>', 'the data folder of a stopped survivor')
    .requiredOption('--survivors <names>', 'all nodes that are left, with commas between')
    .option('--yes', 'do it; without this it is only described')
    .action(async (options: { data: string; survivors: string; yes?: boolean }) => {
      const { recoverCluster } = await import('./recover-command.ts');
      console.log(await recoverCluster(options));
    });
}

function addStaging(cluster: Command, ask: Ask): void {
  cluster
    .command('join <address>')
    .description('have this node taken in by the member at HOST:PEERPORT')
    .action((address: string) => ask('cluster join', { address }, messageOf));
  cluster
    .command('leave [node]')
    .description(
      'stage that a node hands over what it has and goes; default the node that is asked',
    )
    .action((node?: string) => ask('cluster leave', { node }, messageOf));
  cluster
    .command('replace <node> <successor>')
    .description('stage that a joining node gets what another has, which then goes')
    .action((node: string, successor: string) =>
      ask('cluster replace', { node, successor }, messageOf),
    );
  cluster
    .command('force-replace <node> <successor>')
    .description('as replace, of a node that is gone for good')
    .action((node: string, successor: string) =>
      ask('cluster force-replace', { node, successor }, messageOf),
    );
  cluster
    .command('force-remove <node>')
    .description('stage that a node that is gone for good is taken out')
    .action((node: string) => ask('cluster force-remove', { node }, messageOf));
  cluster
    .command('down <node>')
    .description('go on without the vote of a node that does not answer, until it is back')
    .action((node: string) => ask('cluster down', { node }, messageOf));
  cluster
    .command('location <location> [node]')
    .description('stage that a node is in this location; default the node that is asked')
    .action((location: string, node?: string) =>
      ask('cluster location', { location, node }, messageOf),
    );
}

function messageOf({ message }: Done): string {
  return message;
}
