/** What a full-sync makes of the buckets of its source. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { NodeAddress } from '../../src/client/connection.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { BucketName } from '../../src/node/fold-requests.ts';
import { TictacTree } from '../../src/object/tictac-tree.ts';
import { Halt } from '../../src/repair/halt.ts';
import { DIALLER } from '../../src/replication/dialler.ts';
import { FullSync, isBucketTaken } from '../../src/replication/full-sync.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { VirtualHost } from '../replica/virtual-host.ts';
import { FakeSource, QUEUE } from './fake-source.ts';

const BUCKET = { type: 'siblings' as ByteString, bucket: 'b' as ByteString };
const KEYS = Array.from({ length: 100 }, (_, index) => `key ${index}` as ByteString);

function remoteThat(finds: (key: ByteString) => boolean) {
  const asked: ByteString[] = [];
  const takes = ({ key }: ObjectKey): Promise<boolean> => {
    asked.push(key);
    return Promise.resolve(finds(key));
  };
  return { asked, takes };
}

t.test('a bucket is taken if any of some keys is, for one may have gone meanwhile', async (t) => {
  const most = remoteThat((key) => key !== KEYS[0]);
  t.equal(await isBucketTaken(most, BUCKET, KEYS), true);
  t.equal(most.asked.length, 2);
  const none = remoteThat(() => false);
  t.equal(await isBucketTaken(none, BUCKET, KEYS), false);
  t.equal(new Set(none.asked).size, none.asked.length);
  t.ok(none.asked.length < 10, 'a few are asked for');
  t.equal(
    await isBucketTaken(
      remoteThat(() => false),
      BUCKET,
      KEYS.slice(0, 1),
    ),
    false,
  );
});

const never = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));

/** Nothing differs in these buckets. */
function remoteOf(names: readonly string[], compare: (bucket: string) => Promise<void>) {
  return {
    buckets: async () => names.map((name) => ({ ...BUCKET, bucket: name as ByteString })),
    tree: async ({ bucket }: BucketName) => {
      await compare(bucket);
      return { root: new TictacTree('xsmall').root(), packedBranches: new Map() };
    },
    contexts: never,
    lastOfNext: never,
    tombstones: never,
    takes: never,
    push: never,
    close: () => undefined,
  };
}

function syncWith(remote: ReturnType<typeof remoteOf>, nodes: readonly NodeAddress[]): FullSync {
  const node: ReplicationNode = {
    id: 'n1' as NodeId,
    liveMembers: () => [],
    absorb: never,
    fold: async () => ({ kind: 'tree', tree: new TictacTree('xsmall') }),
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
