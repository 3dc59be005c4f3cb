/**
 * Hostile requests: whatever comes in, an answer goes out or the connection is closed, and the server
 * lives. A 500 is a failure here, but where Riak answers with one: for names that JSON cannot hold, and
 * for more nodes than there are.
 */

import fc from 'fast-check';
import t from 'tap';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';

const ODD = ['%00', '%ff', '%', '+', '%2F', '..', '%0d%0a', '*', '$key', '_,_,1', 'a,b', '"', '-1'];

const PARAMETERS = `
  keys buckets props r w dw pr pw rw node_confirms vtag returnbody basic_quorum
  notfound_ok asis sync_on_write stream max_results continuation return_terms term_regex
  pagination_sort
`
  .split(/\s+/)
  .filter(Boolean);

const HEADERS = `
  accept accept-encoding accept-charset content-type content-encoding link if-match
  if-none-match if-modified-since if-unmodified-since range x-riak-vclock
  x-riak-if-not-modified x-riak-meta-a X-Riak-Meta- origin x-riak-index-f_bin
  x-riak-index-f_int x-riak-index-x referer content-md5
`
  .split(/\s+/)
  .filter(Boolean);

const piece = fc.oneof(
  fc.constantFrom('b', 'k', 'default', 'siblings', 'maps', 'writeonce', 'nosuchtype'),
  fc.constantFrom('riak', 'buckets', 'types', 'keys', 'props', 'index', 'counters', 'datatypes'),
  fc.constantFrom('ping', 'stats', 'mapred', 'f_bin', 'f_int', '$bucket', ...ODD),
  fc.stringMatching(/^[!-~]{0,8}$/).map((text) => text.replace(/[?#/]/g, '')),
);
const PREFIXES = [
  [],
  ['riak', 'b'],
  ['buckets', 'b'],
  ['buckets', 'b', 'keys', 'k'],
  ['buckets', 'b', 'index', 'f_int'],
  ['types', 'siblings', 'buckets', 'b', 'keys', 'k'],
];
const path = fc
  .tuple(fc.constantFrom(...PREFIXES), fc.array(piece, { maxLength: 4 }))
  .map(([prefix, rest]) => `/${[...prefix, ...rest].join('/')}`);

const value = fc.oneof(
  fc.constantFrom(
    'true',
    'stream',
    'false',
    'all',
    'quorum',
    '0',
    '1',
    '3',
    '4',
    '99',
    '-1',
    '',
    ...ODD,
  ),
  fc.stringMatching(/^[!-~]{0,6}$/).map((text) => text.replace(/[#&]/g, '')),
);
const parameter = fc.tuple(fc.constantFrom(...PARAMETERS), value);
const query = fc
  .array(parameter, { maxLength: 4 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join('&'));

const headerText = fc.oneof(
  fc.constantFrom('*/*', '*', 'gzip', 'text/plain', 'multipart/mixed', 'application/json', 'null'),
  fc.constantFrom(
    '"x"',
    'bytes=0-1',
    'bytes=-5,2-',
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'AQ==',
    'a, b',
  ),
  fc.constantFrom('</buckets/b>; rel="up"', '</riak/b/k>; riaktag="t"', 'text/plain; charset=x'),
  fc.stringMatching(/^[\t\x20-\x7e\x80-\xff]{0,20}$/),
);
const headers = fc.dictionary(fc.constantFrom(...HEADERS), headerText, { maxKeys: 6 });
const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH');
const body = fc.oneof(
  fc.constantFrom('', '{}', '{"props":{}}', '{"props":{"n_val":"x"}}', '[[[[', '{"props":[]}'),
  fc.jsonValue().map((value) => `{"props":${JSON.stringify(value)}}`),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
);

t.test('every request is answered, and none with an internal error', async (t) => {
  const { server, port, bugs } = await serve();
  t.teardown(() => server.close(0));
  const request = fc.record({ method, path, query, headers, body });
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, headers, body }) => {
      const target = query === '' ? path : `${path}?${query}`;
      const sent = method === 'PUT' || method === 'POST' ? { headers, body } : { headers };
      const reply = await ask(port, `${method} ${target}`, sent);
      if (reply.status < 500 || reply.status === 501 || reply.status === 503) return;
      // What a HEAD may not say a GET does.
      const said = method === 'HEAD' ? await ask(port, `GET ${target}`, sent) : reply;
      const isRiaks = /^Error:\n(not_utf8|\{insufficient_nodes,)/.test(said.body.toString());
      if (!isRiaks) throw new Error(`${reply.status} ${reply.body.toString()}`);
    }),
    { numRuns: 1_500 },
  );
  t.same(bugs, []);
  t.equal((await ask(port, 'GET /ping')).status, 200);
});

t.test('bytes of any kind end in an answer or a closed connection', async (t) => {
  const { server, port, bugs } = await serve({ headersTimeoutMs: 200, requestTimeoutMs: 300 });
  t.teardown(() => server.close(0));
  const fragment = fc.oneof(
    fc.constantFrom(
      'GET ',
      'PUT ',
      '/buckets/b/keys/k',
      ' HTTP/1.1',
      '\r\n',
      '\r\n\r\n',
      ': ',
      '0',
    ),
    fc.constantFrom('Content-Length: 5', 'Transfer-Encoding: chunked', 'Expect: 100-continue'),
    fc.constantFrom('Content-Type: text/plain', 'Host: h', 'Upgrade: h2c', 'Connection: upgrade'),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  const stream = fc.array(fragment, { maxLength: 25 }).map((pieces) => pieces.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 50 }), async (streams) => {
      const all = await Promise.all(
        streams.map(async (bytes) => {
          const raw = await connectRaw(port);
          raw.socket.end(bytes, 'latin1');
          return raw.closed();
        }),
      );
      for (const text of all) t.match(text, /^$|^HTTP\/1\.1 (?!500)\d{3} /);
    }),
    { numRuns: 20 },
  );
  t.same(bugs, []);
  t.equal((await ask(port, 'GET /ping')).status, 200);
});
