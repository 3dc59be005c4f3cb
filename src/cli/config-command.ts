/**
 * `vertebra config`: check a file, show what is in force and where it differs, explain every setting.
 */

import type { Command } from 'commander';
import { askNode } from '../admin/admin-client.ts';
import { adminSocketPath } from '../admin/admin-socket.ts';
import type { ClusterDocument } from '../config/cluster-config.ts';
import { configDifferences, type SettingDifference } from '../config/config-diff.ts';
import { effectiveConfig, openConfigFile, readConfigFile } from '../config/config-file.ts';
import { describeSetting, describeSettings, type SettingDescription } from '../config/describe.ts';
import { isSecretName, redacted } from './support/redact.ts';
import { textTable } from './text-table.ts';

const TIMEOUT_MS = 10_000;

interface DiffOptions {
  readonly node?: string;
  readonly check?: boolean;
  readonly json?: boolean;
}

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
    .command('diff')
    .description('what a file says otherwise than the defaults, and than a running node was told')
    .argument('[file]', 'the file', 'cluster.yml')
    .option('--node <name>', 'a node on this machine: what it was started with')
    .option('--check', 'exit with 1 if the node runs with something else than the file says')
    .option('--json', 'print JSON')
    .action(diff);

  config
    .command('describe')
    .description('explain every setting, or one, or a group of them')
    .argument('[setting]', 'such as limits.body, or limits')
    .action((key?: string) => {
      console.log(settingsText(key === undefined ? describeSettings() : describeSetting(key)));
    });
}

async function diff(file: string, options: DiffOptions): Promise<void> {
  const { document } = openConfigFile(file);
  const running = options.node === undefined ? undefined : await runningConfig(file, options.node);
  const differences = configDifferences(document, running).map(shown);
  if (options.json === true) console.log(JSON.stringify(differences, undefined, 2));
  else console.log(differencesText(differences, options.node));
  if (options.check === true && differences.some(({ isPending }) => isPending)) {
    process.exitCode = 1;
  }
}

async function runningConfig(file: string, name: string): Promise<ClusterDocument> {
  const node = readConfigFile(file).nodes.find((each) => each.name === name);
  if (node === undefined) throw new Error(`${name} is not a node of ${file}`);
  const request = { command: 'config', arguments: {} };
  return (await askNode(adminSocketPath(node.dataDir), request, TIMEOUT_MS)) as ClusterDocument;
}

/** With what is secret hidden, though it was compared. */
function shown(difference: SettingDifference): SettingDifference {
  const { key, isPending, ...values } = difference;
  const isSecret = isSecretName(key);
  const [byDefault, file, running] = [values.default, values.file, values.running].map((value) =>
    isSecret && value !== undefined ? '***' : redacted(value),
  );
  return { key, default: byDefault, file, running, isPending };
}

function differencesText(differences: readonly SettingDifference[], node?: string): string {
  const pendingCount = differences.filter(({ isPending }) => isPending).length;
  if (differences.length === 0) return 'nothing differs';
  const columns =
    node === undefined ? ['setting', 'default', 'file'] : ['  setting', 'default', 'file', node];
  const rows = differences.map(({ key, isPending, ...values }) => [
    node === undefined ? key : `${isPending ? '*' : ' '} ${key}`,
    valueText(values.default),
    valueText(values.file),
    ...(node === undefined ? [] : [valueText(values.running)]),
  ]);
  const table = textTable(columns, rows);
  if (node === undefined) return table;
  if (pendingCount === 0) return `${table}\n\n${node} runs with what the file says`;
  return `${table}\n\n* ${pendingCount} take effect when ${node} is started again`;
}

function valueText(value: unknown): string {
  if (value === undefined) return '-';
  return typeof value === 'string' ? value || "''" : JSON.stringify(value);
}

function settingsText(settings: readonly SettingDescription[]): string {
  const [only] = settings;
  if (settings.length > 1 || only === undefined) {
    const columns = ['setting', 'type', 'range', 'default', 'meaning'];
    const rows = settings.map(({ key, type, range, default: byDefault, meaning }) => [
      key,
      type,
      range,
      byDefault,
      meaning,
    ]);
    return textTable(columns, rows);
  }
  const { key, type, range, default: byDefault, meaning } = only;
  return [
    key,
    `  ${meaning}`,
    `  ${type}${range === '' ? '' : `: ${range}`}`,
    `  default: ${byDefault === '' ? 'none' : byDefault}`,
  ].join('\n');
}
