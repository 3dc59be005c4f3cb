/** What a full-sync makes of the buckets of its source. */

import { deflateSync } from 'node:zlib';
import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { NodeAddress } from '../../src/client/connection.ts';
import type { NodeId } from '../../src/base/names.ts';
import type { BucketName } from '../../src/node/fold-requests.ts';
import { TictacTree } from '../../src/object/tictac-tree.ts';
import { Halt } from '../../src/repair/halt.ts';
import { DIALLER } from '../../src/replication/dialler.ts';
import { FullSync, type Remote } from '../../src/replication/full-sync.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { FakeSource, QUEUE } from './fake-source.ts';

const BUCKET = { type: 'siblings' as ByteString, bucket: 'b' as ByteString };

const never = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));

/** Nothing differs in these buckets. */
function remoteOf(names: readonly string[], compare: (bucket: string) => Promise<void>): Remote {
  return {
    buckets: async () => names.map((name) => ({ ...BUCKET, bucket: name as ByteString })),
    tree: async ({ bucket }: BucketName) => {
      await compare(bucket);
      return { root: new TictacTree('xsmall').root(), packedBranches: new Map() };
    },
    contexts: never,
    lastOfNext: never,
    tombstones: never,
    push: never,
    close: () => undefined,
  };
}

/** Of each bucket one key differs. */
function remoteThatDiffers(names: readonly string[], takenCount: number) {
  const root = new TictacTree('xsmall').root();
  root.writeUInt32BE(1, 0);
  const packedBranches = new Map([[0, deflateSync(Buffer.alloc(1_024, 1))]]);
  const pushed: string[] = [];
  const remote: Remote = {
    ...remoteOf(names, async () => undefined),
    tree: async () => ({ root, packedBranches }),
    contexts: async () => [{ key: 'differs' as ByteString, context: Buffer.alloc(0) }],
    tombstones: async () => [],
    push: async (keys) => {
      pushed.push(...keys.map(({ bucket }) => bucket));
      return { queued: 0, taken: takenCount };
    },
  };
  return { remote, pushed };
}

function syncWith(remote: Remote, nodes: readonly NodeAddress[]): FullSync {
  const node: ReplicationNode = {
    id: 'n1' as NodeId,
    liveMembers: () => [],
    isMember: () => true,
    absorb: never,
    fold: async ({ kind }) =>
      kind === 'contexts'
        ? { kind, contexts: [] }
        : { kind: 'tree', tree: new TictacTree('xsmall') },
  };
  const source = {
    name: 's',
    queue: QUEUE,
    nodes,
    credentials: undefined,
    workers: 1,
    fullSyncMs: 0,
  };
  const ports = { host: new VirtualHost(), node, dialler: DIALLER };
  return new FullSync(ports, source, { halt: new Halt(), remote });
}

t.test(
  'a bucket that may not be read fails the full-sync, and keeps no other from it',
  async (t) => {
    const compared: string[] = [];
    const remote = remoteOf(['a', 'secret', 'z'], async (bucket) => {
      compared.push(bucket);
      if (bucket === 'secret') throw new Fault('peer-refused', 'Permission denied');
    });
    const result = await syncWith(remote, []).run();
    t.match(result, { buckets: 3, bucketsCompared: 2, failure: 'Permission denied' });
    t.same(compared, ['a', 'secret', 'z']);
  },
);

t.test(
  'a bucket that cannot be compared fails the full-sync, and keeps no other from it',
  async (t) => {
    const compared: string[] = [];
    const remote = remoteOf(['a', 'bad', 'z'], async (bucket) => {
      compared.push(bucket);
      if (bucket === 'bad') throw new Fault('peer-malformed', 'a hash tree of another size');
    });
    const result = await syncWith(remote, []).run();
    t.match(result, { bucketsCompared: 2, failure: 'a hash tree of another size' });
    t.same(compared, ['a', 'bad', 'z']);
  },
);

t.test('where one bucket after the other cannot be compared, the full-sync ends', async (t) => {
  let asked = 0;
  const names = Array.from({ length: 1_000 }, (_, index) => `b${index}`);
  const remote = remoteOf(names, async () => {
    asked += 1;
    throw new Fault('login-refused', 'the password has changed');
  });
  const result = await syncWith(remote, []).run();
  t.match(result, { bucketsCompared: 0, failure: 'the password has changed' });
  t.ok(asked < 20, `${asked} were tried`);
});

t.test('what differs is asked for without looking for it first', async (t) => {
  const names = ['a', 'b'];
  const { remote, pushed } = remoteThatDiffers(names, 1);
  t.match(await syncWith(remote, []).run(), { bucketsCompared: 2, keys: 2, failure: undefined });
  t.same(pushed, names);
});

t.test('a bucket that the queue is not for is passed over after one lot', async (t) => {
  const { remote, pushed } = remoteThatDiffers(['a', 'b'], 0);
  t.match(await syncWith(remote, []).run(), { bucketsCompared: 2, keys: 0, failure: undefined });
  t.same(pushed, ['a', 'b'], 'who does not hear of the keys cannot say');
});

t.test(
  'each node hears what it had dropped when the full-sync began, once it is through',
  async (t) => {
    const [whole, dropping, gone] = await Promise.all([1, 2, 3].map(() => FakeSource.listen()));
    if (whole === undefined || dropping === undefined || gone === undefined)
      throw new Error('three');
    t.teardown(() => {
      for (const source of [whole, dropping]) source.close();
    });
    const addresses = [gone, whole, dropping].map(({ address }) => address);
    gone.close();
    const remote = remoteOf(['a'], async () => {
      dropping.dropMark += 1;
      t.same([whole.comparedMarks, dropping.comparedMarks], [[], []], 'not while it compares');
    });
    t.match(await syncWith(remote, addresses).run(), { bucketsCompared: 1, failure: undefined });
    t.same([whole.comparedMarks, dropping.comparedMarks], [[7], [7]]);
    t.equal(dropping.dropMark, 8, 'what it dropped meanwhile is for the next');
    t.same([...whole.pushed, ...dropping.pushed], []);

    const failing = remoteOf(['a'], async () => {
      throw new Fault('peer-malformed', 'what is this');
    });
    t.match(await syncWith(failing, addresses).run(), { failure: 'what is this' });
    t.same(
      [whole.comparedMarks, dropping.comparedMarks],
      [[7], [7]],
      'one that failed says nothing',
    );
  },
);
