/**
 * Repair by an operator: what is being healed, and what should be healed now.
 *
 * Commands start work and return at once; `status` tells how far it is. Each speaks of the node that
 * is asked.
 */

import type { Partition } from '../base/names.ts';
import type { NodeService } from '../node/node-service.ts';
import type { OperatorService } from '../node/operations.ts';
import { AdminRefusal, type AdminCommand } from './admin-server.ts';

type Options = Readonly<Record<string, unknown>>;

export function repairCommands(
  node: NodeService,
  operator: OperatorService,
): Map<string, AdminCommand> {
  return new Map<string, AdminCommand>([
    ['repair run', async (options) => run(node, operator, options)],
    ['repair status', async () => operator.repairStatus()],
    [
      'repair cancel',
      async () => {
        await operator.cancelRepair();
        return operator.repairStatus().job;
      },
    ],
    ['repair indexes', (options) => repairIndexes(node, operator, options)],
    [
      'repair scrub',
      async () => {
        operator.runScrub();
        return 'every copy on this node is being checked; see repair status';
      },
    ],
    ['hints', async () => hints(operator)],
    ['transfers', async () => operator.transfers()],
    ['tombstones count', () => operator.tombstones()],
    ['tombstones reap', async () => reap(operator)],
    ['tombstones status', async () => operator.reapStatus()],
    [
      'tombstones cancel',
      async () => {
        await operator.cancelReap();
        return operator.reapStatus();
      },
    ],
  ]);
}

function run(node: NodeService, operator: OperatorService, options: Options): string {
  const partitions = partitionsOf(node, options['partitions']);
  const isFull = options['isFull'] === true;
  const scope = partitions === undefined ? { isFull } : { partitions, isFull };
  if (!operator.runRepair(scope)) {
    throw new AdminRefusal('a repair is under way; see repair status, or cancel it');
  }
  const what =
    partitions === undefined ? 'all partitions' : `partition ${[...partitions].join(', ')}`;
  return `repair of ${what} has begun; see repair status`;
}

async function repairIndexes(
  node: NodeService,
  operator: OperatorService,
  options: Options,
): Promise<string> {
  const partitions = partitionsOf(node, options['partitions']);
  if (!(await operator.runIndexRepair(partitions === undefined ? 'all' : [...partitions]))) {
    throw new AdminRefusal('a repair of the indexes is under way; see repair status, or cancel it');
  }
  return 'the indexes are compared with the objects of this node; see repair status';
}

/** Undefined: all of them. */
function partitionsOf(node: NodeService, asked: unknown): Set<Partition> | undefined {
  if (asked === undefined) return undefined;
  if (!Array.isArray(asked) || asked.length === 0) throw new AdminRefusal('no list of partitions');
  const { ringSize } = node.state();
  for (const partition of asked) {
    if (!Number.isInteger(partition) || partition < 0 || partition >= ringSize) {
      throw new AdminRefusal(`${String(partition)} is no partition; they are 0 to ${ringSize - 1}`);
    }
  }
  return new Set(asked as Partition[]);
}

function hints(operator: OperatorService): unknown {
  const targets = operator.hints();
  return { total: targets.reduce((sum, { count }) => sum + count, 0), targets };
}

function reap(operator: OperatorService): string {
  if (!operator.runReap()) {
    throw new AdminRefusal('a reap is under way; see tombstones status, or cancel it');
  }
  return 'reaping has begun; see tombstones status';
}
