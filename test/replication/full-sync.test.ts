/** What a full-sync makes of the buckets of its source. */

import t from 'tap';
import type { ByteString } from '../../src/base/bytes.ts';
import { Fault } from '../../src/base/fault.ts';
import type { NodeId, ObjectKey } from '../../src/base/names.ts';
import type { BucketName } from '../../src/node/fold-requests.ts';
import { TictacTree } from '../../src/object/tictac-tree.ts';
import { Halt } from '../../src/repair/halt.ts';
import { DIALLER } from '../../src/replication/dialler.ts';
import { FullSync, isBucketTaken } from '../../src/replication/full-sync.ts';
import type { ReplicationNode } from '../../src/replication/ports.ts';
import { VirtualHost } from '../replica/virtual-host.ts';

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

t.test(
  'a bucket that may not be read fails the full-sync, and keeps no other from it',
  async (t) => {
    const never = (): Promise<never> => Promise.reject(new Fault('malformed', 'not asked for'));
    const compared: string[] = [];
    const remote = {
      buckets: async () =>
        ['a', 'secret', 'z'].map((name) => ({ ...BUCKET, bucket: name as ByteString })),
      tree: async ({ bucket }: BucketName) => {
        compared.push(bucket);
        if (bucket === 'secret') throw new Fault('peer-refused', 'Permission denied');
        return { root: new TictacTree('xsmall').root(), packedBranches: new Map() };
      },
      contexts: never,
      lastOfNext: never,
      tombstones: never,
      takes: never,
      push: never,
      close: () => undefined,
    };
    const node: ReplicationNode = {
      id: 'n1' as NodeId,
      liveMembers: () => [],
      absorb: never,
      fold: async () => ({ kind: 'tree', tree: new TictacTree('xsmall') }),
    };
    const source = {
      name: 's',
      queue: 'q',
      nodes: [],
      credentials: undefined,
      workers: 1,
      fullSyncMs: 0,
    };
    const sync = new FullSync({ host: new VirtualHost(), node, dialler: DIALLER }, source, {
      halt: new Halt(),
      remote,
    });
    const result = await sync.run();
    t.match(result, { buckets: 3, bucketsCompared: 2, failure: 'Permission denied' });
    t.same(compared, ['a', 'secret', 'z']);
  },
);
