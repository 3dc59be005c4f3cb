/** The recorded answers of a real Riak cluster, asked of three real processes, on each API. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { replayHttp, replayPbc } from '../transcripts/replay.ts';
import { startCluster } from './local-cluster.ts';

const TYPES = resolve(import.meta.dirname, '../../../test/transcripts/bucket-types.json');

t.test('three processes answer as recorded', { timeout: 240_000 }, async (t) => {
  const types = JSON.parse(readFileSync(TYPES, 'utf8')) as Record<string, unknown>;
  const { nodes, close } = await startCluster(3, types);
  t.teardown(close);
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('three nodes were asked for');

  await t.test('over HTTP', async (t) => {
    const results = await replayHttp({ target: `127.0.0.1:${first.httpPort}`, jobs: 8 });
    t.ok(results.length > 150);
    for (const { area, name, failure } of results) t.equal(failure, undefined, `${area}: ${name}`);
  });

  await t.test('over Protocol Buffers', async (t) => {
    const results = await replayPbc({ target: `127.0.0.1:${second.pbcPort}`, jobs: 8 });
    t.ok(results.length > 200);
    for (const { area, name, failure } of results) t.equal(failure, undefined, `${area}: ${name}`);
  });
});
