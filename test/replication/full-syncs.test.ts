/** How a full-sync ends when its node stops. */

import t from 'tap';
import type { NodeId } from '../../src/base/names.ts';
import { Fault } from '../../src/base/fault.ts';
import { TictacTree } from '../../src/object/tictac-tree.ts';
import type { Dialler } from '../../src/replication/dialler.ts';
import { FullSyncs } from '../../src/replication/full-syncs.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { settle, VirtualHost } from '../replica/virtual-host.ts';

const never = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));
const silence = (): Promise<never> => new Promise(() => undefined);

/** What folds of a source with one bucket, and nothing in it, answer. */
const FOLDED = {
  bucket_list: [{ bucket: 'b' }],
  size: 'xsmall',
  level_one: new TictacTree('xsmall').root(),
  level_two: [],
};

/** A source whose queues hold connections, and say nothing on them until they are closed. */
class SilentSource implements Dialler {
  readonly asked: string[] = [];

  pinned({ address }: Parameters<Dialler['pinned']>[0]): ReturnType<Dialler['pinned']> {
    let close = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      close = () => reject(new Fault('closed', 'the connection was closed'));
    });
    closed.catch(() => undefined);
    const call = (): Promise<never> => {
      this.asked.push(address.host);
      return closed;
    };
    return { isClosed: false, call, close };
  }

  pooled(): ReturnType<Dialler['pooled']> {
    return { call: async () => FOLDED as never, close: () => undefined };
  }
}

function syncsWith(dialler: Dialler, hosts: readonly string[]) {
  const host = new VirtualHost();
  const node: ReplicationNode = {
    id: 'n1' as NodeId,
    liveMembers: () => ['n1' as NodeId],
    isMember: () => true,
    absorb: never,
    fold: silence,
  };
  const source = {
    name: 's',
    queue: 'q',
    nodes: hosts.map((each) => ({ host: each, port: 1 })),
    credentials: undefined,
    workers: 1,
    fullSyncMs: 0,
  };
  const syncs = new FullSyncs({ host, node, dialler }, source);
  syncs.start((error) => {
    throw error;
  });
  return { host, syncs };
}

t.test('a stop waits for no node of the source that is silent, and asks none more', async (t) => {
  const dialler = new SilentSource();
  const { host, syncs } = syncsWith(dialler, ['one', 'two', 'three']);
  syncs.ask();
  await host.advance(1_000);
  t.same(dialler.asked, ['one']);
  let hasStopped = false;
  void syncs.stop().then(() => {
    hasStopped = true;
  });
  await settle();
  t.equal(hasStopped, true);
  t.same(dialler.asked, ['one']);
});

t.test('a stop waits for a while only for a fold here that is silent', async (t) => {
  const dialler = new SilentSource();
  const { host, syncs } = syncsWith(dialler, []);
  syncs.ask();
  await host.advance(1_000);
  t.match(syncs.status().progress, { buckets: 1, bucketsCompared: 0 });
  let hasStopped = false;
  void syncs.stop().then(() => {
    hasStopped = true;
  });
  await host.advance(10_000);
  t.equal(hasStopped, true);
});
