/**
 * Rings that every release has to place alike: while nodes of two releases are one cluster, a plan that
 * one has shown is committed by the other. The digests are of the search that judged each trial anew.
 */

import { createHash } from 'node:crypto';
import t from 'tap';
import { runAtOnce } from '../../src/base/sliced.ts';
import { claim } from '../../src/ring/claim.ts';
import { claimChange } from '../../src/ring/claim-change.ts';
import { membersOf } from './clusters.ts';

const PINNED = [
  { nodes: 5, locations: 3, ringSize: 64, targetN: 4, change: 'join', digest: 'd25ea5718dc0ef12' },
  { nodes: 9, locations: 0, ringSize: 64, targetN: 4, change: 'leave', digest: 'b91c9bf7298407cd' },
  {
    nodes: 12,
    locations: 4,
    ringSize: 256,
    targetN: 16,
    change: 'join',
    digest: 'd5adaf96b92c4f73',
  },
  {
    nodes: 20,
    locations: 7,
    ringSize: 256,
    targetN: 5,
    change: 'relocate',
    digest: 'b7e89cdfabd057bf',
  },
  {
    nodes: 64,
    locations: 3,
    ringSize: 1_024,
    targetN: 3,
    change: 'leave',
    digest: '5a9e9361fa9b9924',
  },
  {
    nodes: 64,
    locations: 7,
    ringSize: 1_024,
    targetN: 16,
    change: 'join',
    digest: '9c0bf0fc6cd93315',
  },
  {
    nodes: 64,
    locations: 7,
    ringSize: 1_024,
    targetN: 64,
    change: 'leave',
    digest: '7c2988f922159f5b',
  },
  {
    nodes: 100,
    locations: 5,
    ringSize: 1_024,
    targetN: 128,
    change: 'relocate',
    digest: '1f797ff3f08c106d',
  },
] as const;

t.test('a ring is placed as by every release before', (t) => {
  for (const { nodes, locations, ringSize, targetN, change, digest } of PINNED) {
    const all = membersOf(nodes + 1, locations);
    const before = all.slice(0, nodes);
    const after = {
      join: all,
      leave: before.slice(1),
      relocate: before.map((node, index) => (index === 0 ? { ...node, location: 'rack1' } : node)),
    }[change];
    const ring = runAtOnce(
      claimChange({
        owners: claim({ members: before, ringSize }).ownerByPartition,
        members: after,
        successors: new Map(),
        isRelocating: change === 'relocate',
        targetN,
      }),
    );
    const text = JSON.stringify(ring);
    const got = createHash('sha256').update(text).digest('hex').slice(0, 16);
    t.equal(got, digest, `${nodes} nodes, ${ringSize} partitions, ${targetN} apart, ${change}`);
  }
  t.end();
});
