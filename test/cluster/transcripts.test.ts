/** The recorded answers of a real Riak cluster, asked of three real processes, on each API. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t, { type Test } from 'tap';
import { replayHttp, replayPbc, type ReplayResult } from '../transcripts/replay.ts';
import { startCluster } from './local-cluster.ts';

const TYPES = resolve(import.meta.dirname, '../../../test/transcripts/bucket-types.json');

const types = JSON.parse(readFileSync(TYPES, 'utf8')) as Record<string, unknown>;
const { nodes, close } = await startCluster(3, types);
t.teardown(close);
const [first, second] = nodes;
if (first === undefined || second === undefined) throw new Error('three nodes were asked for');

t.test('three processes answer as recorded over HTTP', async (t) => {
  const results = await replayHttp({ target: `127.0.0.1:${first.httpPort}`, jobs: 8 });
  judge(t, results, 193);
});

t.test('three processes answer as recorded over Protocol Buffers', async (t) => {
  const results = await replayPbc({ target: `127.0.0.1:${second.pbcPort}`, jobs: 8 });
  judge(t, results, 236);
});

function judge(t: Test, results: readonly ReplayResult[], recordedCount: number): void {
  t.equal(results.length, recordedCount);
  for (const { area, name, failure } of results) t.equal(failure, undefined, `${area}: ${name}`);
}
