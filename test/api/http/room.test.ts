/** Requests that wait at the node's entrance when they have been read. */

import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { HeldEntrance } from '../held-entrance.ts';
import { until } from '../pbc/served.ts';
import { certificatesIn } from '../secured.ts';
import { connectRaw } from './raw-connection.ts';
import { ask, serve } from './served.ts';
import type { TLSSocket } from 'node:tls';
import type { HttpOptions } from '../../../src/api/http/http-options.ts';

async function servedBehind(entrance: HeldEntrance, options: Partial<HttpOptions> = {}) {
  // But where it is what is tested no time passes for what is unread.
  const served = await serve({ unreadMaxMs: 3_600_000, ...options });
  served.node.entrance = entrance;
  return served;
}

const OBJECT = '/buckets/b/keys/k';

t.test('a request is served when there is room; a ping needs none', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  const headers = { 'content-type': 'text/plain' };
  const put = ask(port, `PUT ${OBJECT}`, { headers, body: 'v' });
  await until(() => entrance.waiters.length === 1);
  t.equal((await ask(port, 'GET /ping')).status, 200);
  entrance.admit();
  t.equal((await put).status, 204);
  const get = ask(port, `GET ${OBJECT}`);
  await until(() => entrance.waiters.length === 1);
  entrance.admit();
  t.equal((await get).body.toString(), 'v');
  t.same(entrance.works, ['node_put_fsm', 'node_get_fsm']);
  t.equal(entrance.inside, 0);
});

t.test('a refused request is overload, and nothing was done', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, node } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  node.get = () => Promise.reject(new Error('nothing is read'));
  const get = ask(port, `GET ${OBJECT}`);
  await until(() => entrance.waiters.length === 1);
  entrance.refuse();
  const { status, body } = await get;
  t.equal(status, 500);
  t.match(body.toString(), /overload/);
});

t.test('a sender that is slow holds no room, and one that goes leaves the line', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port } = await servedBehind(entrance);
  t.teardown(() => server.close(0));
  const slow = await connectRaw(port);
  slow.socket.write(
    `PUT ${OBJECT} HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n1`,
  );
  t.equal((await ask(port, 'GET /ping')).status, 200);
  t.equal(entrance.waiters.length, 0);
  slow.socket.write('2');
  await until(() => entrance.waiters.length === 1);
  slow.socket.destroy();
  await until(() => entrance.waiters.length === 0);
});

const GET = `GET ${OBJECT} HTTP/1.1\r\nHost: h\r\n\r\n`;

t.test('while many wait, the others are not read; each is when there is a place', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, counts } = await servedBehind(entrance, { waitingMax: 2 });
  t.teardown(() => server.close(0));
  const clients = await Promise.all([1, 2, 3, 4].map(() => connectRaw(port)));
  await until(() => counts.get('http_connections_total') === 4);
  for (const { socket } of clients.slice(0, 2)) socket.write(GET);
  await until(() => entrance.waiters.length === 2);
  for (const { socket } of clients.slice(2)) socket.write(GET);
  // New connections are read, and whatever had come before would have been, too.
  for (let probe = 0; probe < 5; probe += 1) t.equal((await ask(port, 'GET /ping')).status, 200);
  t.equal(entrance.works.length, 2);
  t.equal(counts.get('http_readings_stopped_total'), 2);

  await until(() => {
    if (entrance.waiters.length > 0) entrance.refuse();
    return clients.every((client) => client.received() !== '');
  });
  t.equal(entrance.works.length, 4);
  for (const client of clients) t.match(client.received(), /^HTTP\/1.1 500 [^]*overload\n$/);
});

t.test('a client that goes unread is noticed when its turn comes', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, counts } = await servedBehind(entrance, { waitingMax: 1 });
  t.teardown(() => server.close(0));
  const [stays, goes] = [await connectRaw(port), await connectRaw(port)];
  await until(() => counts.get('http_connections_total') === 2);
  stays.socket.write(GET);
  await until(() => entrance.waiters.length === 1);
  goes.socket.end(GET);
  entrance.refuse();
  await stays.until(/overload/);
  await until(() => entrance.works.length === 2);
  entrance.refuse();
  await until(() => goes.socket.closed);
  t.equal(await server.connectionCount(), 1);
});

t.test('no deadline passes for what is not read: at the end of one it is read', async (t) => {
  for (const options of [{ headersTimeoutMs: 1_000 }, { stallTimeoutMs: 1_000 }]) {
    const entrance = new HeldEntrance();
    const { server, port, counts } = await servedBehind(entrance, { waitingMax: 1, ...options });
    t.teardown(() => server.close(0));
    const [first, second] = [await connectRaw(port), await connectRaw(port)];
    await until(() => counts.get('http_connections_total') === 2);
    first.socket.write(GET);
    await until(() => entrance.waiters.length === 1);
    second.socket.write(GET);
    await until(() => entrance.works.length === 2);
    entrance.refuse();
    entrance.refuse();
    for (const client of [first, second]) t.match(await client.until(/overload/), / 500 /);
  }
});

t.test('who has been left unread for too long is refused, again and again', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, counts, node } = await servedBehind(entrance, {
    waitingMax: 1,
    unreadMaxMs: 100,
  });
  t.teardown(() => server.close(0));
  const [first, second, idle] = [
    await connectRaw(port),
    await connectRaw(port),
    await connectRaw(port),
  ];
  await until(() => counts.get('http_connections_total') === 3);
  first.socket.write(GET);
  await until(() => entrance.waiters.length === 1);
  node.get = () => Promise.reject(new Error('nothing is read'));
  for (let request = 1; request <= 3; request += 1) {
    second.socket.write(`PUT ${OBJECT} HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n`);
    second.socket.write('Content-Length: 1\r\n\r\nx');
    await until(() => second.received().split('overload\n').length === 1 + request);
  }
  t.equal(entrance.works.length, 1, 'the first waits still');
  t.same(entrance.lateWorks, ['node_put_fsm', 'node_put_fsm', 'node_put_fsm']);
  t.equal(idle.received(), '');
  idle.socket.write('GET /ping HTTP/1.1\r\nHost: h\r\n\r\n');
  t.match(await idle.until(/OK/), / 200 /, 'what needs no room is answered, however late');
  entrance.refuse();
  await first.until(/overload/);
  t.equal(entrance.works.length, 1);
});

t.test('over TLS too', async (t) => {
  const entrance = new HeldEntrance();
  const { server, host, counts } = await servedBehind(entrance, { waitingMax: 1 });
  t.teardown(() => server.close(0));
  const { certificates, files } = certificatesIn(t.testdir(), host);
  const port = await server.listenSecurely({ host: '127.0.0.1', port: 0 }, certificates);
  const ca = readFileSync(files.caFile);
  const clients = [1, 2].map(() => connectTls({ port, host: '127.0.0.1', ca }));
  const [first, second] = clients as [TLSSocket, TLSSocket];
  const answers = clients.map((socket) => text(socket));
  await until(() => counts.get('http_connections_total') === 2);
  const last = GET.replace('Host', 'Connection: close\r\nHost');
  first.write(last);
  await until(() => entrance.waiters.length === 1);
  second.write(last);
  for (let probe = 0; probe < 5; probe += 1) await ask(port, 'GET /ping', { ca });
  t.equal(entrance.works.length, 1);
  entrance.refuse();
  await until(() => entrance.works.length === 2);
  entrance.refuse();
  for (const answer of await Promise.all(answers)) t.match(answer, /overload/);
});

t.test('a server that closes cuts also those that it does not read', async (t) => {
  const entrance = new HeldEntrance();
  const { server, port, counts } = await servedBehind(entrance, { waitingMax: 1 });
  const [unread, waits] = [await connectRaw(port), await connectRaw(port)];
  unread.socket.write(GET);
  await until(() => entrance.waiters.length === 1);
  entrance.refuse();
  await unread.until(/overload/);
  waits.socket.write(GET);
  await until(() => counts.get('http_readings_stopped_total') === 1);
  unread.socket.write(GET);
  const closing = server.close();
  await unread.closed();
  entrance.refuse();
  t.match(await waits.closed(), /overload/);
  await closing;
  t.equal(entrance.works.length, 2);
});
