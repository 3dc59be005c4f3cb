/**
 * The recorded answers of a real Riak, asked of the server over a node in memory. Scenarios that wait
 * for seconds, and those of other parts of the API, are replayed against a real cluster elsewhere.
 */

import t from 'tap';
import { replayPbc } from '../../transcripts/replay.ts';
import { serve } from './served.ts';

const AREAS = [
  'bucket-props',
  'bucket-types',
  'coverage',
  'cs-fold',
  'framing',
  'get',
  'index',
  'mapreduce',
  'ping',
  'preflist',
  'put',
  'server-info',
  'siblings',
  'write-once',
];

t.test('the server answers as recorded', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close());
  const replays = AREAS.map((area) =>
    replayPbc({ target: `127.0.0.1:${port}`, area, jobs: 8, settle: 0 }),
  );
  const results = (await Promise.all(replays)).flat();
  t.ok(results.length > 100);
  for (const { area, name, failure } of results) t.equal(failure, undefined, `${area}: ${name}`);
  t.same(bugs, []);
});
