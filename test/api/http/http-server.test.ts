/**
 * Connections: what a client may cost, and that requests stay in order.
 */

import { setTimeout } from 'node:timers/promises';
import t from 'tap';
import { countLate, skipPool } from '../waiting-pool.ts';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';
import type { GetOutcome } from '../../../src/object/requests.ts';
import type { HttpOptions } from '../../../src/api/http/http-options.ts';
import type { Served } from './served.ts';
import type { RawConnection } from './raw-connection.ts';

type Test = Pick<typeof t, 'teardown'>;

const PUT = 'PUT /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n';

async function serving(t: Test, options: Partial<HttpOptions> = {}): Promise<Served> {
  const served = await serve(options);
  t.teardown(async () => {
    await served.server.close(0);
    if (served.bugs.length > 0) throw served.bugs[0] as Error;
  });
  return served;
}

async function connected(t: Test, port: number): Promise<RawConnection> {
  const raw = await connectRaw(port);
  t.teardown(() => raw.socket.destroy());
  return raw;
}

t.test('pipelined requests are served in order', async (t) => {
  const { port } = await serving(t);
  const raw = await connected(t, port);
  const writes = [1, 2, 3].map((n) => `${PUT}Content-Length: 1\r\n\r\n${n}`);
  const read = 'GET /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\n\r\n';
  raw.socket.write(writes.map((write) => write + read).join(''));
  await raw.until(/\r\n\r\n3$/);
  t.same(
    raw.received().match(/\r\n\r\n\d/g),
    ['1', '2', '3'].map((n) => `\r\n\r\n${n}`),
  );
});

t.test('a connection with too many requests waiting is cut', async (t) => {
  const { port, counts, node } = await serving(t, { pipelinedMax: 4 });
  node.get = () => new Promise(() => undefined);
  const raw = await connected(t, port);
  raw.socket.write('GET /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(6));
  t.equal(await raw.closed(), '');
  t.equal(counts.get('http_pipelines_cut_total'), 1);
});

t.test('a whole URL asks for the same as its path and query', async (t) => {
  const { port } = await serving(t);
  await ask(port, 'PUT /buckets/b/keys/k', {
    headers: { 'content-type': 'text/plain' },
    body: 'x',
  });
  for (const [target, status] of [
    ['http://other:80/buckets/b/keys/k', 200],
    ['HTTP://other/buckets/b/keys/k?r=3', 200],
    ['https://u@other/buckets/b/keys/k?r=x', 400],
    ['http://other', 200],
    ['http://other?x', 200],
    ['http://other/buckets/b/keys/k/_,_,1', 200],
    ['ftp://other/ping', 404],
  ] as const) {
    const raw = await connected(t, port);
    raw.socket.write(`GET ${target} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n`);
    t.match(await raw.closed(), `HTTP/1.1 ${status} `, target);
  }
});

t.test('header lines are counted', async (t) => {
  const { port } = await serving(t);
  const headers = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '1']));
  t.equal((await ask(port, 'GET /ping', { headers: headers(990) })).status, 200);
  t.equal((await ask(port, 'GET /ping', { headers: headers(1_000) })).status, 400);
});

t.test('headers are bounded in size', async (t) => {
  const { port } = await serving(t);
  const headers = { 'x-riak-meta-a': 'a'.repeat(100_000), 'content-type': 'text/plain' };
  t.equal((await ask(port, 'PUT /buckets/b/keys/k', { headers, body: 'x' })).status, 204);
  const raw = await connected(t, port);
  raw.socket.write(`GET /ping HTTP/1.1\r\nX: ${'a'.repeat(300_000)}\r\n\r\n`);
  t.match(await raw.closed(), /^HTTP\/1.1 400 /);
});

t.test('what is no HTTP is answered as far as possible and cut', async (t) => {
  const { port, counts } = await serving(t);
  for (const [bytes, status] of [
    ['FOO / HTTP/1.1\r\n\r\n', 501],
    ['GET / HTTQ/1.1\r\n\r\n', 400],
    ['GET /\xff HTTP/1.1\r\n\r\n', 400],
    ['CONNECT host:1 HTTP/1.1\r\nHost: host:1\r\n\r\n', 405],
  ] as const) {
    const raw = await connected(t, port);
    raw.socket.write(bytes, 'latin1');
    t.match(await raw.closed(), new RegExp(`^HTTP/1.1 ${status} `));
  }
  t.equal(counts.get('http_malformed_total'), 3);
});

t.test('HTTP/1.0 and requests without Host are served', async (t) => {
  const { port } = await serving(t);
  const old = await connected(t, port);
  old.socket.write('GET /ping HTTP/1.0\r\n\r\n');
  t.match(await old.closed(), /^HTTP\/1.1 200 [^]*\r\n\r\nOK$/);
  const hostless = await connected(t, port);
  hostless.socket.write('GET /ping HTTP/1.1\r\n\r\n');
  await hostless.until(/\r\n\r\nOK$/);
});

t.test('a body beyond the limit is refused, and the refusal arrives', async (t) => {
  const { port } = await serving(t, { bodyLimitBytes: 1_000 });
  for (const [headers, body] of [
    ['Content-Length: 5000000', 'x'.repeat(5_000_000)],
    ['Transfer-Encoding: chunked', `400\r\n${'x'.repeat(1_024)}\r\n0\r\n\r\n`],
  ] as const) {
    const raw = await connected(t, port);
    raw.socket.write(`${PUT}${headers}\r\n\r\n${body}`);
    t.match(await raw.closed(), /^HTTP\/1.1 413 [^]*Connection: close\r\n/);
  }
  const fits = await ask(port, 'PUT /buckets/b/keys/k', {
    headers: { 'content-type': 'text/plain' },
    body: 'x'.repeat(1_000),
  });
  t.equal(fits.status, 204);
});

t.test('bodies of all requests together have a budget, which is given back', async (t) => {
  const { port } = await serving(t, { bodyBudgetBytes: 1_000 });
  const hoarder = await connected(t, port);
  hoarder.socket.write(`${PUT}Content-Length: 900\r\n\r\n${'x'.repeat(800)}`);
  const put = (sizeBytes: number): Promise<number> =>
    ask(port, 'PUT /buckets/b/keys/k', {
      headers: { 'content-type': 'text/plain' },
      body: 'x'.repeat(sizeBytes),
    }).then(({ status }) => status);
  // The hoarder's bytes may still be on their way.
  while ((await put(300)) !== 503);
  hoarder.socket.write('x'.repeat(100));
  await hoarder.until(/^HTTP\/1.1 204 /);
  for (let round = 0; round < 5; round += 1) t.equal(await put(900), 204);
});

t.test('leave to send a body is given after the headers have passed', async (t) => {
  const { port } = await serving(t);
  const raw = await connected(t, port);
  raw.socket.write(`${PUT}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  await raw.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  raw.socket.write('hi');
  await raw.until(/\r\n\r\nHTTP\/1.1 204 /);
  const refused = await connected(t, port);
  const head = PUT.replace('Content-Type: text/plain\r\n', '');
  refused.socket.write(`${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
  t.match(await refused.closed(), /^HTTP\/1.1 400 /);
});

t.test('what else a client expects is passed over', async (t) => {
  const { port } = await serving(t);
  const headers = { 'content-type': 'text/plain', expect: '200-ok' };
  t.equal((await ask(port, 'PUT /buckets/b/keys/k', { headers, body: 'x' })).status, 204);
});

t.test('a wrong body digest is refused, the right one passes', async (t) => {
  const { port } = await serving(t);
  const put = async (digest: string): Promise<number> => {
    const headers = { 'content-type': 'text/plain', 'content-md5': digest };
    return (await ask(port, 'PUT /buckets/b/keys/k', { headers, body: 'hello' })).status;
  };
  t.equal(await put('XUFAKrxLKna5cZ2REBfFkg=='), 204);
  t.equal(await put('XUFAKrxLKna5cZ2REBfFkQ=='), 400);
  const get = async (digest: string): Promise<number> => {
    return (await ask(port, 'GET /buckets/b/keys/k', { headers: { 'content-md5': digest } }))
      .status;
  };
  t.equal(await get('1B2M2Y8AsgTpgAmY7PhCfg=='), 200, 'of nothing');
  t.equal(await get('XUFAKrxLKna5cZ2REBfFkg=='), 400);
});

t.test('clients that are slow with headers or body are dropped', async (t) => {
  const { port } = await serving(t, { headersTimeoutMs: 100, requestTimeoutMs: 200 });
  const silent = await connected(t, port);
  const slowHeaders = await connected(t, port);
  slowHeaders.socket.write('GET /ping HTTP/1.1\r\nX: ');
  const slowBody = await connected(t, port);
  slowBody.socket.write(`${PUT}Content-Length: 10\r\n\r\nx`);
  await silent.closed();
  t.match(await slowHeaders.closed(), /^HTTP\/1.1 408 |^$/);
  await slowBody.closed();
});

t.test('a kept connection may rest only so long', async (t) => {
  const { port } = await serving(t, { idleTimeoutMs: 100 });
  const raw = await connected(t, port);
  raw.socket.write('GET /ping HTTP/1.1\r\nHost: h\r\n\r\n');
  t.match(await raw.closed(), /\r\n\r\nOK$/);
});

t.test('a client that does not read its answer is cut off, one that waits is not', async (t) => {
  const { server, port, node } = await serving(t, { stallTimeoutMs: 150 });
  const headers = { 'content-type': 'text/plain' };
  const body = Buffer.alloc(40 * 1024 * 1024);
  t.equal((await ask(port, 'PUT /buckets/b/keys/k', { headers, body })).status, 204);
  const staller = await connected(t, port);
  staller.socket.pause();
  staller.socket.write('GET /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\n\r\n');

  const { promise, resolve } = withResolver<GetOutcome>();
  const get = node.get.bind(node);
  node.get = (request) => (request.key.key === 'slow' ? promise : get(request));
  const waiter = await connected(t, port);
  waiter.socket.write('GET /buckets/b/keys/slow HTTP/1.1\r\nHost: h\r\n\r\n');

  // The staller goes; the waiter stays, though it has been silent just as long.
  while ((await server.connectionCount()) > 1) await setTimeout(20);
  resolve({ kind: 'not-found', tombstone: undefined });
  await waiter.until(/^HTTP\/1.1 404 /);
});

t.test('a pool that is opened at once connects at once', { skip: skipPool }, async (t) => {
  const { port } = await serving(t);
  t.equal(await countLate(t, port, () => ask(port, 'GET /ping')), 0);
});

t.test('connections above the limit are refused', async (t) => {
  const { port, counts } = await serving(t, { connectionsMax: 2 });
  const kept = [await connected(t, port), await connected(t, port)];
  const third = await connected(t, port);
  t.equal(await third.closed(), '');
  t.equal(counts.get('http_connections_refused_total'), 1);
  kept[0]?.socket.write('GET /ping HTTP/1.1\r\nHost: h\r\n\r\n');
  await kept[0]?.until(/OK$/);
});

t.test('closing lets requests under way be answered and cuts the rest', async (t) => {
  const { server, port, node } = await serve();
  const { promise, resolve } = withResolver<GetOutcome>();
  node.get = () => promise;
  const idle = await connected(t, port);
  idle.socket.write('GET /ping HTTP/1.1\r\nHost: h\r\n\r\n');
  await idle.until(/OK$/);
  const busy = await connected(t, port);
  busy.socket.write('GET /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\n\r\n');
  const closing = server.close();
  t.equal(server.close(), closing, 'closing twice is closing once');
  await idle.closed();
  resolve({ kind: 'not-found', tombstone: undefined });
  t.match(await busy.closed(), /^HTTP\/1.1 404 [^]*Connection: close\r\n/);
  await closing;
  await t.rejects(connectRaw(port));
});

t.test('a port that is taken is a fault that names it', async (t) => {
  const { port } = await serving(t);
  await t.rejects(serve({}, port), {
    code: 'config',
    message: new RegExp(`cannot listen on 127.0.0.1:${port}`),
  });
});

function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
