/**
 * `vertebra admin`: an operator's commands to a running node, over its admin socket.
 */

import type { Command } from 'commander';
import { erasedKeyText, locatedKeyText, type ErasedKey } from '../admin/key-commands.ts';
import { LOOKING_COMMANDS } from '../admin/audited-commands.ts';
import { askNode } from '../admin/admin-client.ts';
import { terminalJson } from '../base/terminal-json.ts';
import { addAuditCommand } from './admin-audit-command.ts';
import { addBackupCommands } from './admin-backup-command.ts';
import { addCapacityCommand } from './admin-capacity-command.ts';
import { addLoadCommands } from './admin-load-command.ts';
import { addLogCommands } from './admin-log-command.ts';
import { addRateCommands } from './admin-rate-command.ts';
import { addRepairCommands } from './admin-repair-command.ts';
import { addReplicationCommands } from './admin-replication-command.ts';
import { addSupportCommand } from './admin-support-command.ts';
import { addTransfersCommand } from './admin-transfers-command.ts';
import { addWaitCommand } from './admin-wait-command.ts';
import { adminSocketPath } from '../admin/admin-socket.ts';
import type { RingReadiness } from '../admin/ring-commands.ts';
import type { ClusterConfig, NodeConfig } from '../config/cluster-config.ts';
import { allNodesJson, allNodesText, askAllNodes, type NodeAnswer } from './all-nodes.ts';
import { readConfigFile } from '../config/config-file.ts';
import { addClusterCommands } from './cluster-command.ts';
import { addSecurityCommands } from './security-command.ts';
import { memberStatusText, ringReadyText, ringStatusText } from './ring-text.ts';

const TIMEOUT_MS = 60_000;
/** Of each node: one that hangs must not keep the others' answers. */
const ALL_TIMEOUT_MS = 10_000;

interface NodeOptions {
  readonly config: string;
  readonly node?: string;
  readonly json?: boolean;
  readonly all?: boolean;
}

/** Asks the node and prints what it says: as JSON if that is wished, else as `toText` shows it. */
export type Ask = (
  command: string,
  options?: Record<string, unknown>,
  toText?: (result: never) => string,
) => Promise<void>;

/** As `Ask`; resolves with what the node said. */
export type Answer = (...asked: Parameters<Ask>) => Promise<unknown>;

export function addAdminCommands(program: Command): void {
  const admin = program
    .command('admin')
    .description('commands to a running node')
    .option('--config <file>', 'the cluster.yml', 'cluster.yml')
    .option('--node <name>', 'the node to ask; default the first of the file')
    .option('--json', 'print JSON')
    .option('--all', 'ask every node of the file, and print a table by node');

  const query = (command: string, options: Record<string, unknown> = {}): Promise<unknown> =>
    askNode(socketOf(admin.opts<NodeOptions>()), { command, arguments: options }, TIMEOUT_MS);
  const answerTo: Answer = async (command, options = {}, toText) => {
    const target = admin.opts<NodeOptions>();
    if (target.all === true) return printAll(target, command, options);
    const result = await query(command, options);
    if (target.json === true) console.log(terminalJson(result, 2));
    else if (toText !== undefined) printUnlessEmpty(toText(result as never));
    else if (typeof result === 'string') console.log(result);
    else console.log(terminalJson(result, 2));
    return result;
  };
  const ask: Ask = async (...asked) => {
    await answerTo(...asked);
  };

  admin
    .command('status')
    .description('whether the node serves, and what it sees of the others')
    .action(() => ask('status'));
  admin
    .command('metrics')
    .description('everything the node counts, as OpenMetrics text')
    .action(() => ask('metrics'));

  admin
    .command('diag')
    .description('what this machine and its node lack; exits with 1 if something fails')
    .action(() => diag(admin.opts<NodeOptions>()));

  addWaitCommand(admin, <T>(command: string, timeoutMs: number) => {
    const socket = socketOf(admin.opts<NodeOptions>());
    const waitMs = Math.min(timeoutMs, TIMEOUT_MS);
    return askNode(socket, { command, arguments: {} }, waitMs) as Promise<T>;
  });
  addCapacityCommand(admin, query);
  addSupportCommand(admin, () => {
    const target = admin.opts<NodeOptions>();
    const config = readConfigFile(target.config);
    return { configPath: target.config, config, self: selfOf(config.nodes, target), query };
  });
  addRingCommands(admin, { ask, answerTo });
  addClusterCommands(admin, ask);
  addKeyCommands(admin, answerTo);
  addLoadCommands(admin, ask);
  addLogCommands(admin, ask);
  addAuditCommand(admin, answerTo);
  addRepairCommands(admin, ask);
  addRateCommands(admin, ask);
  addTransfersCommand(admin, ask);
  addReplicationCommands(admin, ask);
  const config = (): ClusterConfig => readConfigFile(admin.opts<NodeOptions>().config);
  addBackupCommands(admin, { ask, query, config, queryOf });
  addSecurityCommands(admin, ask);
  addBucketTypeCommands(admin, ask);
}

/** A node that does not answer is a row of the table. */
async function printAll(
  target: NodeOptions,
  command: string,
  options: Record<string, unknown>,
): Promise<NodeAnswer[]> {
  const { nodes } = readConfigFile(target.config);
  const answers = await askAllNodes(nodes, command, (node) =>
    askNode(adminSocketPath(node.dataDir), { command, arguments: options }, ALL_TIMEOUT_MS),
  );
  const isJson = target.json === true;
  console.log(isJson ? terminalJson(allNodesJson(answers), 2) : allNodesText(command, answers));
  // Elsewhere a row without an answer says enough; here what was to change has not been changed there.
  const isLooking = LOOKING_COMMANDS.has(command);
  if (!isLooking && answers.some((each) => 'error' in each)) process.exitCode = 1;
  return answers;
}

async function diag(target: NodeOptions): Promise<void> {
  const config = readConfigFile(target.config);
  const { diagnoseNodes, diagnosesText } = await import('./diag/diagnose-nodes.ts');
  const nodes = target.all === true ? config.nodes : [selfOf(config.nodes, target)];
  const diagnoses = await diagnoseNodes(config, nodes, (node, command) =>
    askNode(adminSocketPath(node.dataDir), { command, arguments: {} }, TIMEOUT_MS),
  );
  const findings = diagnoses.flatMap((each) => each.findings ?? []);
  const { findingsText } = await import('./diag/finding.ts');
  if (target.json === true) {
    console.log(JSON.stringify(target.all === true ? diagnoses : findings, undefined, 2));
  } else {
    console.log(target.all === true ? diagnosesText(diagnoses) : findingsText(findings));
  }
  if (findings.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1;
}

function addRingCommands(
  admin: Command,
  { ask, answerTo }: { readonly ask: Ask; readonly answerTo: Answer },
): void {
  admin
    .command('member-status')
    .description('members and their shares of the ring')
    .action(() => ask('cluster status', {}, memberStatusText));
  admin
    .command('ring-status')
    .description('whether the ring is agreed on, what of it moves, who does not answer')
    .action(() => ask('ring-status', {}, ringStatusText));
  admin
    .command('ringready')
    .description('whether all members are up and act on the same ring; if not, exits with 1')
    .action(async () => {
      const readiness = (await answerTo('ringready', {}, ringReadyText)) as RingReadiness;
      if (!readiness.isReady) process.exitCode = 1;
    });
}

function addKeyCommands(admin: Command, answerTo: Answer): void {
  const key = admin.command('key').description('one key');
  key
    .command('locate <type> <bucket> <key>')
    .description('where a key is, what each node holds of it, and whether they agree')
    .action(async (type: string, bucket: string, name: string) => {
      await answerTo('key locate', { type, bucket, key: name }, locatedKeyText);
    });
  key
    .command('erase <type> <bucket> <key>')
    .description(
      'delete a key, reap it, and look at every member; exits with 1 if anything is left',
    )
    .option('--yes', 'without it, only what would be erased is shown')
    .option('--reap', 'let the tombstone go too where delete_mode keeps tombstones')
    .option('--reason <text>', 'for the audit log, in which the key itself is not')
    .action(async (type: string, bucket: string, name: string, options: EraseOptions) => {
      if (admin.opts<NodeOptions>().all === true)
        key.error('one node erases for all: without --all');
      const of = { type, bucket, key: name };
      if (options.yes !== true) {
        await answerTo('key locate', of, locatedKeyText);
        console.error('nothing was erased: --yes erases this');
        return;
      }
      const { reap, reason } = options;
      const erased = await answerTo('key erase', { ...of, reap, reason }, erasedKeyText);
      if ((erased as ErasedKey).verdict !== 'erased') process.exitCode = 1;
    });
}

interface EraseOptions {
  readonly yes?: boolean;
  readonly reap?: boolean;
  readonly reason?: string;
}

function addBucketTypeCommands(admin: Command, ask: Ask): void {
  const types = admin.command('bucket-type').description('bucket types');
  types
    .command('create <type> [properties]')
    .description('create a type; properties are JSON, {"props":{…}}')
    .action((type: string, text?: string) =>
      ask('bucket-type create', { type, properties: propertiesOf(type, text) }),
    );
  types
    .command('update <type> <properties>')
    .description('change properties of a type')
    .action((type: string, text: string) =>
      ask('bucket-type update', { type, properties: propertiesOf(type, text) }),
    );
  types
    .command('activate <type>')
    .description('let a created type be used')
    .action((type: string) => ask('bucket-type activate', { type }));
  types
    .command('status <type>')
    .description('the state and properties of a type')
    .action((type: string) => ask('bucket-type status', { type }));
  types
    .command('list')
    .description('all types')
    .action(() => ask('bucket-type list'));
}

function queryOf(node: NodeConfig) {
  return (command: string, options: Record<string, unknown> = {}): Promise<unknown> =>
    askNode(adminSocketPath(node.dataDir), { command, arguments: options }, TIMEOUT_MS);
}

/** Riak says nothing where there is nothing to say. */
function printUnlessEmpty(text: string): void {
  if (text !== '') console.log(text);
}

function socketOf(target: NodeOptions): string {
  return adminSocketPath(selfOf(readConfigFile(target.config).nodes, target).dataDir);
}

function selfOf(nodes: readonly NodeConfig[], target: NodeOptions): NodeConfig {
  const node =
    target.node === undefined ? nodes[0] : nodes.find(({ name }) => name === target.node);
  if (node === undefined) throw new Error(`${target.node} is not a node of ${target.config}`);
  return node;
}

/** Riak's form: an object with `props`. */
function propertiesOf(type: string, text: string | undefined): unknown {
  if (text === undefined) return {};
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error(`Cannot create bucket type ${type}: invalid json`);
  }
  const isObject = typeof document === 'object' && document !== null;
  const properties = isObject ? (document as Record<string, unknown>)['props'] : undefined;
  if (properties === undefined) {
    throw new Error(`Cannot create bucket type ${type}: no props field found in json`);
  }
  return properties;
}
