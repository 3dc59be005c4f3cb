/**
 * `vertebra config`: check a file, show what is in force, explain every setting.
 */

import type { Command } from 'commander';
import { effectiveConfig, readConfigFile } from '../config/config-file.ts';
import { describeSettings } from '../config/describe.ts';
import { textTable } from './text-table.ts';

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('the configuration file');

  config
    .command('check')
    .description('say whether a file is good')
    .argument('[file]', 'the file', 'cluster.yml')
    .action((file: string) => {
      const { clusterName, nodes } = readConfigFile(file);
      console.log(`${file} is good: cluster ${clusterName}, ${nodes.length} nodes`);
    });

  config
    .command('effective')
    .description('print the file with every default filled in')
    .argument('[file]', 'the file', 'cluster.yml')
    .action((file: string) => {
      process.stdout.write(effectiveConfig(file));
    });

  config
    .command('describe')
    .description('list every setting')
    .action(() => {
      const rows = describeSettings().map((setting) => [
        setting.key,
        setting.type,
        setting.range,
        setting.default,
        setting.meaning,
      ]);
      console.log(textTable(['setting', 'type', 'range', 'default', 'meaning'], rows));
    });
}
