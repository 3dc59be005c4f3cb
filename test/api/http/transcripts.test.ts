/**
 * The recorded answers of a real Riak, asked of the HTTP edge over a node in a map. What belongs to
 * other parts of the interface, or to a real cluster, is replayed against one elsewhere.
 */

import t from 'tap';
import { replayHttp } from '../../transcripts/replay.ts';
import { serve } from './served.ts';

const AREAS = [
  'conditional',
  'deletes',
  'index',
  'legacy-urls',
  'links',
  'listing',
  'metadata',
  'names',
  'objects',
  'props',
  'quorum',
  'server',
  'siblings',
  'write-once-and-lww',
];

/** The names of real statistics are telemetry's to give. */
const ELSEWHERE = new Set(['statistics by name']);

for (const area of AREAS) {
  t.test(`${area} answers as recorded`, async (t) => {
    const { server, port, bugs } = await serve();
    t.teardown(() => server.close(0));
    const results = await replayHttp({ target: `127.0.0.1:${port}`, area, jobs: 16 });
    t.ok(results.length > 0);
    for (const { name, failure } of results) {
      if (!ELSEWHERE.has(name)) t.equal(failure, undefined, name);
    }
    t.same(bugs, []);
  });
}
