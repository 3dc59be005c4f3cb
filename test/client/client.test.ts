/** The typed client against servers that fail: nothing hangs, nothing is mixed up or done twice. */

import t from 'tap';
import { decodeMessage } from '../../src/api/pbc/messages/message-type.ts';
import { RpbListKeysReq, RpbListKeysResp } from '../../src/api/pbc/messages/bucket-messages.ts';
import { RpbGetReq, RpbGetResp } from '../../src/api/pbc/messages/get-messages.ts';
import { RpbPutReq, RpbPutResp } from '../../src/api/pbc/messages/put-messages.ts';
import {
  RpbErrorResp,
  RpbPingReq,
  RpbPingResp,
} from '../../src/api/pbc/messages/server-messages.ts';
import type { ByteString } from '../../src/base/bytes.ts';
import { VertebraClient } from '../../src/client/client.ts';
import { ServerError } from '../../src/client/connection.ts';
import { serve } from '../api/pbc/served.ts';
import { reply, serveFrames, type FakeServer, type OnFrame } from './fake-server.ts';

const LIMITS = { fieldCountMax: 1000 };
const location = { bucket: 'patients', key: '9990000018' };

/** Answers pings, gets with the key as the value, puts, and a listing of one key. */
const answer: OnFrame = (code, body, socket) => {
  if (code === RpbPingReq.code) reply(socket, RpbPingResp, {});
  if (code === RpbPutReq.code) reply(socket, RpbPutResp, {});
  if (code === RpbListKeysReq.code) {
    reply(socket, RpbListKeysResp, { keys: ['one' as ByteString], done: true });
  }
  if (code === RpbGetReq.code) {
    const { key } = decodeMessage(RpbGetReq, body, LIMITS);
    const value = Buffer.from(key, 'latin1');
    reply(socket, RpbGetResp, { content: [{ value }], vclock: Buffer.from('v') });
  }
};

const cut: OnFrame = (_code, _body, socket) => socket.destroy();

async function closedPort(): Promise<FakeServer> {
  const server = await serveFrames(answer);
  await server.close();
  return server;
}

t.test('a node that cannot be reached is passed over, by reads, writes and listings', async (t) => {
  const [dead, live] = [await closedPort(), await serveFrames(answer)];
  const client = new VertebraClient({ nodes: [dead.address, live.address], downMs: 0 });
  t.teardown(() => (client.close(), live.close()));
  for (let count = 0; count < 4; count += 1) {
    t.ok(await client.get(location));
    await client.put(location, Buffer.from('x'));
    t.same(await client.listKeys('patients'), ['one']);
  }
});

t.test('a read that was cut off is asked of another node, a write is not', async (t) => {
  const [cutting, live] = [await serveFrames(cut), await serveFrames(answer)];
  const nodes = [cutting.address, live.address];
  const client = new VertebraClient({ nodes });
  const repeating = new VertebraClient({ nodes, retryWrites: true });
  t.teardown(async () => {
    for (const open of [client, repeating]) open.close();
    await Promise.all([cutting.close(), live.close()]);
  });
  for (let count = 0; count < 4; count += 1) t.ok(await client.get(location));
  const writes = await Promise.allSettled(
    [1, 2, 3, 4].map(() => client.put(location, Buffer.from('x'))),
  );
  const failed = writes.filter(({ status }) => status === 'rejected');
  t.equal(failed.length, 2, 'those that went to the node that cuts');
  t.match(failed[0], { reason: { code: 'peer-closed' } });
  for (let count = 0; count < 4; count += 1) await repeating.put(location, Buffer.from('x'));
});

t.test('a node that dies while requests are under way does not fail the reads', async (t) => {
  let asked = 0;
  const dying: FakeServer = await serveFrames(() => {
    asked += 1;
    if (asked === 10) void dying.close();
  });
  const live = await serveFrames(answer);
  const client = new VertebraClient({ nodes: [dying.address, live.address] });
  t.teardown(() => (client.close(), live.close()));
  const found = await Promise.all(
    Array.from({ length: 40 }, (_, index) => client.get({ ...location, key: `k${index}` })),
  );
  t.same(
    found.map((object) => object?.siblings[0]?.value.toString()),
    Array.from({ length: 40 }, (_, index) => `k${index}`),
  );
});

t.test('a server that says nothing costs the time that was allowed, no more', async (t) => {
  const silent = await serveFrames(() => undefined);
  const client = new VertebraClient({ nodes: [silent.address], timeoutMs: 300 });
  t.teardown(() => (client.close(), silent.close()));
  const begunMs = performance.now();
  await t.rejects(client.get(location), { code: 'timeout' });
  await t.rejects(client.listKeys('patients'), { code: 'timeout' });
  const tookMs = performance.now() - begunMs;
  t.ok(tookMs > 550 && tookMs < 10_000, `${tookMs} ms`);
  t.ok(silent.connectionCount() >= 2, 'a late answer finds its connection given up');
});

t.test('when no node can be reached the client says so', async (t) => {
  const dead = await closedPort();
  const client = new VertebraClient({ nodes: [dead.address, dead.address] });
  t.teardown(() => client.close());
  await t.rejects(client.ping(), { code: 'peer-unreachable' });
  await t.rejects(client.listBuckets(), { code: 'peer-unreachable' });
  t.throws(() => new VertebraClient({ nodes: [] }), /at least one node/);
});

t.test('pipelined requests get their own answers', async (t) => {
  const server = await serveFrames(answer);
  const client = new VertebraClient({ nodes: [server.address], connectionsPerNode: 1 });
  t.teardown(() => (client.close(), server.close()));
  const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`);
  const found = await Promise.all(keys.map((key) => client.get({ ...location, key })));
  t.same(
    found.map((object) => object?.siblings[0]?.value.toString()),
    keys,
  );
  t.equal(server.connectionCount(), 1);
});

t.test('a refusal leaves the connection usable, and nothing else is harmed', async (t) => {
  let count = 0;
  const server = await serveFrames((code, body, socket) => {
    count += 1;
    if (count % 2 === 1) answer(code, body, socket);
    else reply(socket, RpbErrorResp, { errmsg: 'overload' as ByteString, errcode: 0 });
  });
  const client = new VertebraClient({ nodes: [server.address], connectionsPerNode: 1 });
  t.teardown(() => (client.close(), server.close()));
  const replies = await Promise.allSettled([1, 2, 3, 4].map(() => client.get(location)));
  t.same(
    replies.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected'],
  );
  const [, refused] = replies;
  t.ok(refused?.status === 'rejected' && refused.reason instanceof ServerError);
  t.match(refused, { reason: { message: 'overload' } });
  t.equal(server.connectionCount(), 1);
});

t.test('what is no answer breaks the connection, not the client', async (t) => {
  let count = 0;
  const server = await serveFrames((code, body, socket) => {
    count += 1;
    if (count === 1) socket.write(Buffer.alloc(4));
    else if (count === 2) socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    else if (count === 3) socket.write(Buffer.from([0, 0, 0, 3, RpbGetResp.code ?? 0, 0x0a, 0xff]));
    else answer(code, body, socket);
  });
  const client = new VertebraClient({ nodes: [server.address], retryWrites: false });
  t.teardown(() => (client.close(), server.close()));
  await t.rejects(client.put(location, Buffer.from('x')), { code: 'peer-closed' });
  await t.rejects(client.put(location, Buffer.from('x')), { code: 'peer-closed' });
  t.ok(await client.get(location), 'a read is asked again');
});

t.test('closing ends what is under way, and may be done twice', async (t) => {
  const silent = await serveFrames(() => undefined);
  const client = new VertebraClient({ nodes: [silent.address] });
  t.teardown(() => silent.close());
  const underWay = client.get(location);
  const opening = client.ping();
  const ended = Promise.allSettled([underWay, opening]);
  client.close();
  client.close();
  for (const { status } of await ended) t.equal(status, 'rejected');
  await t.rejects(client.ping(), { code: 'closed' });
  const connectionsMade = silent.connectionCount();
  await t.rejects(client.listKeys('patients'), { code: 'closed' });
  t.equal(silent.connectionCount(), connectionsMade, 'a closed client connects no more');
});

t.test(
  'against the real server, values, metadata and refusals come back as they are',
  async (t) => {
    const { server, port } = await serve();
    const client = new VertebraClient({ nodes: [{ host: '127.0.0.1', port }] });
    t.teardown(() => (client.close(), server.close()));
    const metadata = {
      contentType: 'application/json',
      userMetadata: [['source', 'Zoë']] as const,
    };
    t.equal(await client.get(location), undefined);
    await client.put(location, Buffer.from('{"a":1}'), { metadata });
    const found = await client.get(location);
    t.equal(found?.siblings.length, 1);
    t.equal(found?.siblings[0]?.value.toString(), '{"a":1}');
    t.match(found?.siblings[0]?.metadata, metadata);
    await t.rejects(client.get({ ...location, type: 'nosuch' }), { name: 'ServerError' });
    await t.rejects(client.put(location, Buffer.from('y'), { ifNoneMatch: true }), {
      message: 'match_found',
    });
    const { key } = await client.put({ bucket: 'patients' }, Buffer.from('made'));
    t.ok(key);
    t.same(new Set(await client.listKeys('patients')), new Set([location.key, key]));
    await client.delete(location, { context: found?.context as Buffer });
    t.equal(await client.get(location), undefined);
  },
);
