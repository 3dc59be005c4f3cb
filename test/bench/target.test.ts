/**
 * Targets: how they are written, who listens where, and what siblings look like over HTTP.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { utf8ToByteString } from '../../src/base/bytes.ts';
import { LoadProcess } from '../../bench/load/load-process.ts';
import { findListener, UsageWatch } from '../../bench/load/process-usage.ts';
import { HttpConnection } from '../../bench/target/http-connection.ts';
import { httpDriver } from '../../bench/target/http-session.ts';
import { multipartBodies } from '../../bench/target/multipart.ts';
import { NodeChoice } from '../../bench/target/node-choice.ts';
import { pbDriver } from '../../bench/target/pb-session.ts';
import { describeTarget, mustFitLogin, parseTarget } from '../../bench/target/target.ts';
import { findWorkload } from '../../bench/workload/find-workload.ts';
import { Login } from '../../src/client/credentials.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { serve as serveHttp } from '../api/http/served.ts';
import { serve as servePb } from '../api/pbc/served.ts';
import { PASSWORD, Security, certificatesIn } from '../api/secured.ts';
import type { Credentials } from '../../src/client/credentials.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const HOST = systemHost(SILENT, { count() {}, gauge() {}, observe() {} });
const OPTIONS = { timeoutMs: 5_000, login: undefined };

t.test('a target is a protocol with its nodes, or one without a network', (t) => {
  t.same(parseTarget('pb://a:1,[::1]:2', 'a:3,b:4'), {
    kind: 'pb',
    nodes: [
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ],
    httpNodes: [
      { host: 'a', port: 3 },
      { host: 'b', port: 4 },
    ],
  });
  for (const text of ['http://riak:8098', 'https://riak:8443']) {
    t.equal(describeTarget(parseTarget(`${text}/`, undefined)), text);
  }
  t.same(parseTarget('null', undefined), { kind: 'null' });
  t.same(parseTarget('engine:/tmp/x', undefined), { kind: 'engine', folder: '/tmp/x' });
  for (const wrong of [
    'riak:8087',
    'pb://',
    'pb://a',
    'pb://a:0',
    'pb://a:70000',
    'ftp://a:1',
    '',
  ]) {
    t.throws(() => parseTarget(wrong, undefined), { code: 'config' }, wrong);
  }
  t.end();
});

t.test('where security is on a session logs in, over either protocol', async (t) => {
  const { files, certificates } = certificatesIn(t.testdir(), HOST);
  const [pb, http] = [await servePb({ certificates }), await serveHttp()];
  const address = { host: '127.0.0.1', port: 0 };
  const httpsPort = await http.server.listenSecurely(address, certificates);
  const security = new Security();
  for (const { node, server } of [pb, http]) {
    node.gatekeeper = security.gatekeeper;
    t.teardown(() => server.close());
  }
  const name = utf8ToByteString;
  const key = { type: name('default'), bucket: name('b'), key: name('k') };
  security.grant('bob', ['riak_kv.get', 'riak_kv.put']);
  const bob = {
    user: name('bob'),
    password: name(PASSWORD),
    ca: readFileSync(files.caFile),
    serverNames: [],
  };
  const open = (port: number, make: typeof pbDriver, credentials: Credentials) => {
    const options = { timeoutMs: 20_000, login: new Login(credentials) };
    const session = make([{ host: '127.0.0.1', port }], options).open(0);
    t.teardown(() => session.close());
    return session;
  };
  const stranger = { ...bob, ca: undefined };
  for (const [port, make] of [[pb.port, pbDriver] as const, [httpsPort, httpDriver] as const]) {
    const session = open(port, make, bob);
    t.equal(await session.put(key, { value: Buffer.from('v') }), 'stored');
    t.same((await session.get(key)).values.map(String), ['v']);
    await t.rejects(session.delete(key), { code: 'peer-refused', message: /riak_kv.delete/ });
    await t.rejects(open(port, make, stranger).get(key), {
      code: 'peer-unreachable',
      message: /no TLS: /,
    });
  }
  const wrong = open(httpsPort, httpDriver, { ...bob, password: name('guess') });
  await t.rejects(wrong.get(key), { code: 'login-refused' });
  t.notMatch(JSON.stringify(parseTarget('https://a:1', undefined)), 'bob');
  t.throws(() => mustFitLogin(parseTarget('https://a:1', undefined), false), /needs a login/);
  t.throws(() => mustFitLogin(parseTarget('http://a:1', undefined), true), /https:/);
  t.throws(() => mustFitLogin(parseTarget('null', undefined), true), /nobody to log in to/);
});

t.test('a target without the query API is named, and a refusal says why', async (t) => {
  const answers = [404, 400, 200];
  const server = createHttpServer((_request, response) => {
    response.statusCode = answers.shift() ?? 500;
    const isFull = response.statusCode === 500;
    response.end(isFull ? 'Error:\noverload\n' : '{"error":\n "Malformed json request"}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const driver = httpDriver([{ host: '127.0.0.1', port }], OPTIONS);
  const session = driver.open(0);
  t.teardown(() => {
    session.close();
    server.close();
  });
  const bucket = { type: utf8ToByteString('default'), bucket: utf8ToByteString('b') };
  const ask = () => session.queryApi(bucket, '{}');
  await t.rejects(ask(), /status 404, the target has no query API: Riak has it from 3\.4 on/);
  await t.rejects(ask(), { message: 'status 400: {"error": "Malformed json request"}' });
  await ask();
  await t.rejects(ask(), { code: 'overload', message: 'status 500: Error: overload' });
});

t.test('what goes wrong over HTTP is told apart, and nothing is sent twice', async (t) => {
  const asked: string[] = [];
  const server = createHttpServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/cut') request.socket.destroy();
    else if (request.url === '/huge') response.end(Buffer.alloc(2_000));
    else if (request.url !== '/silent') response.end('well');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { timeoutMs: 500, login: undefined };
  const connection = new HttpConnection({ host: '127.0.0.1', port }, options, 1_000);
  t.teardown(() => {
    connection.close();
    server.closeAllConnections();
  });
  const ask = (path: string) => connection.ask({ method: 'GET', path });
  t.equal((await ask('/well')).body.toString(), 'well');
  await t.rejects(ask('/cut'), { code: 'peer-closed' });
  await t.rejects(ask('/huge'), { code: 'malformed' });
  await t.rejects(ask('/silent'), { code: 'timeout' });
  t.equal((await ask('/well')).status, 200, 'a connection that was lost is opened again');
  t.same(asked, ['GET /well', 'GET /cut', 'GET /huge', 'GET /silent', 'GET /well']);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  const late = new HttpConnection({ host: '127.0.0.1', port }, options);
  t.teardown(() => late.close());
  await t.rejects(late.ask({ method: 'PUT', path: '/' }), { code: 'peer-unreachable' });
});

t.test('a session over HTTP sends all requests on one connection, with its headers', async (t) => {
  const heads: IncomingHttpHeaders[] = [];
  const sockets = new Set<unknown>();
  const server = createHttpServer((request, response) => {
    heads.push(request.headers);
    sockets.add(request.socket);
    response.writeHead(request.method === 'GET' ? 200 : 204, { 'X-Riak-Vclock': 'a85h' });
    response.end(request.method === 'GET' ? 'value' : undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = httpDriver([{ host: '127.0.0.1', port }], OPTIONS).open(0);
  t.teardown(() => {
    session.close();
    server.close();
  });
  const name = utf8ToByteString;
  const key = { type: name('default'), bucket: name('b'), key: name('ü') };
  const { values, context } = await session.get(key);
  t.same([values.map(String), context], [['value'], Buffer.from('a85h', 'base64')]);
  const indexes = ['one', 'two'].map((term) => ({ field: name('f_bin'), term: name(term) }));
  await session.put(key, { value: Buffer.from('new'), indexes, ...(context && { context }) });
  await session.put(key, { value: Buffer.alloc(0) });
  t.equal(heads[0]?.accept, 'multipart/mixed, */*;q=0.9');
  t.match(heads[1], {
    'content-type': 'application/octet-stream',
    'content-length': '3',
    'x-riak-vclock': 'a85h',
    'x-riak-index-f_bin': 'one, two',
  });
  t.equal(heads[2]?.['content-length'], '0');
  t.equal(sockets.size, 1);
});

t.test('a bucket keeps siblings unless its last write wins, over either protocol', async (t) => {
  const [pb, http] = [await servePb(), await serveHttp()];
  t.teardown(async () => {
    await pb.server.close();
    await http.server.close();
  });
  const [type, bucket] = [utf8ToByteString('siblings'), utf8ToByteString('b')];
  for (const [{ node, port }, driverOf] of [
    [pb, pbDriver],
    [http, httpDriver],
  ] as const) {
    const session = driverOf([{ host: '127.0.0.1', port }], OPTIONS).open(0);
    t.ok(await session.keepsSiblings({ type, bucket }));
    await node.setBucketProperties(type, bucket, { last_write_wins: true, dvv_enabled: false });
    t.notOk(await session.keepsSiblings({ type, bucket }));
    session.close();
  }
});

t.test('the siblings of a multipart answer are its bodies', (t) => {
  const text = [
    '',
    '--XyZ',
    'Content-Type: application/octet-stream',
    'Etag: one',
    '',
    'first\r\nwith a line of its own',
    '--XyZ',
    'Content-Type: text/plain',
    '',
    '',
    '--XyZ--',
    '',
  ].join('\r\n');
  const bodies = multipartBodies('multipart/mixed; boundary=XyZ', Buffer.from(text));
  t.same(bodies.map(String), ['first\r\nwith a line of its own', '']);
  t.same(multipartBodies('text/plain', Buffer.from(text)), []);
  t.same(multipartBodies('multipart/mixed; boundary=XyZ', Buffer.from('--XyZ\r\ncut')), []);
  t.end();
});

t.test('a target that cannot be used is named before the load, with what is wrong', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const preparation = {
    kind: 'prepare',
    workload: findWorkload('get-1k'),
    credentials: undefined,
    share: { index: 0, count: 1 },
    seed: 1,
    run: 1,
    timeoutMs: 5_000,
    verifyKeysMax: 0,
    isLoaded: true,
    keepsSiblings: undefined,
  } as const;
  const prepare = (text: string) =>
    LoadProcess.prepare({ ...preparation, target: parseTarget(text, undefined) }, () => {});
  await t.rejects(prepare(`pb://127.0.0.1:${port}`), {
    message: new RegExp(`^the target pb://127.0.0.1:${port} cannot be used: `),
  });
  server.close();
  await t.rejects(prepare(`pb://127.0.0.1:${port}`), {
    message: /ECONNREFUSED.*; --target names another, --start starts nodes for the run$/,
  });
});

t.test('a reply that nobody asked for is not taken for that of the next request', async (t) => {
  const stored = Buffer.from([0, 0, 0, 1, 12]);
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const isFirst = connections === 1;
    // To the first one reply too many, then none at all: what comes then must not be acknowledged.
    socket.on('data', () => {
      if (isFirst) socket.write(Buffer.concat([stored, stored]));
      else if (connections === 2) socket.write(Buffer.from([0, 0, 0, 1, 14]));
      else socket.write(stored);
    });
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const session = pbDriver([{ host: '127.0.0.1', port }], OPTIONS).open(0);
  t.teardown(() => session.close());
  const name = utf8ToByteString;
  const key = { type: name('default'), bucket: name('b'), key: name('k') };
  const put = () => session.put(key, { value: Buffer.alloc(1) });
  t.equal(await put(), 'stored');
  await t.rejects(put(), { code: 'malformed' }, 'a reply to another request');
  t.equal(await put(), 'stored', 'and what follows on that connection is not believed either');
  t.equal(connections, 3);
});

t.test('an answer that never ends is not waited for, over either protocol', async (t) => {
  const begun = ['HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n', '\0\u000f\0\0\u000a'];
  for (const [index, head] of begun.entries()) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write(Buffer.from(head, 'latin1')));
      // Never silent for as long as a request may take.
      const timer = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(timer));
      t.teardown(() => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const open = index === 0 ? httpDriver : pbDriver;
    // undici rounds short times up to a second.
    const session = open([address], { timeoutMs: 1_000, login: undefined }).open(0);
    t.teardown(() => session.close());
    const name = utf8ToByteString;
    const key = { type: name('default'), bucket: name('b'), key: name('k') };
    await t.rejects(session.get(key), { code: 'timeout' }, index === 0 ? 'HTTP' : 'PB');
  }
});

t.test('a client leaves a node that is gone, and comes back', (t) => {
  const choice = new NodeChoice(1, 3);
  t.same(choice.candidates(0), [1, 2, 0]);
  choice.settle(2, 100);
  t.equal(choice.node, 2);
  t.notOk(choice.shouldReturn(500));
  t.same(choice.candidates(500), [2, 0, 1]);
  t.ok(choice.shouldReturn(1_200));
  t.same(choice.candidates(1_200), [1, 2, 0]);
  // It is gone still.
  choice.settle(2, 1_200);
  t.same(choice.candidates(1_300), [2, 0, 1]);
  // Over HTTP each answer says which node was reached.
  for (let nowMs = 1_300; nowMs < 2_200; nowMs += 70) {
    choice.candidates(nowMs);
    choice.settle(2, nowMs + 69);
  }
  t.same(choice.candidates(2_250), [1, 2, 0]);
  choice.settle(1, 2_250);
  t.notOk(choice.shouldReturn(9_000));
  t.end();
});

t.test('a process is found by its port, and what it uses is seen', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  t.equal(findListener(port), process.pid);
  const watch = new UsageWatch();
  const watched = [{ name: 'self', pid: process.pid }];
  t.same(watch.sample(watched, 0), []);
  const [sample] = watch.sample(watched, 1_000);
  t.match(sample, { atMs: 1_000, process: 'self' });
  const { residentBytes = 0, ownBytes = 0 } = sample ?? {};
  t.ok(ownBytes > 1_000_000 && ownBytes < residentBytes, `${ownBytes} of ${residentBytes}`);
  t.same(watch.sample([{ name: 'gone', pid: 2 ** 30 }], 2_000), []);
});
