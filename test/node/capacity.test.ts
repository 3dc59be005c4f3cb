/** How much a cluster holds, and what the loss of a member would ask of the others. */

import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { TestCluster } from './cluster-harness.ts';
import { N1, N3, Teller } from './told.ts';

t.test(
  'keys are counted once, copies where they are, and a loss as it would be planned',
  async (t) => {
    const cluster = await TestCluster.start({ nodeCount: 4 });
    const teller = new Teller(cluster);
    const { type, bucket } = cluster.keyWhere(() => true);
    for (let i = 0; i < 30; i += 1) {
      const key = { type, bucket, key: utf8ToByteString(`k${i}`) };
      await teller.put(N1, key, { text: 'x'.repeat(100), w: 3 });
    }
    const epoch = cluster.node(N1).state().epoch;
    const found = await cluster.settle(cluster.node(N1).operations().holdings());
    t.match(found, { keys: 30, nVal: 3, unknownPartitions: 0 });
    t.equal(
      found.members.reduce((sum, member) => sum + member.keys, 0),
      90,
    );
    for (const { lost, gains } of found.losses) {
      const held = found.members.find(({ node }) => node === lost)?.keys;
      t.ok(gains.reduce((sum, gain) => sum + gain.keys, 0) >= (held ?? Infinity), lost);
      t.notOk(gains.some(({ node }) => node === lost));
    }
    t.equal(found.losses.length, 4);
    t.equal(cluster.node(N1).state().epoch, epoch, 'nothing is staged by looking');
    cluster.crash(N3);
    await cluster.time.until(() => !cluster.node(N1).liveMembers().includes(N3));
    const without = await cluster.settle(cluster.node(N1).operations().holdings());
    t.match(without, { keys: 30, unknownPartitions: 0 }, 'others say it for the one that is down');
  },
);

t.test('who holds everything already takes nothing more', async (t) => {
  const cluster = await TestCluster.start({ nodeCount: 3 });
  const found = await cluster.settle(cluster.node(N1).operations().holdings());
  t.same(
    found.losses.map(({ gains, refusal }) => [gains, refusal]),
    [1, 2, 3].map(() => [[], undefined]),
  );
});
