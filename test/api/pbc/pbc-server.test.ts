/** The server: order, pipelines, streams, limits, and how connections end. */

import { Server } from 'node:net';
import t from 'tap';
import { Fault } from '../../../src/base/fault.ts';
import { RpbDelReq } from '../../../src/api/pbc/messages/delete-messages.ts';
import { RpbGetReq } from '../../../src/api/pbc/messages/get-messages.ts';
import { RpbListKeysReq } from '../../../src/api/pbc/messages/bucket-messages.ts';
import { RpbPutReq } from '../../../src/api/pbc/messages/put-messages.ts';
import { RpbGetServerInfoReq, RpbPingReq } from '../../../src/api/pbc/messages/server-messages.ts';
import { VirtualHost } from '../../replica/virtual-host.ts';
import { countLate, skipPool } from '../waiting-pool.ts';
import { BareClient, errorText, frame, name, pingOnce, serve, until } from './served.ts';
import type { GetOutcome } from '../../../src/object/requests.ts';
import type { NodeService } from '../../../src/node/node-service.ts';
import type { MemoryNode } from '../memory-node.ts';

const GET = { bucket: name('b'), key: name('k') };
const NOT_FOUND: GetOutcome = { kind: 'not-found', tombstone: undefined };

/** `node` with one method replaced. */
function withMethod<K extends keyof NodeService>(
  node: MemoryNode,
  method: K,
  replacement: NodeService[K],
): NodeService {
  return new Proxy<NodeService>(node, {
    get: (target, property) => {
      if (property === method) return replacement;
      const value = target[property as keyof NodeService] as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Gets that are answered when the test says so, in the order in which they came. */
function heldGets() {
  const held: ((outcome: GetOutcome) => void)[] = [];
  const get: NodeService['get'] = () => new Promise((resolve) => held.push(resolve));
  return { held, around: (node: MemoryNode) => withMethod(node, 'get', get) };
}

t.test('one request is under way at a time, and replies keep their order', async (t) => {
  const { held, around } = heldGets();
  const { server, port } = await serve({ around });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  client.socket.write(
    Buffer.concat([frame(RpbGetReq, GET), frame(RpbPingReq, {}), frame(RpbGetReq, GET)]),
  );
  await until(() => held.length === 1);
  t.match(await (await BareClient.connect(port)).ask(RpbPingReq, {}), { name: 'RpbPingResp' });
  t.equal(held.length, 1, 'the second get waits for the first');
  held[0]?.(NOT_FOUND);
  t.match(await client.next(), { name: 'RpbGetResp' });
  t.match(await client.next(), { name: 'RpbPingResp' });
  await until(() => held.length === 2);
  held[1]?.({ kind: 'timeout' });
  t.equal(errorText(await client.next()), 'timeout');
});

t.test('requests sent before the client ended its side are answered', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  client.socket.end(Buffer.concat([frame(RpbGetReq, GET), frame(RpbPingReq, {})]));
  t.match(await client.next(), { name: 'RpbGetResp' });
  t.match(await client.next(), { name: 'RpbPingResp' });
  t.equal(await client.next(), 'closed');
});

t.test('a client that pipelines without end is not read further than it is served', async (t) => {
  const { held, around } = heldGets();
  const { server, port } = await serve({ around });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  // What stands in a ping is not looked at, but it takes its room.
  const head = Buffer.from('0001000101', 'hex');
  const ping = Buffer.concat([head, Buffer.alloc(0x10000)]);
  client.socket.write(frame(RpbGetReq, GET));
  for (let count = 0; count < 500; count += 1) client.socket.write(ping);
  await until(() => held.length === 1);
  await pingOnce(port);
  t.ok(client.socket.writableLength > 10_000_000, 'most has not left the client');
  held[0]?.(NOT_FOUND);
  t.match(await client.next(), { name: 'RpbGetResp' });
  for (let count = 0; count < 500; count += 1) {
    t.match(await client.next(), { name: 'RpbPingResp' });
  }
});

t.test('a client that does not read is served no further, and dropped in time', async (t) => {
  const host = new VirtualHost();
  const { server, node, port, counts, gauges } = await serve({ clock: host.clock });
  t.teardown(() => server.close());
  const content = { value: Buffer.alloc(1_000_000) };
  const client = await BareClient.connect(port);
  await client.ask(RpbPutReq, { ...GET, content });
  let gets = 0;
  const { get } = node;
  node.get = (request) => {
    gets += 1;
    return get.call(node, request);
  };
  client.socket.pause();
  for (let count = 0; count < 200; count += 1) client.send(RpbGetReq, GET);
  await until(() => gets > 0);
  let before = -1;
  while (before !== gets) {
    before = gets;
    await pingOnce(port);
  }
  t.ok(gets < 100, `${gets} of 200 answers are held`);
  await host.advance(30_000);
  t.equal(counts.get('pbc_connections_stalled_total'), undefined);
  await host.advance(120_000);
  t.equal(counts.get('pbc_connections_stalled_total'), 1);
  await until(() => gauges.get('pbc_connections') === 0);
  client.socket.destroy();
});

t.test('a stream goes only as far ahead as the client reads, and stops when it goes', async (t) => {
  let given = 0;
  let isReturned = false;
  const keys = Array.from({ length: 1000 }, (_, index) => name(`${'x'.repeat(1000)}${index}`));
  async function* endless() {
    try {
      for (;;) {
        given += 1;
        yield keys;
      }
    } finally {
      isReturned = true;
    }
  }
  const { server, port, bugs } = await serve({
    around: (node) => withMethod(node, 'listKeys', endless),
  });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  client.send(RpbListKeysReq, { bucket: name('b') });
  t.match(await client.next(), { name: 'RpbListKeysResp' });
  client.socket.pause();
  let before = -1;
  while (before !== given) {
    before = given;
    await pingOnce(port);
  }
  t.ok(given < 100, `${given} batches of 1 MB are on their way`);
  client.socket.destroy();
  await until(() => isReturned);
  t.same(bugs, []);
});

t.test('a fault ends a stream with its text, and the connection stays', async (t) => {
  async function* failing() {
    yield [name('a')];
    throw new Fault('timeout', 'no progress');
  }
  const { server, port } = await serve({
    around: (node) => withMethod(node, 'listKeys', failing),
  });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  t.match(await client.ask(RpbListKeysReq, { bucket: name('b') }), { value: { keys: ['a'] } });
  t.equal(errorText(await client.next()), 'timeout');
  t.match(await client.ask(RpbPingReq, {}), { name: 'RpbPingResp' });
});

t.test('a bug costs the connection, is told, and not shown', async (t) => {
  const { server, port, bugs } = await serve({
    around: (node) => withMethod(node, 'delete', () => Promise.reject(new Error('/secret/path'))),
  });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  const reply = await client.ask(RpbDelReq, GET);
  t.equal(errorText(reply), 'Error processing incoming message: internal error');
  t.equal(await client.next(), 'closed');
  t.match(bugs, [{ message: '/secret/path' }]);
});

t.test('a frame above the limit is refused, and the connection ends', async (t) => {
  const { server, port, counts } = await serve({ frameSizeMaxBytes: 1000 });
  t.teardown(() => server.close());
  for (const head of ['000003e9', 'ffffffff', '7fffffff09']) {
    const client = await BareClient.connect(port);
    client.socket.write(Buffer.from(head, 'hex'));
    t.equal(errorText(await client.next()), 'Invalid message packet, reason: invalid');
    t.equal(await client.next(), 'closed');
  }
  t.equal(counts.get('pbc_malformed_total'), 3);
});

t.test('what all clients hold together is bounded', async (t) => {
  const { server, port, counts } = await serve({ receiveBudgetBytes: 300_000 });
  t.teardown(() => server.close());
  const cut = frame(RpbPutReq, { ...GET, content: { value: Buffer.alloc(1_000_000) } });
  const holder = await BareClient.connect(port);
  holder.socket.write(cut.subarray(0, 200_000));
  // Both are read in the order in which they came, so the first holds its bytes by now.
  await until(() => holder.socket.writableLength === 0);
  const other = await BareClient.connect(port);
  other.socket.write(cut.subarray(0, 200_000));
  const first = await Promise.race([holder.next(), other.next()]);
  t.equal(errorText(first), 'overload');
  t.equal(counts.get('pbc_overload_total'), 1);
  const small = await BareClient.connect(port);
  t.match(await small.ask(RpbPingReq, {}), { name: 'RpbPingResp' }, 'small requests go on');
});

t.test('what is refused behind a request under way is told after its reply', async (t) => {
  const { held, around } = heldGets();
  const { server, port, counts } = await serve({ around, receiveBudgetBytes: 50_000 });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  client.send(RpbGetReq, GET);
  const put = frame(RpbPutReq, { ...GET, content: { value: Buffer.alloc(1_000_000) } });
  client.socket.write(put.subarray(0, 200_000));
  await until(() => counts.get('pbc_overload_total') === 1 && held.length === 1);
  held[0]?.(NOT_FOUND);
  t.equal(errorText(await client.next()), 'RpbGetResp');
  t.equal(errorText(await client.next()), 'overload');
  t.equal(await client.next(), 'closed');
  t.equal(counts.get('pbc_overload_total'), 1);
});

t.test('connections above the limit are refused', async (t) => {
  const { server, port, counts } = await serve({ connectionsMax: 2 });
  t.teardown(() => server.close());
  const clients = [await BareClient.connect(port), await BareClient.connect(port)];
  for (const client of clients) t.match(await client.ask(RpbPingReq, {}), { name: 'RpbPingResp' });
  const third = await BareClient.connect(port);
  await third.closed();
  t.equal(counts.get('pbc_connections_refused_total'), 1);
});

t.test('a pool that is opened at once connects at once', { skip: skipPool }, async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close());
  t.equal(await countLate(t, port, () => pingOnce(port)), 0);
});

t.test('clients that keep a connection waiting are dropped in time', async (t) => {
  const host = new VirtualHost();
  const { server, port, gauges } = await serve({
    clock: host.clock,
    idleTimeoutMs: 100_000,
    frameTimeoutMs: 10_000,
  });
  t.teardown(() => server.close());
  const idle = await BareClient.connect(port);
  await idle.ask(RpbPingReq, {});
  const cut = await BareClient.connect(port);
  await cut.ask(RpbPingReq, {});
  cut.socket.write(Buffer.from('00000010', 'hex'));
  await pingOnce(port);
  await host.advance(15_000);
  await cut.closed();
  t.match(await idle.ask(RpbPingReq, {}), { name: 'RpbPingResp' }, 'resting is allowed for longer');
  await host.advance(102_000);
  await idle.closed();
  await until(() => gauges.get('pbc_connections') === 0);
});

t.test('a connection rests between requests for as long as its client likes', async (t) => {
  const host = new VirtualHost();
  const { server, port } = await serve({ clock: host.clock });
  t.teardown(() => server.close());
  const idle = await BareClient.connect(port);
  await idle.ask(RpbPingReq, {});
  await host.advance(7 * 86_400_000);
  t.match(await idle.ask(RpbPingReq, {}), { name: 'RpbPingResp' });
});

t.test('a client that keeps its side open after the end is cut off', async (t) => {
  const host = new VirtualHost();
  const { server, port, gauges } = await serve({ clock: host.clock });
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  client.socket.allowHalfOpen = true;
  client.socket.write(Buffer.alloc(4));
  await client.closed();
  t.equal(gauges.get('pbc_connections'), 1);
  await host.advance(10_000);
  await until(() => gauges.get('pbc_connections') === 0);
  client.socket.destroy();
});

t.test('closing answers what is under way and takes nothing more', async (t) => {
  const { held, around } = heldGets();
  const { server, port } = await serve({ around });
  const idle = await BareClient.connect(port);
  await idle.ask(RpbPingReq, {});
  const busy = await BareClient.connect(port);
  busy.socket.write(Buffer.concat([frame(RpbGetReq, GET), frame(RpbPingReq, {})]));
  await until(() => held.length === 1);
  const closed = server.close();
  t.equal(server.close(), closed, 'closing twice is closing once');
  await idle.closed();
  held[0]?.(NOT_FOUND);
  t.match(await busy.next(), { name: 'RpbGetResp' });
  t.equal(await busy.next(), 'closed');
  await closed;
  await t.rejects(BareClient.connect(port));
});

t.test('closing does not wait for ever', async (t) => {
  const { held, around } = heldGets();
  const { server, port } = await serve({ around, closeTimeoutMs: 20 });
  const client = await BareClient.connect(port);
  client.send(RpbGetReq, GET);
  await until(() => held.length === 1);
  await server.close();
  await client.closed();
  held[0]?.(NOT_FOUND);
  t.pass('a late outcome does no harm');
});

t.test('a port in use is a fault that names it', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close());
  await t.rejects(serve({ port }), {
    code: 'config',
    message: `cannot listen on 127.0.0.1:${port}`,
  });
});

t.test('the server says which node and version it is', async (t) => {
  const { server, port } = await serve();
  t.teardown(() => server.close());
  const client = await BareClient.connect(port);
  t.match(await client.ask(RpbGetServerInfoReq, {}), {
    value: { node: 'dev1@127.0.0.1', server_version: '3.2.1' },
  });
});

t.test('connections that the system cannot accept stop nobody', async (t) => {
  const listens = t.capture(Server.prototype, 'listen', Server.prototype.listen);
  const { server, port, counts } = await serve();
  t.teardown(() => server.close());
  const listener = listens()[0]?.receiver as Server;
  for (let count = 0; count < 2; count += 1) {
    listener.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  }
  t.equal(counts.get('pbc_accept_failed_total'), 2);
  await pingOnce(port);
});
