/**
 * The recorded answers of a real Riak, asked of three real nodes, each scenario of one of them.
 */

import t from 'tap';
import { replayHttp } from '../../transcripts/replay.ts';
import { serveCluster } from '../served-cluster.ts';

interface Selection {
  readonly area: string;
  readonly name?: string;
}

const SELECTIONS: readonly Selection[] = [
  { area: 'conditional' },
  // Those that do not wait for tombstones to be reaped.
  { area: 'deletes', name: 'leaves' },
  { area: 'deletes', name: 'delete ' },
  { area: 'index' },
  { area: 'legacy-urls' },
  { area: 'links' },
  { area: 'listing' },
  { area: 'mapreduce' },
  { area: 'metadata' },
  { area: 'names' },
  { area: 'objects' },
  { area: 'props' },
  { area: 'quorum' },
  { area: 'siblings' },
  { area: 'write-once-and-lww' },
];

t.test('three nodes answer as recorded', async (t) => {
  const { ports, bugs, close } = await serveCluster();
  t.teardown(close);
  for (const [index, selection] of SELECTIONS.entries()) {
    const port = ports[index % ports.length];
    const results = await replayHttp({ target: `127.0.0.1:${port}`, jobs: 16, ...selection });
    t.ok(results.length > 0);
    for (const { name, failure } of results) t.equal(failure, undefined, name);
  }
  t.same(bugs, []);
});
