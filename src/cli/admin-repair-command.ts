/**
 * `vertebra admin repair|hints|tombstones`: healing, as an operator sees and starts it.
 */

import { InvalidArgumentError, type Command } from 'commander';
import type { HintStatus } from '../repair/hinted-handoff.ts';
import type { Ask } from './admin-command.ts';
import { textTable } from './text-table.ts';

export function addRepairCommands(admin: Command, ask: Ask): void {
  const repair = admin.command('repair').description('compare this node with the others, and heal');
  repair
    .command('run')
    .description('compare now, not only when the continuous rounds come to it')
    .option('--partition <number>', 'this partition; may be given again', addPartition, [])
    .option('--full', 'compare every key, whatever the hash trees say')
    .action((options: { partition: number[]; full?: boolean }) => {
      const { partition, full } = options;
      const partitions = partition.length === 0 ? undefined : partition;
      return ask('repair run', { partitions, isFull: full === true });
    });
  repair
    .command('indexes')
    .description(
      'compare index entries with the objects here, and mend them; as `repair-2i` of Riak',
    )
    .option('--partition <number>', 'this partition; may be given again', addPartition, [])
    .action(({ partition }: { partition: number[] }) =>
      ask('repair indexes', { partitions: partition.length === 0 ? undefined : partition }),
    );
  repair
    .command('status')
    .description('how far the rounds, the scrub, the index repair and the last `run` are')
    .action(() => ask('repair status'));
  repair
    .command('cancel')
    .description('end the last `run`, and the index repair, at the next step')
    .action(() => ask('repair cancel'));
  repair
    .command('scrub')
    .description('check every copy on this node now, and fetch what is damaged from the others')
    .action(() => ask('repair scrub'));

  admin
    .command('hints')
    .description('what this node owes to others')
    .action(() => ask('hints', {}, hintsText));

  const tombstones = admin.command('tombstones').description('what is left of deleted keys');
  tombstones
    .command('count')
    .description('count those on this node')
    .action(() => ask('tombstones count'));
  tombstones
    .command('reap')
    .description('remove those that every replica has confirmed, now, whatever delete_mode says')
    .action(() => ask('tombstones reap'));
  tombstones
    .command('status')
    .description('how far the last `reap` is')
    .action(() => ask('tombstones status'));
  tombstones
    .command('cancel')
    .description('end it at its next step')
    .action(() => ask('tombstones cancel'));
}

function addPartition(text: string, before: readonly number[]): readonly number[] {
  if (!/^\d{1,4}$/.test(text))
    throw new InvalidArgumentError('It must be the number of a partition.');
  return [...before, Number(text)];
}

function hintsText(result: {
  readonly total: number;
  readonly targets: readonly HintStatus[];
}): string {
  if (result.total === 0) return 'nothing is owed to any node';
  return textTable(
    ['owed to', 'objects', 'is', 'next try'],
    result.targets.map(({ target, count, isUp, retryInMs }) => [
      target,
      `${count}`,
      isUp ? 'up' : 'down',
      retryInMs > 0 ? `in ${Math.ceil(retryInMs / 1000)} s` : isUp ? 'now' : 'when it is up',
    ]),
  );
}
