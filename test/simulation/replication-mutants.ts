/**
 * Bugs in replication between clusters, each found by the test that it names.
 */

import type { Mutant } from './mutants.ts';

export const REPLICATING: readonly Mutant[] = [
  {
    name: 'what a connection was given is lost when it ends',
    file: 'api/pbc/pbc-connection',
    from: 'this.#session.consumer?.end();',
    to: '',
    by: 'api/pbc/replication.test',
  },
  {
    name: 'what is read while its connection ends is given to nobody',
    file: 'node/replication-queues',
    from: 'if (hasEnded() || ',
    to: 'if (',
    by: 'node/replication-queues.test',
  },
  {
    name: 'a key that comes back hides that it was written meanwhile',
    file: 'node/key-queue',
    from: 'this.#waiting.delete(entry.id);',
    to: '',
    by: 'node/key-queue.test',
  },
  {
    name: 'what a client writes again while it is out is not on disk for the next start',
    file: 'node/key-queue',
    from: 'if (entry.note === undefined)',
    to: 'if (false)',
    by: 'node/key-spool.test',
  },
  {
    name: 'a file of a queue is removed while keys of it are out',
    file: 'node/key-spool',
    from: 'segment.liveCount > 0',
    to: 'false',
    by: 'node/key-spool.test',
  },
  {
    name: 'what comes while keys wait on disk goes before them',
    file: 'node/key-queue',
    from: 'this.#overflow?.hasWaiting(priority) === true',
    to: 'false',
    by: 'node/key-spool.test',
  },
  {
    name: 'a damaged file of a queue is not told',
    file: 'node/key-spool',
    from: 'if (damagedBytes > 0)',
    to: 'if (false)',
    by: 'node/key-spool.test',
  },
  {
    name: 'a full-sync is believed to have found what was dropped behind it',
    file: 'node/key-queue',
    from: 'if (dropMark === this.#dropMark)',
    to: 'if (true)',
    by: 'node/key-queue.test',
  },
  {
    name: 'what stand-ins tell of a key is taken for all there is',
    file: 'node/replication-queues',
    from: "pr: 'quorum'",
    to: 'pr: 0',
    by: 'node/replication-queues.test',
  },
  {
    name: "a client's write is not queued for other clusters",
    file: 'node/client-requests',
    from: 'written(key, ended);',
    to: '',
    by: 'api/pbc/replication.test',
  },
  {
    name: 'a lot is acknowledged before it is safe',
    file: 'replication/lot',
    from: 'await lanes.end();',
    to: '',
    by: 'replication/sink.test',
  },
  {
    name: 'a foreign tombstone of which nothing is here is stored',
    file: 'coordinator/absorb',
    from: 'found.tombstone === undefined ? UNCHANGED : undefined',
    to: 'undefined',
    by: 'node/absorb.test',
  },
  {
    name: 'what a node without a copy owes of a foreign record is noted nowhere',
    file: 'coordinator/absorb',
    from: 'if (node === target)',
    to: 'if (true)',
    by: 'node/absorb.test',
  },
  {
    name: 'a full-sync asks for what is here already',
    file: 'replication/bucket-comparison',
    from: '!descends(right, left)',
    to: 'true',
    by: 'replication/bucket-comparison.test',
  },
  {
    name: 'a full-sync asks for what was deleted and never here',
    file: 'replication/bucket-comparison',
    from: 'absent.filter((key) => !gone.has(key))',
    to: 'absent',
    by: 'replication/bucket-comparison.test',
  },
];
