/**
 * What the recorded scenarios do not show: failures, long lists, codings, switches, odd names.
 */

import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { Fault } from '../../../src/base/fault.ts';
import { parseMultipart } from './multipart-reader.ts';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';
import type { HttpOptions } from '../../../src/api/http/http-options.ts';
import type { JobClass } from '../../../src/object/job-class.ts';
import type { ByteString } from '../../../src/base/bytes.ts';
import type { Failure } from '../../../src/object/requests.ts';
import type { Reply, Served } from './served.ts';

const TEXT = { 'content-type': 'text/plain' };
const KEY = '/types/siblings/buckets/b/keys/k';

async function serving(
  t: { teardown(undo: () => Promise<void>): void },
  options: Partial<HttpOptions> = {},
): Promise<Served> {
  const served = await serve(options);
  t.teardown(() => served.server.close(0));
  return served;
}

/** Batches of names, then perhaps a fault; says when it was left. */
async function* names(
  count: number,
  end: { readonly fault?: Fault; readonly onLeft?: () => void } = {},
): AsyncIterableIterator<readonly ByteString[]> {
  try {
    for (let start = 0; start < count; start += 1_000) {
      const batch = Array.from({ length: Math.min(1_000, count - start) }, (_, index) => {
        return `a-rather-long-key-${start + index}` as ByteString;
      });
      yield batch;
    }
    if (end.fault !== undefined) throw end.fault;
  } finally {
    end.onLeft?.();
  }
}

t.test('a node is alive while it answers, and ready while it serves', async (t) => {
  const { port, node } = await serving(t);
  t.match(await ask(port, 'GET /livez'), { status: 200 });
  t.match(await ask(port, 'GET /readyz'), { status: 200 });
  node.readiness = () => ({ isReady: false, reason: 'the disk is nearly full' });
  t.match(await ask(port, 'GET /livez'), { status: 200 });
  const away = await ask(port, 'GET /readyz');
  t.equal(away.status, 503);
  t.equal(String(away.body), 'the disk is nearly full\n');
});

t.test('each failure has its status and its words', async (t) => {
  const { port, node } = await serving(t);
  const cases: readonly (readonly [Failure, number, string])[] = [
    [{ kind: 'timeout' }, 503, 'request timed out\n'],
    [{ kind: 'unsatisfied', quorum: 'pr', needed: 3, got: 1 }, 503, 'PR-value unsatisfied: 1/3\n'],
    [
      { kind: 'unsatisfied', quorum: 'node_confirms', needed: 3, got: 2 },
      503,
      'node_confirms-value unsatisfied: 2/3\n',
    ],
    [
      { kind: 'insufficient-replicas', needed: 2, got: 1 },
      500,
      'Error:\n{insufficient_vnodes,1,need,2}\n',
    ],
    [
      { kind: 'insufficient-nodes', needed: 3, got: 2 },
      500,
      'Error:\n{insufficient_nodes,2,need,3}\n',
    ],
    [{ kind: 'all-nodes-down' }, 500, 'Error:\nall_nodes_down\n'],
    [{ kind: 'overload' }, 500, 'Error:\noverload\n'],
    [{ kind: 'unavailable', reason: 'fenced' }, 503, 'Service unavailable: fenced\n'],
    [{ kind: 'too-large', sizeBytes: 52_428_801 }, 500, 'Error:\n{too_large,52428801}\n'],
    [{ kind: 'too-many-siblings', count: 101 }, 500, 'Error:\n{too_many_siblings,101}\n'],
    [{ kind: 'precommit-failed', reason: undefined }, 403, 'PUT aborted by pre-commit hook.'],
    [{ kind: 'precommit-failed', reason: 'no' }, 403, 'no'],
    [{ kind: 'precommit-failed', reason: 'zu groß – 5 €' }, 403, 'zu groß – 5 €'],
  ];
  for (const [failure, status, text] of cases) {
    node.put = async () => failure;
    const reply = await ask(port, `PUT ${KEY}`, { headers: TEXT, body: 'x' });
    t.match([reply.status, reply.body.toString()], [status, text]);
  }
});

t.test('faults become statuses, and a bug is reported and answered', async (t) => {
  const { port, node, bugs } = await serving(t);
  for (const [code, status] of [
    ['timeout', 503],
    ['store-fenced', 503],
    ['overload', 500],
    ['peer-unreachable', 500],
  ] as const) {
    node.get = () => Promise.reject(new Fault(code, 'test'));
    t.equal((await ask(port, `GET ${KEY}`)).status, status, code);
  }
  t.same(bugs, []);
  node.get = () => Promise.reject(new TypeError('a bug'));
  t.equal((await ask(port, `GET ${KEY}`)).status, 500);
  t.match(bugs, [{ message: 'a bug' }]);
});

t.test('compression is asked for, and HEAD tells its length', async (t) => {
  const { port } = await serving(t);
  const body = 'plain text value '.repeat(100);
  await ask(port, `PUT ${KEY}`, { headers: TEXT, body });
  const headers = { 'accept-encoding': 'gzip' };
  const coded = await ask(port, `GET ${KEY}`, { headers });
  t.equal(coded.headers['content-encoding'], 'gzip');
  t.equal(gunzipSync(coded.body).toString(), body);
  const head = await ask(port, `HEAD ${KEY}`, { headers });
  t.equal(head.headers['content-length'], `${coded.body.length}`);
  t.equal((await ask(port, `HEAD ${KEY}`)).headers['content-length'], `${body.length}`);
  const put = `PUT ${KEY}2?returnbody=true`;
  const returned = await ask(port, put, { headers: { ...TEXT, ...headers }, body });
  t.equal(returned.headers['content-encoding'], 'gzip');
  t.equal(gunzipSync(returned.body).toString(), body);
});

t.test('HEAD of siblings tells the length that GET has', async (t) => {
  const { port } = await serving(t);
  await ask(port, `PUT ${KEY}`, { headers: TEXT, body: 'one' });
  await ask(port, `PUT ${KEY}`, { headers: TEXT, body: 'longer' });
  for (const accept of ['multipart/mixed', 'text/plain']) {
    const head = await ask(port, `HEAD ${KEY}`, { headers: { accept } });
    const get = await ask(port, `GET ${KEY}`, { headers: { accept } });
    t.equal(head.status, 300);
    t.equal(head.headers['content-length'], `${get.body.length}`);
  }
  const made = await ask(port, 'POST /types/siblings/buckets/b/keys?returnbody=true', {
    headers: TEXT,
    body: 'x',
  });
  t.match(made, { status: 201, headers: { location: /keys\/\w+$/ } });
});

t.test('a long list arrives whole, compressed or not', async (t) => {
  const { port, node } = await serving(t);
  node.listKeys = () => names(100_000);
  const plain = await ask(port, 'GET /buckets/b/keys?keys=true');
  t.equal(plain.headers['transfer-encoding'], 'chunked');
  t.equal((JSON.parse(plain.body.toString()) as { keys: string[] }).keys.length, 100_000);
  const coded = await ask(port, 'GET /buckets/b/keys?keys=true', {
    headers: { 'accept-encoding': 'gzip' },
  });
  t.ok(gunzipSync(coded.body).equals(plain.body));
});

t.test('a list that fails says so while it can, and is cut off after that', async (t) => {
  const { port, node, counts } = await serving(t);
  const fault = new Fault('timeout', 'no progress');
  node.listKeys = () => names(1_000, { fault });
  node.listBuckets = () => names(1_000, { fault });
  node.index = () => failing(fault);
  const text = async (path: string): Promise<unknown> => {
    const { status, body } = await ask(port, `GET ${path}`);
    return [status, body.toString()];
  };
  t.same(await text('/buckets/b/keys?keys=true'), [200, '{"error":"timeout"}']);
  t.same(await text('/buckets?buckets=true'), [503, 'request timed out\n']);
  t.same(await text('/buckets/b/index/f_bin/a/b'), [503, 'request timed out\n']);
  t.match(await text('/buckets/b/keys?keys=stream'), [200, /\]\}\{"error":"timeout"\}$/]);
  t.match(await text('/riak/b?keys=stream'), [200, /^\{"props":\{.*\{"error":"timeout"\}$/]);
  t.match(await text('/buckets/b/index/f_bin/a/b?stream=true'), [
    200,
    /\{"error":"timeout"\}\r\n--/,
  ]);
  node.listKeys = () => names(100_000, { fault });
  await t.rejects(ask(port, 'GET /buckets/b/keys?keys=true'), { code: 'ECONNRESET' });
  await t.rejects(
    ask(port, 'GET /buckets/b/keys?keys=true', { headers: { 'accept-encoding': 'gzip' } }),
  );
  t.equal(counts.get('http_answers_cut_total'), 2);
});

async function* failing(fault: Fault): AsyncIterableIterator<never> {
  yield* [];
  throw fault;
}

t.test('a list is left when its reader goes or has enough', async (t) => {
  const { port, node } = await serving(t);
  let left: () => void = () => undefined;
  const isLeft = new Promise<void>((resolve) => {
    left = resolve;
  });
  node.listKeys = () => names(100_000_000, { onLeft: left });
  const raw = await connectRaw(port);
  raw.socket.write('GET /buckets/b/keys?keys=stream HTTP/1.1\r\nHost: h\r\n\r\n');
  await raw.until(/"keys":/);
  raw.socket.destroy();
  await isLeft;

  let isIndexLeft = false;
  node.index = async function* () {
    try {
      for (;;) yield [['a' as ByteString, 'k' as ByteString] as const];
    } finally {
      isIndexLeft = true;
    }
  };
  const page = await ask(port, 'GET /buckets/b/index/f_bin/a/b?max_results=3');
  t.match(page.body.toString(), /^\{"keys":\["k","k","k"\],"continuation":"/);
  t.ok(isIndexLeft);
});

t.test('a name that is not UTF-8 is stored and found, and has no JSON form', async (t) => {
  const { port, bugs } = await serving(t);
  const put = await ask(port, 'PUT /buckets/%ff/keys/%fe', {
    headers: { ...TEXT, 'x-riak-index-f_bin': '\xfd' },
    body: 'x',
  });
  t.equal(put.status, 204);
  t.equal((await ask(port, 'GET /buckets/%ff/keys/%fe')).body.toString(), 'x');
  const statusOf = async (path: string): Promise<number> => (await ask(port, `GET ${path}`)).status;
  t.equal(await statusOf('/buckets/%ff/keys?keys=true'), 500);
  t.equal(await statusOf('/buckets/%ff/props'), 500);
  t.equal(await statusOf('/riak/%ff?keys=true'), 500);
  t.equal(await statusOf('/buckets?buckets=true'), 500);
  t.equal(await statusOf('/buckets/%ff/index/f_bin/%fd'), 500);
  const stream = await ask(port, 'GET /buckets/%ff/keys?keys=stream');
  t.equal(stream.body.toString(), '{"error":"not_utf8"}');
  const index = await ask(port, 'GET /buckets/%ff/index/f_bin/%fd?stream=true');
  t.match(index.body.toString(), '{"error":"not_utf8"}');
  t.match((await ask(port, 'POST /buckets/%0d%0a%ff/keys', { headers: TEXT, body: 'x' })).headers, {
    location: /^\/buckets\/%0D%0A\xff\/keys\/\w+$/,
  });
  t.same(bugs, []);
});

t.test('work that is switched off is refused in Riak’s words', async (t) => {
  const jobs: readonly (readonly [JobClass, string])[] = [
    ['list_buckets', '/buckets?buckets=true'],
    ['stream_list_buckets', '/buckets?buckets=stream'],
    ['list_keys', '/buckets/b/keys?keys=true'],
    ['stream_list_keys', '/riak/b?keys=stream'],
    ['secondary_index', '/buckets/b/index/f_bin/a'],
    ['stream_secondary_index', '/buckets/b/index/f_bin/a?stream=true'],
  ];
  for (const [job, path] of jobs) {
    const { port } = await serving(t, { disabledJobs: new Set([job]) });
    const reply = await ask(port, `GET ${path}`);
    t.same(
      [reply.status, reply.body.toString()],
      [403, `Operation '{riak_kv,${job}}' is not enabled`],
    );
    for (const [other, otherPath] of jobs) {
      if (other !== job) t.equal((await ask(port, `GET ${otherPath}`)).status, 200);
    }
  }
});

t.test('pages of the same site may come, others may not', async (t) => {
  const { port } = await serving(t);
  const statusWith = async (headers: Record<string, string>): Promise<number> =>
    (await ask(port, 'GET /buckets?buckets=true', { headers })).status;
  const host = `localhost:${port}`;
  t.equal(await statusWith({ host, referer: `http://${host}/page` }), 200);
  t.equal(await statusWith({ host, referer: `https://${host}/` }), 403);
  t.equal(await statusWith({ host, referer: 'http://localhost/' }), 403);
  t.equal(await statusWith({ host, referer: 'rubbish' }), 403);
  t.equal(await statusWith({ host, origin: 'null' }), 403);
  t.equal((await ask(port, 'GET /ping', { headers: { origin: 'null' } })).status, 200);
});

t.test('conditions on a missing key', async (t) => {
  const { port } = await serving(t);
  const statusOf = async (method: string, headers: Record<string, string>): Promise<number> =>
    (await ask(port, `${method} ${KEY}`, { headers: { ...TEXT, ...headers } })).status;
  t.equal(await statusOf('DELETE', { 'if-match': '*' }), 412);
  t.equal(await statusOf('DELETE', { 'if-none-match': '*' }), 404);
  t.equal(await statusOf('POST', { 'if-none-match': '"x"' }), 204);
  t.equal(await statusOf('PUT', { 'if-none-match': '*', 'if-modified-since': 'x' }), 412);
  const past = 'Sat, 01 Jan 2000 00:00:00 GMT';
  t.equal(await statusOf('PUT', { 'if-modified-since': past }), 204, 'does not read alone');
  t.equal(await statusOf('PUT', { 'x-riak-vclock': 'rubbish' }), 400);
  t.equal(await statusOf('GET', { 'if-none-match': '*' }), 304);
  const { headers } = await ask(port, `GET ${KEY}`);
  const context = headers['x-riak-vclock'] as string;
  const other = '/types/siblings/buckets/b/keys/other';
  const remove = { 'x-riak-vclock': context, 'x-riak-if-not-modified': context };
  t.equal((await ask(port, `DELETE ${other}`, { headers: remove })).status, 404);
  t.equal(
    (await ask(port, `DELETE ${other}`, { headers: { 'x-riak-vclock': context } })).status,
    204,
  );
});

t.test('a walk shows one of siblings and names the others, and stops at its bounds', async (t) => {
  const { port } = await serving(t);
  const link = (keys: readonly string[]): string =>
    keys.map((key) => `</buckets/w/keys/${key}>; riaktag="t"`).join(', ');
  await ask(port, 'PUT /buckets/w/props', {
    headers: { 'content-type': 'application/json' },
    body: '{"props":{"allow_mult":true}}',
  });
  await ask(port, 'PUT /buckets/w/keys/a', { headers: { ...TEXT, link: link(['b', 'b']) } });
  for (const body of ['x', 'y', 'z']) {
    await ask(port, 'PUT /buckets/w/keys/b', { headers: TEXT, body });
  }
  const vtags = (await ask(port, 'GET /buckets/w/keys/b')).body.toString().split('\n').slice(1, 4);
  const walk = await ask(port, 'GET /buckets/w/keys/a/_,t,_');
  const [step] = partsOf(walk);
  const found = parseMultipart(step?.body ?? Buffer.alloc(0), boundaryOf(step?.headers ?? {}));
  t.equal(found.length, 1);
  const { etag = '', location, ...others } = found[0]?.headers ?? {};
  t.equal(location, `/buckets/w/keys/b?vtag=${etag}`);
  t.same([etag, ...(others['x-riak-sibling-vtags'] ?? '').split(',')].sort(), vtags.sort());
  t.equal((await ask(port, `GET /buckets/w/keys/a${'/_,_,1'.repeat(17)}`)).status, 400);
  t.equal((await ask(port, `GET /buckets/w/keys/a${'/_,_,0'.repeat(2)}`)).body.length > 0, true);
});

t.test('a walk keeps its last step unless that says 0, and a POST walks nowhere', async (t) => {
  const { port } = await serving(t);
  const headers = { ...TEXT, link: '</buckets/w/keys/a>; riaktag="t"' };
  await ask(port, 'PUT /buckets/w/keys/a', { headers });
  const steps = async (path: string): Promise<number> =>
    partsOf(await ask(port, `GET /buckets/w/keys/a${path}`)).length;
  t.equal(await steps('/_,t,0/_,t,_'), 1);
  t.equal(await steps('/_,t,0/_,t,yes'), 1);
  t.equal(await steps('/_,t,yes/_,t,1'), 1);
  t.equal(await steps('/_,t,1/_,t,1'), 2);
  t.equal(await steps('/_,t,1/_,t,0'), 1);
  t.equal((await ask(port, 'GET /buckets/w/keys/a/_,,1')).status, 400);
  t.equal((await ask(port, 'POST /buckets/w/keys/a/_,t,1')).status, 204);
  t.equal((await ask(port, 'POST /buckets/w/keys/none/_,t,1')).status, 404);
});

t.test('a list that may take no time is a time-out', async (t) => {
  const { port } = await serving(t);
  const text = async (path: string): Promise<string> =>
    (await ask(port, `GET ${path}`)).body.toString();
  t.equal(await text('/buckets/b/keys?keys=true&timeout=0'), '{"error":"timeout"}');
  t.equal(await text('/buckets/b/keys?keys=stream&timeout=-1'), '{"error":"timeout"}');
  t.equal(await text('/buckets?buckets=stream&timeout=0'), '{"error":"timeout"}');
  t.equal((await ask(port, 'GET /buckets?buckets=true&timeout=0')).status, 503);
});

t.test('a context that is no base64 is refused, faults come in one order', async (t) => {
  const { port } = await serving(t);
  const put = (path: string, headers = {}): Promise<Reply> =>
    ask(port, `PUT /buckets/b/keys/k${path}`, { headers: { ...TEXT, ...headers }, body: 'x' });
  t.equal((await put('', { 'x-riak-vclock': '!!!' })).status, 400);
  t.equal((await put('', { 'x-riak-vclock': '' })).status, 204);
  const faults = (await put('?pr=a&asis=b&pw=c&rw=d&dw=e&w=f&r=g&node_confirms=h')).body.toString();
  const names = faults.split('\n').map((line) => line.split(' ')[0]);
  t.same(names, ['r', 'w', 'dw', 'rw', 'pw', 'node_confirms', 'pr', 'asis', '']);
});

t.test('an index query is JSON to those who negotiate, streamed or not', async (t) => {
  const { port } = await serving(t);
  for (const query of ['', '?stream=true']) {
    const path = `GET /buckets/b/index/f_bin/a/b${query}`;
    t.equal((await ask(port, path, { headers: { accept: 'application/json' } })).status, 200);
    t.equal((await ask(port, path, { headers: { accept: 'text/plain' } })).status, 406);
  }
});

function partsOf({ headers, body }: Reply): ReturnType<typeof parseMultipart> {
  return parseMultipart(body, boundaryOf({ 'content-type': headers['content-type'] ?? '' }));
}

function boundaryOf(headers: Readonly<Record<string, string>>): string {
  return /boundary=(.*)$/.exec(headers['content-type'] ?? '')?.[1] ?? '';
}

t.test('what is counted comes as OpenMetrics, or as the text before it', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close(0));
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  const scraped = await ask(port, 'GET /metrics', { headers: { accept } });
  t.equal(scraped.status, 200);
  t.match(scraped.headers['content-type'], /^application\/openmetrics-text;version=1\.0\.0;/);
  t.match(scraped.body.toString(), /^vertebra_node_gets_total 1$/m);
  const plain = await ask(port, 'GET /metrics', { headers: { accept: 'text/plain' } });
  t.match(plain.headers['content-type'], /^text\/plain;/);
  t.equal((await ask(port, 'GET /metrics/x')).status, 404);
});

t.test('statistics come compact or a line each', async (t) => {
  const { port } = await serving(t);
  const compact = await ask(port, 'GET /stats');
  t.equal(compact.body.toString(), '{"node_gets":1,"nodename":"dev1@127.0.0.1"}');
  const pretty = await ask(port, 'GET /stats', { headers: { accept: 'text/plain' } });
  t.equal(pretty.body.toString(), '{\n  "node_gets": 1,\n  "nodename": "dev1@127.0.0.1"\n}\n');
  t.equal(compact.headers.vary, 'Accept, Accept-Encoding');
});
