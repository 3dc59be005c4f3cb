/**
 * The recorded answers of a real Riak, asked of the HTTP edge over a node in memory. What belongs to
 * other parts of the interface, or to a real cluster, is replayed against one elsewhere.
 */

import t from 'tap';
import { replayHttp } from '../../transcripts/replay.ts';
import { serve } from './served.ts';
import type { Test } from 'tap';

const AREAS = [
  'conditional',
  'deletes',
  'index',
  'legacy-urls',
  'links',
  'listing',
  'mapreduce',
  'metadata',
  'names',
  'objects',
  'props',
  'quorum',
  'siblings',
  'write-once-and-lww',
];

for (const area of AREAS) {
  t.test(`${area} answers as recorded`, (t) => replay(t, { area }));
}

/** All of this area but the statistics, whose names are telemetry's to give. */
const SERVER_SCENARIOS = ['ping', 'list of resources', 'paths that are nothing', 'cross-site'];

for (const name of SERVER_SCENARIOS) {
  t.test(`server, ${name}: answers as recorded`, (t) => replay(t, { area: 'server', name }));
}

async function replay(
  t: Test,
  selection: { readonly area: string; readonly name?: string },
): Promise<void> {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close(0));
  const results = await replayHttp({ target: `127.0.0.1:${port}`, jobs: 16, ...selection });
  t.ok(results.length > 0);
  for (const { name, failure } of results) t.equal(failure, undefined, name);
  t.same(bugs, []);
}
