/** The recorded answers of a real Riak cluster, asked of three real processes, on each API. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t, { type Test } from 'tap';
import { replayHttp, replayPbc, type ReplayResult } from '../transcripts/replay.ts';
import { startCluster } from './local-cluster.ts';

const TYPES = resolve(import.meta.dirname, '../../../test/transcripts/bucket-types.json');

/** Areas, and single scenarios (`area: name`), of parts that are not built yet. It only shrinks. */
const LEFT_OUT = {
  http: new Set([
    'datatypes',
    'legacy-counters',
    'mapreduce',
    'deletes: the tombstone is reaped',
    'deletes: the tombstone is reaped, untyped',
    'deletes: a deleted key disappears from listings',
    'deletes: recreated after reaping there is one value',
    'server: statistics by name',
  ]),
  pbc: new Set([
    'mapreduce',
    'list: a deleted key leaves the list after its tombstone is reaped',
    'tombstones: a tombstone is reaped after the delete delay',
  ]),
} as const;

const types = JSON.parse(readFileSync(TYPES, 'utf8')) as Record<string, unknown>;
const { nodes, close } = await startCluster(3, types);
t.teardown(close);
const [first, second] = nodes;
if (first === undefined || second === undefined) throw new Error('three nodes were asked for');

t.test('three processes answer as recorded over HTTP', async (t) => {
  const results = await replayHttp({ target: `127.0.0.1:${first.httpPort}`, jobs: 8 });
  judge(t, results, LEFT_OUT.http);
});

t.test('three processes answer as recorded over Protocol Buffers', async (t) => {
  const results = await replayPbc({ target: `127.0.0.1:${second.pbcPort}`, jobs: 8 });
  judge(t, results, LEFT_OUT.pbc);
});

function judge(t: Test, results: readonly ReplayResult[], leftOut: ReadonlySet<string>): void {
  const judged = results.filter(
    ({ area, name }) => !leftOut.has(area) && !leftOut.has(`${area}: ${name}`),
  );
  t.ok(judged.length > 145, `${judged.length} scenarios`);
  for (const { area, name, failure } of judged) t.equal(failure, undefined, `${area}: ${name}`);
}
