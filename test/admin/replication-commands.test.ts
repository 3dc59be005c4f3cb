/** What an operator sees of replication, and what is refused in words. */

import t from 'tap';
import { AdminRefusal } from '../../src/admin/admin-server.ts';
import {
  replicationCommands,
  type ReplicationSources,
} from '../../src/admin/replication-commands.ts';
import {
  replicationText,
  type ReplicationReport,
} from '../../src/cli/admin-replication-command.ts';
import { ReplicationQueues } from '../../src/node/replication-queues.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';

const silent = (): void => {};
const HOST = systemHost(
  { debug: silent, info: silent, warn: silent, error: silent },
  { count: silent, gauge: silent, observe: silent },
);

function commandsOf(names: readonly string[] = ['east']) {
  const queues = new ReplicationQueues(
    { host: HOST, read: () => Promise.reject(new Error('nothing is read here')) },
    { queueMaxBytes: 1_000_000, queues: [{ name: 'to_east', buckets: 'any' }] },
  );
  const done: unknown[] = [];
  const busy = new Set<string>();
  const sources: ReplicationSources = {
    names,
    status: () => [],
    setPaused: (name, isPaused) => {
      done.push([name, isPaused]);
      return names.includes(name);
    },
    sync: (name) => {
      done.push(name);
      return !busy.has(name);
    },
  };
  const commands = replicationCommands(queues, sources);
  const run = async (name: string, options = {}): Promise<unknown> => {
    const command = commands.get(`replication ${name}`);
    if (command === undefined) throw new Error(`no command ${name}`);
    return command(options);
  };
  return { run, done, busy, queues };
}

t.test('queues and sources are paused and resumed by name', async (t) => {
  const { run, done, queues } = commandsOf();
  await run('pause', { queue: 'to_east' });
  t.match(queues.status(), [{ isPaused: true }]);
  await run('resume', { queue: 'to_east' });
  t.match(queues.status(), [{ isPaused: false }]);
  await run('pause', { source: 'east' });
  await run('resume', { source: 'east' });
  t.same(done, [
    ['east', true],
    ['east', false],
  ]);
  await run('clear-overflow', { queue: 'to_east' });
});

t.test('what is not there is refused with what is', async (t) => {
  const { run } = commandsOf();
  await t.rejects(
    run('pause', { queue: 'x' }),
    new AdminRefusal('there is no queue x; configured: to_east'),
  );
  await t.rejects(
    run('resume', { source: 'x' }),
    new AdminRefusal('there is no source x; configured: east'),
  );
  await t.rejects(run('pause'), new AdminRefusal('name a queue or a source'));
  await t.rejects(run('sync', { source: 'x' }), /there is no source x/);
  await t.rejects(run('clear-overflow', { queue: 'x' }), /there is no queue x/);
  await t.rejects(commandsOf([]).run('sync'), new AdminRefusal('no source is configured'));
});

t.test('a full-sync is of one source or of all, and one that is under way is told', async (t) => {
  const { run, done, busy } = commandsOf(['east', 'west']);
  t.match(await run('sync'), /^east, west is being compared/);
  t.same(done, ['east', 'west']);
  busy.add('west');
  await t.rejects(run('sync', { source: 'west' }), /full-sync of west is under way/);
});

t.test('the text says what is wrong', async (t) => {
  t.equal(replicationText({ queues: [], sources: [] }), 'no replication is configured');
  const { run, queues } = commandsOf();
  queues.pause('to_east');
  const { queues: shown } = (await run('status')) as ReplicationReport;
  const text = replicationText({
    queues: shown.map((queue) => ({
      ...queue,
      diskBytes: 1.5 * 1024 * 1024,
      diskTrouble: 'no space left',
    })),
    sources: [
      {
        source: 'east',
        queue: 'to_west',
        isPaused: false,
        workers: 4,
        lagMs: 75_000,
        nodes: [
          { address: 'a:1', silentMs: 0, trouble: undefined },
          { address: 'b:1', silentMs: 75_000, trouble: 'b:1 cannot be reached' },
        ],
        absorbed: 5,
        unchanged: 2,
        refused: { 'unknown-bucket-type': 3 },
        retried: 1,
        givenBack: 0,
        fullSync: {
          intervalMs: 1,
          isHere: true,
          progress: { buckets: 9, bucketsCompared: 4, bucketsUnknown: 0, keys: 17 },
          last: undefined,
          ageMs: 0,
          nextInMs: 0,
        },
      },
    ],
  });
  t.match(text, /to_east .* 1.5 MiB .* paused/);
  t.match(text, /to_east: its keys are in memory only: no space left/);
  t.match(text, /east +to_west +1\/2 +75 s +7 +1 +fetching +4 of 9 buckets, 17 keys asked for/);
  t.match(text, /east: b:1 does not answer for 75 s: b:1 cannot be reached/);
  t.match(text, /east: not taken: 3 unknown-bucket-type/);
});

t.test('what was asked for in part is told in part', async (t) => {
  const { run, done, busy } = commandsOf(['east', 'west']);
  await t.rejects(
    run('pause', { queue: 'to_east', source: 'east' }),
    /a queue or a source, not both/,
  );
  t.same(done, []);
  busy.add('east');
  await t.rejects(
    run('sync'),
    /of east is under way, or the source is paused; west is being compared/,
  );
});
