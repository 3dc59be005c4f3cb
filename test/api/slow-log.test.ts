/** What each edge tells the slow log of the requests that it has served. */

import t from 'tap';
import { RpbListKeysReq } from '../../src/api/pbc/messages/bucket-messages.ts';
import { RpbGetReq } from '../../src/api/pbc/messages/get-messages.ts';
import { RpbPutReq } from '../../src/api/pbc/messages/put-messages.ts';
import { KeyFingerprint } from '../../src/node/key-fingerprint.ts';
import { SlowLog, type SlowLogOptions } from '../../src/node/slow-log.ts';
import { RecordingTracer } from '../../src/telemetry/recording-tracer.ts';
import { systemHost } from '../../src/telemetry/system-host.ts';
import { connectRaw } from './http/raw-connection.ts';
import { ask, serve as serveHttp } from './http/served.ts';
import { BareClient, name, serve as servePbc, until } from './pbc/served.ts';

const NOWHERE = { debug() {}, info() {}, warn() {}, error() {} };
const host = systemHost(NOWHERE, { count() {}, gauge() {}, observe() {} });
const fingerprint = new KeyFingerprint(host.random);

function slowLogOf(options: Partial<SlowLogOptions>): SlowLog {
  const off = { slowMs: 0, largeBytes: 0, siblings: 0, entriesMax: 16 };
  return new SlowLog(host, fingerprint, { ...off, ...options });
}

/** Shorter than any request takes. */
const ANY_MS = 1e-9;
const TEXT = { 'content-type': 'text/plain' };
const KEY = { type: name('default'), bucket: name('b'), key: name('k') };

t.test('HTTP tells method and route, times, sizes and status', async (t) => {
  const slowLog = slowLogOf({ slowMs: ANY_MS });
  const { server, port, bugs } = await serveHttp({ slowLog });
  t.teardown(() => server.close(0));
  await ask(port, 'PUT /buckets/b/keys/k', { headers: TEXT, body: 'value' });
  await ask(port, 'GET /buckets/b/keys/k');
  await ask(port, 'GET /buckets/b/keys?keys=stream');
  await ask(port, 'DELETE /buckets/b/keys/none');
  await ask(port, 'GET /nowhere');
  await until(() => slowLog.notedCount === 5);
  const [nowhere, deleted, listed, read, written] = slowLog.entries(5);
  const about = { type: 'default', bucket: 'b' };
  const keyFingerprint = fingerprint.of(KEY);
  t.match(written, { api: 'http', operation: 'PUT object', outcome: '204', requestBytes: 5 });
  t.match(written, { ...about, keyFingerprint });
  t.match(read, {
    operation: 'GET object',
    outcome: '200',
    replyBytes: 5,
    ...about,
    keyFingerprint,
  });
  t.match(listed, { operation: 'GET keys', outcome: '200', ...about, keyFingerprint: undefined });
  t.ok((listed?.replyBytes ?? 0) > 10);
  t.match(deleted, { operation: 'DELETE object', outcome: '404' });
  t.match(nowhere, { operation: 'unknown', outcome: '404', type: undefined });
  for (const entry of slowLog.entries(5)) t.ok(entry.ms > 0 && entry.ms < 60_000);
  t.same(bugs, []);
});

t.test('a traced request is noted with its trace', async (t) => {
  const slowLog = slowLogOf({ slowMs: ANY_MS });
  const tracer = new RecordingTracer(host, () => {}, { ratio: 0, slowMs: 0, followsClients: true });
  const [http, pbc] = [await serveHttp({ slowLog, tracer }), await servePbc({ slowLog, tracer })];
  t.teardown(() => Promise.all([http.server.close(0), pbc.server.close()]));
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const traceparent = `00-${traceId}-00f067aa0ba902b7-00`;
  await ask(http.port, 'GET /buckets/b/keys/k', { headers: { traceparent } });
  const client = await BareClient.connect(pbc.port);
  t.teardown(() => client.socket.destroy());
  await client.ask(RpbGetReq, { bucket: name('b'), key: name('k') });
  await until(() => slowLog.notedCount === 2);
  t.match(slowLog.entries(2), [{ traceId: /^[0-9a-f]{32}$/ }, { traceId }]);
});

t.test('a request whose client has left ends as cut', async (t) => {
  const slowLog = slowLogOf({ slowMs: ANY_MS });
  const { server, port, node } = await serveHttp({ slowLog });
  t.teardown(() => server.close(0));
  let isAsked = false;
  let answer = () => {};
  node.get = () => {
    isAsked = true;
    return new Promise((resolve) => {
      answer = () => resolve({ kind: 'not-found', tombstone: undefined });
    });
  };
  const { socket } = await connectRaw(port);
  socket.write('GET /buckets/b/keys/k HTTP/1.1\r\nHost: h\r\n\r\n');
  await until(() => isAsked);
  socket.destroy();
  while ((await server.connectionCount()) > 0) await new Promise(setImmediate);
  answer();
  await until(() => slowLog.notedCount === 1);
  t.match(slowLog.entries(1), [{ operation: 'GET object', outcome: 'cut' }]);
});

t.test('HTTP and Protocol Buffers tell large values and siblings, read and written', async (t) => {
  const slowLog = slowLogOf({ largeBytes: 10_000, siblings: 3 });
  const http = await serveHttp({ slowLog });
  const pbc = await servePbc({ slowLog });
  t.teardown(() => Promise.all([http.server.close(0), pbc.server.close()]));
  const client = await BareClient.connect(pbc.port);
  t.teardown(() => client.socket.destroy());
  const type = name('siblings');
  const put = async (value: string) => {
    const content = { value: Buffer.from(value) };
    await client.ask(RpbPutReq, { type, bucket: name('b'), key: name('k'), content });
  };
  const path = '/types/siblings/buckets/b/keys/k';
  for (const body of ['1', '2', 'x'.repeat(10_000)]) {
    await ask(http.port, `PUT ${path}`, { headers: TEXT, body });
    await put(body);
  }
  await ask(http.port, `GET ${path}`, { headers: { accept: 'multipart/mixed' } });
  await client.ask(RpbGetReq, { type, bucket: name('b'), key: name('k') });
  await until(() => slowLog.notedCount >= 4);
  const shown = slowLog.entries(9).map(({ operation, notable, siblings }) => {
    return [operation, notable.join(), siblings];
  });
  const both = 'large,siblings';
  t.match(shown.slice(0, 2), [
    ['RpbGetReq', both, 3],
    ['GET object', both, 3],
  ]);
  t.match(shown.slice(2), [
    ['RpbPutReq', /^large/],
    ['PUT object', /^large/],
  ]);
});

t.test(
  'Protocol Buffers tells messages, streams and errors, and no text of a client',
  async (t) => {
    const slowLog = slowLogOf({ slowMs: ANY_MS });
    const { server, port, node, bugs } = await servePbc({ slowLog });
    t.teardown(() => server.close());
    const client = await BareClient.connect(port);
    t.teardown(() => client.socket.destroy());
    const [bucket, key] = [name('b'), name('k')];
    await client.ask(RpbPutReq, { bucket, key, content: { value: Buffer.from('value') } });
    await client.ask(RpbListKeysReq, { bucket });
    await client.next();
    node.get = () => Promise.resolve({ kind: 'timeout' });
    await client.ask(RpbGetReq, { bucket, key });
    node.get = () => Promise.resolve({ kind: 'precommit-failed', reason: 'Okafor' });
    await client.ask(RpbGetReq, { bucket, key });
    await until(() => slowLog.notedCount === 4);
    const [failed, late, listed, written] = slowLog.entries(4);
    const keyFingerprint = fingerprint.of(KEY);
    t.match(written, { api: 'pbc', operation: 'RpbPutReq', outcome: 'ok', keyFingerprint });
    t.match(written, { type: 'default', bucket: 'b' });
    t.match(listed, { operation: 'RpbListKeysReq', bucket: 'b', keyFingerprint: undefined });
    t.match([late?.outcome, failed?.outcome], ['timeout', 'error']);
    t.notMatch(JSON.stringify(slowLog.entries(4)), /Okafor/);
    t.same(bugs, []);
  },
);
